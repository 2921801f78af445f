"""The living agent keeps CDI switched on in containerd's files, and never overrules what is there on purpose."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.agent.running import Agent, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

V2 = '# mine\nversion = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "x" # kept\n'
ON = V2.replace('cri"]\n', 'cri"]\n  enable_cdi = true\n')


@pytest.fixture(autouse=True)
def containerd_1_7(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program into the path that says its version, and refuses nothing."""
    directory = tmp_path / "bin"
    directory.mkdir()
    program = directory / "containerd"
    program.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then echo "containerd example.com/containerd 1.7.24 abc"; exit; fi\n'
        'echo "version = 2"; echo "[plugins.\\"io.containerd.grpc.v1.cri\\"]"\n'
        'echo "cdi_spec_dirs = [\\"/etc/cdi\\", \\"$CDI_DIR\\"]"\n'
        'grep -q "enable_cdi = true" "$2" && echo "enable_cdi = true" || echo "enable_cdi = false"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    monkeypatch.setenv("CDI_DIR", str(tmp_path / "cdi"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "config.toml"
    path.parent.mkdir()
    path.write_text(V2)
    return path


@pytest.fixture
def agent(tmp_path: Path, config: Path) -> Iterator[Agent]:
    own = tmp_path / "cdi-sync.toml"
    own.write_text(
        f'[agent]\nstate_dir = "{tmp_path}/state"\n[containerd]\nenable_cdi = true\nconfig = "{config}"\n'
        '[[class]]\nkind = "acme.com/null"\n[[class.device]]\nname = "one"\n'
        'containerEdits.deviceNodes = [{ path = "/dev/null" }]\n'
    )
    with Agent(own, tmp_path / "cdi", tmp_path / "log") as living:
        yield living


def test_it_is_switched_on_at_the_start_and_kept_so(agent: Agent, config: Path) -> None:
    eventually(lambda: "enable_cdi = true" in config.read_text())
    first = config.read_text()
    assert (
        first.replace("  enable_cdi = true\n", "").replace(
            f'  cdi_spec_dirs = ["/etc/cdi", "/var/run/cdi", "{agent.spec_dir}"]\n', ""
        )
        == V2
    )
    agent.wait_log("CDI is switched on in")
    config.write_text(V2 + "[debug]\n  level = 'warn'\n")
    eventually(lambda: "enable_cdi = true" in config.read_text())
    assert config.read_text().endswith("[debug]\n  level = 'warn'\n")
    assert agent.end() == 0
    assert "Traceback" not in agent.log


def test_off_on_purpose_is_reported_and_left_so(agent: Agent, config: Path) -> None:
    agent.wait_log("CDI is switched on in")
    off = V2.replace('cri"]\n', 'cri"]\n  enable_cdi = false\n')
    config.write_text(off)
    agent.wait_log("on purpose")
    assert config.read_text() == off
    config.write_text(V2)
    eventually(lambda: "enable_cdi = true" in config.read_text())


def test_a_broken_file_is_left_alone_until_it_is_corrected(agent: Agent, config: Path) -> None:
    agent.wait_log("CDI is switched on in")
    config.write_text("version = \n")
    agent.wait_log("is left alone")
    assert config.read_text() == "version = \n"
    config.unlink()
    eventually(lambda: config.exists() and "enable_cdi = true" in config.read_text())


@pytest.mark.parametrize("path", ["x\\u0000y", "x\\u0000y/*.toml", "x*\\u0000y.toml"])
def test_an_import_that_is_no_path_is_said_in_one_line(agent: Agent, config: Path, path: str) -> None:
    agent.wait_log("CDI is switched on in")
    config.write_text(f'version = 2\nimports = ["/etc/{path}"]\n')
    agent.wait_log(f"{config}: imports a path with a NUL character; take it out")
    config.write_text(V2)
    eventually(lambda: "enable_cdi = true" in config.read_text())
    assert "Traceback" not in agent.log


def test_a_tug_of_war_leaves_one_original(agent: Agent, config: Path, tmp_path: Path) -> None:
    for _ in range(4):
        eventually(lambda: "enable_cdi = true" in config.read_text())
        config.write_text(V2)
    eventually(lambda: "enable_cdi = true" in config.read_text())
    kept = tmp_path / "state" / "setup" / "containerd"
    eventually(lambda: len(os.listdir(kept)) == 3, lambda: str(os.listdir(kept)))


def test_without_being_asked_it_touches_nothing(tmp_path: Path, config: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(f'[containerd]\nconfig = "{config}"\n[agent]\nstate_dir = "{tmp_path}/state"\n')
    with Agent(own, tmp_path / "cdi", tmp_path / "log") as living:
        living.wait_ready()
        assert living.end() == 0
    assert config.read_text() == V2
    assert list((tmp_path / "state").iterdir()) == []
