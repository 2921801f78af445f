"""What the agent says to its service manager and to the journal, heard by a stand-in for both."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.agent.running import Agent, spec_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# Declared, since what discovery makes of a node depends on whether this machine's udevd is at work.
CLASS = """[[class]]
kind = "acme.com/{0}"
[[class.device]]
name = "{0}"
containerEdits.deviceNodes = [{{ path = "/dev/{0}" }}]
"""


class Heard:
    """Messages to the service manager, in order, and how far they have been read."""

    def __init__(self, listening: socket.socket) -> None:
        self._socket = listening

    def next(self) -> str:
        return self._socket.recv(65536).decode()

    def until(self, beginning: str) -> list[str]:
        """All messages up to the next one that begins so."""
        messages = [self.next()]
        while not messages[-1].startswith(beginning):
            messages.append(self.next())
        return messages

    def drain(self) -> None:
        """Forget what was on its way a moment ago."""
        time.sleep(0.2)
        while self.silent_for(0.0) is False:
            pass

    def silent_for(self, seconds: float) -> bool:
        """Whether nothing is said within so many seconds."""
        return not select.select([self._socket], [], [], seconds)[0] or not self.next()


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    directory = tmp_path / "etc"
    directory.mkdir(mode=0o700)
    (directory / "config.toml").write_text(CLASS.format("null"))
    return directory


@contextmanager
def service(tmp_path: Path, *environment: str) -> Iterator[tuple[Agent, Heard]]:
    """The agent, started as systemd would."""
    address = str(tmp_path / "notify")
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        listening.settimeout(20)
        listening.bind(address)
        under: Sequence[str] = ["env", f"NOTIFY_SOCKET={address}", *environment]
        agent = Agent(tmp_path / "etc" / "config.toml", tmp_path / "cdi", tmp_path / "log", under)
        yield stack.enter_context(agent), Heard(listening)


def test_it_is_ready_when_the_specs_are_there(etc: Path, tmp_path: Path) -> None:
    with service(tmp_path) as (agent, heard):
        assert heard.until("READY=1") == ["STATUS=1 device of 1 kind: 1 spec written", "READY=1"]
        assert spec_file(agent.spec_dir, "acme.com/null").exists()
        assert agent.end() == 0
        assert heard.next() == "STOPPING=1"


def test_it_is_ready_and_says_why_when_the_first_pass_fails(etc: Path, tmp_path: Path) -> None:
    (tmp_path / "cdi").mkdir()
    blocking = spec_file(tmp_path / "cdi", "acme.com/null")
    (blocking / "in the way").mkdir(parents=True)
    with service(tmp_path) as (_agent, heard):
        assert str(blocking) in heard.next()
        assert heard.next() == "READY=1"


def test_a_hang_up_is_a_reload(etc: Path, tmp_path: Path) -> None:
    with service(tmp_path) as (agent, heard):
        heard.until("READY=1")
        (etc / "config.toml").write_text(CLASS.format("zero"))
        agent.process.send_signal(signal.SIGHUP)
        assert heard.until("READY=1")[0].startswith("RELOADING=1\nMONOTONIC_USEC=")
        agent.wait_devices("acme.com/zero", {"zero"})


def test_a_hang_up_without_a_change_ends_as_ready_too(etc: Path, tmp_path: Path) -> None:
    with service(tmp_path) as (agent, heard):
        heard.until("READY=1")
        agent.process.send_signal(signal.SIGHUP)
        assert heard.next().startswith("RELOADING=1\n")
        heard.until("READY=1")


def test_a_changed_file_is_a_reload_and_a_broken_one_shows_in_the_status(etc: Path, tmp_path: Path) -> None:
    with service(tmp_path) as (_agent, heard):
        heard.until("READY=1")
        (etc / "config.toml").write_text("[[clas]]\n")
        assert heard.next().startswith("RELOADING=1\n")
        told = heard.until("READY=1")
        assert told[-2].startswith("STATUS=the configuration is refused: ")
        assert "did you mean 'class'?; 1 device of 1 kind: " in told[-2]
        (etc / "config.toml").write_text(CLASS.format("null"))
        assert heard.until("STATUS=1 device of 1 kind")


def test_the_watchdog_is_fed_twice_in_each_of_its_intervals(etc: Path, tmp_path: Path) -> None:
    with service(tmp_path, "WATCHDOG_USEC=400000") as (agent, heard):
        heard.until("READY=1")
        start = time.monotonic()
        for _ in range(10):
            heard.until("WATCHDOG=1")
        assert time.monotonic() - start > 1.5  # ten halves are 2 s
        os.kill(agent.process.pid, signal.SIGSTOP)
        heard.drain()
        assert heard.silent_for(1.0)


def test_without_a_watchdog_there_is_no_feeding(etc: Path, tmp_path: Path) -> None:
    with service(tmp_path) as (agent, heard):
        heard.until("READY=1")
        agent.end()
        assert "WATCHDOG=1" not in heard.until("STOPPING=1")


# What the log of a pass, of a refused configuration and of JSON look like, and on the journal.
REFUSED = "error: the configuration is refused; the last good one stays in force"


def log_of_a_refusal(etc: Path, tmp_path: Path, stream: str) -> list[str]:
    """The lines of an agent that does one pass and meets a broken configuration."""
    with service(tmp_path, f"JOURNAL_STREAM={stream}") as (agent, heard):
        heard.until("READY=1")
        (etc / "config.toml").write_text("[[clas]]\n")
        agent.wait_log(REFUSED.partition(" ")[2])
        return agent.log.splitlines()


def stream_of(log: Path) -> str:
    log.touch()
    return f"{log.stat().st_dev}:{log.stat().st_ino}"


def test_on_the_journal_each_line_has_its_priority(etc: Path, tmp_path: Path) -> None:
    lines = log_of_a_refusal(etc, tmp_path, stream_of(tmp_path / "log"))
    assert lines[0].startswith("<6>wrote ")
    assert lines[-1] == f"<3>{REFUSED}"


def test_where_the_journal_is_somewhere_else_there_are_no_priorities(etc: Path, tmp_path: Path) -> None:
    lines = log_of_a_refusal(etc, tmp_path, stream_of(tmp_path / "other"))
    assert lines[0].startswith("wrote ")
    assert lines[-1] == REFUSED


def test_json_has_the_priorities_before_it(etc: Path, tmp_path: Path) -> None:
    (etc / "config.toml").write_text('[agent]\nlog = "json"\n' + CLASS.format("null"))
    first, *_, last = log_of_a_refusal(etc, tmp_path, stream_of(tmp_path / "log"))
    assert first.startswith("<6>{")
    assert last.startswith("<3>{")
    assert json.loads(last[3:])["message"] == REFUSED.removeprefix("error: ")
