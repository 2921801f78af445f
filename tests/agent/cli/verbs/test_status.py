"""``status`` beside a real agent, and where none runs."""

from __future__ import annotations

import argparse
import codecs
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from agent.cli import main
from agent.cli.verbs.status import directories
from agent.status import leftover
from agent.status.socket import Socket
from tests.agent.rpc.house import House
from tests.agent.running import PROGRAM, Agent, eventually, spec_file
from tests.agent.status.states import faults
from tests.agent.users import as_nobody
from tests.real.devices import make_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KIND = "acme.com/thing"


class Place:
    """Directories of an agent of one's own, and the program asked about it."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.spec_dir, self.state_dir, self.dev = top / "cdi", top / "state", top / "dev"
        self.dev.mkdir()
        (top / "etc").mkdir(mode=0o700)
        self.config = top / "etc/config.toml"
        self.configure()

    def configure(self, more: str = "") -> None:
        self.config.write_text(f'''
[agent]
spec_dir = "{self.spec_dir}"
state_dir = "{self.state_dir}"
[kubelet]
directory = "{self.top}/kubelet"
{more}
[[class]]
kind = "{KIND}"
name = "{{sysname}}"
[[class.select]]
devnode = "{self.dev}/*"
''')

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        argv = [str(PROGRAM), "status", "--config", str(self.config), *more]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert "Traceback" not in done.stderr
        assert "a fault of cdi-sync" not in done.stderr
        return done

    def json(self, code: int = 0, *more: str) -> dict[str, Any]:
        done = self.run("--output", "json", *more)
        assert done.returncode == code, done.stderr
        document = json.loads(done.stdout)
        assert faults(document) == []
        assert isinstance(document, dict)
        return document

    def agent(self) -> Agent:
        return Agent(self.config, self.spec_dir, self.top / "log")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def agent(place: Place) -> Iterator[Agent]:
    make_node(place.dev / "a", 1, 3)
    with place.agent() as running:
        running.wait_ready()
        eventually((place.state_dir / "agent.sock").exists)
        yield running


def test_without_an_agent_it_says_so_and_shows_the_specs(place: Place) -> None:
    place.spec_dir.mkdir()
    device = '{"name": "a", "containerEdits": {"env": ["A=1"]}}'
    text = f'{{"cdiVersion": "0.5.0", "kind": "{KIND}", "devices": [{device}]}}'
    spec_file(place.spec_dir, KIND).write_text(text)
    os.utime(spec_file(place.spec_dir, KIND), (1, 1))
    done = place.run()
    assert done.returncode == 1
    assert f"no agent answers in {place.state_dir}; start one" in done.stderr
    assert "specs are from an earlier boot" in done.stderr
    assert "from an earlier boot" in done.stdout
    document = place.json(1)
    assert (document["agent"], document["holder"]) == (None, None)
    assert document["specs"][0]["earlierBoot"]


@pytest.mark.root
def test_a_running_agent_tells_what_it_holds(place: Place, agent: Agent) -> None:
    document = place.json()
    assert document["agent"]["pid"] == agent.process.pid
    assert (document["specDir"], document["stateDir"]) == (str(place.spec_dir), str(place.state_dir))
    assert document["configuration"]["files"] == [str(place.config)]
    assert document["lastPass"]["succeeded"]
    assert document["classes"] == [{
        "kind": KIND,
        "file": spec_file(place.spec_dir, KIND).name,
        "devices": [{"name": "a", "nodes": [str(place.dev / "a")], "condition": "present", "goneSince": None}],
    }]  # fmt: skip
    (spec,) = document["specs"]
    assert (spec["kind"], spec["devices"], spec["earlierBoot"], spec["heldForPods"]) == (KIND, 1, False, False)
    assert [(one["name"], one["registeredSince"]) for one in document["resources"]] == [(KIND, None)]
    shown = place.run("--verbose").stdout
    for text in (KIND, str(place.dev / "a"), "present", "no kubelet", str(place.state_dir)):
        assert text in shown


@pytest.mark.root
def test_a_device_that_goes_is_told_of(place: Place, agent: Agent) -> None:
    (place.dev / "a").unlink()
    agent.wait_devices(KIND, set())
    eventually(lambda: place.json()["classes"][0]["devices"][0]["condition"] == "gone")
    assert place.json()["classes"][0]["devices"][0]["goneSince"] is not None
    assert place.json()["specs"] == []


@pytest.mark.root
def test_a_configuration_that_is_refused_shows_and_the_agent_is_found_all_the_same(place: Place, agent: Agent) -> None:
    good = place.config.read_text()
    place.config.write_text(good + "nonsense\n")
    agent.wait_log("is refused")
    done = place.run("--state-dir", str(place.state_dir))
    assert done.returncode == 1
    assert "refused" in done.stdout
    place.config.write_text(good.replace("[[class]]", "unknown = 1\n[[class]]"))
    eventually(lambda: len(place.json(1)["configuration"]["refused"]) == 1)
    place.config.write_text(good)
    eventually(lambda: place.run().returncode == 0)


@pytest.mark.root
def test_a_pass_that_fails_shows_and_makes_the_exit_code(place: Place, agent: Agent) -> None:
    path = spec_file(place.spec_dir, KIND)
    path.unlink()
    path.mkdir()
    (path / "in-the-way").touch()
    eventually(lambda: place.run().returncode == 1)
    document = place.json(1)
    assert not document["lastPass"]["succeeded"]
    assert any(str(path) in one["where"] for one in document["problems"])
    assert "last success" in place.run().stdout


@pytest.mark.root
def test_who_keeps_the_specs_is_named_when_asked_in_the_wrong_place(place: Place, agent: Agent) -> None:
    done = place.run("--state-dir", str(place.top / "elsewhere"))
    assert done.returncode == 1
    assert f"though process {agent.process.pid} " in done.stderr
    assert str(agent.process.pid) in place.json(1, "--state-dir", str(place.top / "elsewhere"))["holder"]


@pytest.mark.root
def test_an_agent_that_cannot_answer_where_it_should_is_pointed_to_by_its_log(place: Place) -> None:
    place.state_dir.touch()
    make_node(place.dev / "a", 1, 3)
    with place.agent() as agent:
        agent.wait_log("agent.sock: cannot be made")
        done = place.run()
    assert done.returncode == 1
    assert f"though process {agent.process.pid} " in done.stderr
    assert "see in its log why it cannot answer there" in done.stderr


def test_an_agent_of_another_version_is_shown_as_far_as_it_is_understood(place: Place) -> None:
    document = leftover.document(str(place.spec_dir), str(place.state_dir), None)
    document["agent"] = {"version": "0.0.1", "pid": 4711, "started": "2026-01-01T00:00:00Z"}
    del document["resources"]
    served = Socket(lambda: document)
    with House() as house:
        house.do(lambda: served.look(str(place.state_dir)))
        try:
            done = place.run()
        finally:
            house.do(served.stop)
    assert "0.0.1, process 4711, since" in done.stdout
    assert "warning: the agent is of version 0.0.1, this program of " in done.stderr


@pytest.mark.root
def test_after_the_end_no_socket_is_left_and_after_a_kill_one_that_is_no_obstacle(place: Place, agent: Agent) -> None:
    assert agent.end() == 0
    assert not (place.state_dir / "agent.sock").exists()
    agent.start()
    eventually(lambda: place.run().returncode == 0)
    agent.kill()
    assert (place.state_dir / "agent.sock").is_socket()
    assert place.run().returncode == 1
    agent.start()
    eventually(lambda: place.run().returncode == 0)


@pytest.mark.root
def test_what_devices_say_does_nothing_to_a_terminal(place: Place) -> None:
    make_node(place.dev / "evil", 1, 3)
    place.config.write_text(place.config.read_text() + '[class.deviceEdits]\nenv = ["X={devnode}"]\n')
    (place.dev / "evil").rename(place.dev / "a\x1b[31mred")
    with place.agent() as running:
        running.wait_ready()
        eventually(lambda: place.run().returncode == 0)
        done = place.run("--verbose")
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.root
def test_another_user_is_not_permitted(place: Place, agent: Agent) -> None:
    codecs.lookup("ascii")  # nobody may not be let into the directory that Python's own lie in

    def action() -> str:
        return str(main(["status", "--quiet", "--spec-dir", str(place.spec_dir), "--state-dir", str(place.state_dir)]))

    assert as_nobody(action, place.top) == "4"


def test_a_configuration_that_is_not_there_is_told(tmp_path: Path) -> None:
    place = ["--state-dir", str(tmp_path), "--spec-dir", str(tmp_path)]
    argv = [str(PROGRAM), "status", "--config", str(tmp_path / "none.toml"), *place]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "none.toml cannot be read" in done.stderr


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_read_for_a_configuration(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "config")
    options = argparse.Namespace(config=str(tmp_path / "config"), spec_dir=None, state_dir=None)
    assert directories(options) == ("/etc/cdi", "/var/lib/cdi-sync")


def test_a_configuration_is_read_as_the_agent_does(tmp_path: Path) -> None:
    options = argparse.Namespace(config=str(tmp_path / "config"), spec_dir=None, state_dir=None)
    (tmp_path / "config").write_bytes(b'\xef\xbb\xbf[agent]\r\nstate_dir = "/state"\r\n')
    assert directories(options) == ("/etc/cdi", "/state")
    (tmp_path / "config").write_bytes(b'[agent]\nstate_dir = "/state"\n#' + b" " * (4 << 20))
    assert directories(options) == ("/etc/cdi", "/var/lib/cdi-sync")
    (tmp_path / "config").write_bytes(b"")
    assert directories(options) == ("/etc/cdi", "/var/lib/cdi-sync")


def test_quiet_says_nothing_but_the_error(place: Place) -> None:
    done = place.run("--quiet")
    assert (done.stdout, done.returncode) == ("", 1)
