"""Asking programs and daemons: what they may answer, and what not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.setup import cri, programs
from agent.setup.programs import Process, ProgramError
from tests.agent.running import eventually
from tests.real.cri_pb import cri_pb2 as pb

if TYPE_CHECKING:
    from pathlib import Path


def test_the_answer_is_read_as_the_generated_code_writes_it() -> None:
    config = {"enableCDI": True, "cdiSpecDirs": ["/etc/cdi"], "long": "x" * 5000}
    answer = pb.StatusResponse(info={"other": "{}", "config": json.dumps(config), "last": "[]"})
    assert cri.parse(answer.SerializeToString()) == config
    assert pb.StatusRequest(verbose=True).SerializeToString() == b"\x08\x01"


@given(st.binary(max_size=100))
def test_any_answer_is_read_or_empty(answer: bytes) -> None:
    assert isinstance(cri.parse(answer), dict)


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(cri.NoAnswerError, match="nothing listens"):
        cri.config(str(tmp_path / "sock"))


def test_somebody_listens_who_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))
        server.listen()
        # In a process of its own: this one forks for other tests, which threads of gRPC do not like.
        code = "import sys\nfrom agent.setup import cri\ntry:\n    cri.config(sys.argv[1], 0.5)\n"
        code += "except cri.NoAnswerError as error:\n    print(error)"
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("it does not answer\n", "")


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("containerd github.com/containerd/containerd 1.7.24~ds1 1.7.24~ds1-6+deb13u1", (1, 7)),
        ("containerd github.com/containerd/containerd/v2 2.1.9+unknown ", (2, 1)),
        ("containerd containerd.io 1.6.33 d2d58213f83a351ca8f528a95fbd145f5654e957", (1, 6)),
        ("containerd github.com/k3s-io/containerd v2.0.5-k3s1 abc", (2, 0)),
        ("Docker version 28.2.2, build e6534b4", (28, 2)),
        ("podman version 4.3.1", (4, 3)),
        ("crio version 1.30.4\nVersion: 1.30.4\n", (1, 30)),
        ("1.7", (1, 7)),
        ("v2.0.0-rc.1", (2, 0)),
        ("what?", None),
        ("", None),
    ],
)
def test_versions(said: str, version: tuple[int, int] | None) -> None:
    assert programs.version(said) == version


def test_a_command_line_is_read() -> None:
    process = Process(1, "/x", ("--log-level", "info", "--config=/a b", "-a", "/sock", "--last"))
    assert process.option("--config", "-c") == "/a b"
    assert process.option("--address", "-a") == "/sock"
    assert (process.option("--last"), process.option("--none")) == (None, None)


def test_running_processes_are_found() -> None:
    argv = [sys.executable, "-c", "import time; time.sleep(60)", "--config", "/x"]
    with subprocess.Popen(argv) as process:
        name = os.path.basename(argv[0])

        def mine() -> list[Process]:
            return [one for one in programs.processes(name) if one.pid == process.pid]

        eventually(lambda: bool(mine()))  # the kernel tells its words a moment after its start
        (found,) = mine()
        assert found.option("--config") == "/x"
        assert os.path.samefile(found.executable, os.path.realpath(sys.executable))
        process.kill()


def test_a_program_that_fails_gives_its_last_words() -> None:
    with pytest.raises(ProgramError, match="the last line"):
        programs.run([sys.executable, "-c", "import sys; sys.exit('first\\nthe last line')"])
    with pytest.raises(ProgramError, match="cannot be run"):
        programs.run(["/nonexistent/program"])
    with pytest.raises(ProgramError, match="does not end"):
        programs.run([sys.executable, "-c", "import time; time.sleep(9)"], 0.2)
