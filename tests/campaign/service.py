"""The real agent as a service: started again when it ends, as systemd would, and measured."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.agent.running import Agent, heeds_signals

if TYPE_CHECKING:
    from tests.campaign.site import Site

_AGAIN = 0.1  # seconds until systemd starts a service again
_STOP_LIMIT = 20.0  # seconds
_WATCHDOG = 20.0  # seconds without a word, after which systemd takes a service for hung
HUNG = -signal.SIGABRT


@dataclass(frozen=True, slots=True)
class Size:
    """What a process holds: resident KiB, open descriptors, threads."""

    resident: int
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Death:
    """An end that nobody asked for: the exit code, and the last words."""

    code: int
    words: str


class Service:
    """Keeps one agent running; counts how it ended."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.kills = 0
        self.starts = 0
        self.deaths: list[Death] = []
        self.under: tuple[str | Path, ...] = ()
        self.wanted = True
        self._agent: Agent | None = None
        self._due = 0.0
        self._read = 0
        self._heard: float | None = None
        self._listened = 0.0
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._notify.bind(str(site.notify))
        site.log.touch()

    @property
    def pid(self) -> int:
        """The process, 0 where there is none."""
        return self._agent.process.pid if self._agent and self._agent.process.poll() is None else 0

    @property
    def listens(self) -> bool:
        """Whether it lives and heeds signals."""
        return heeds_signals(self.pid)

    def start(self) -> None:
        """Start it, with ``under`` before its command line."""
        notify = ("env", f"NOTIFY_SOCKET={self.site.notify}", f"WATCHDOG_USEC={_WATCHDOG * 1e6:.0f}")
        command = [str(word) for word in (*notify, *self.under)]
        self._agent = Agent(self.site.config, self.site.spec_dir, self.site.log, command)
        self._agent.start()
        self._heard = None
        self.starts += 1
        self.wanted = True

    def kill(self) -> None:
        """Kill it without warning; counts only where it lived until then."""
        if self._agent is None:
            return
        self._agent.process.kill()
        self.kills += self._agent.process.wait() == -signal.SIGKILL
        self._agent = None

    def stop(self) -> str:
        """Ask it to end; returns what was wrong if it did not, and keeps another end than that in ``deaths``."""
        if self._agent is None:
            return ""
        process, self._agent = self._agent.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return "did not end when it was asked to"
        if code not in (0, -signal.SIGTERM):  # before it listens, the signal's own effect ends it
            self.deaths.append(Death(code, self.news()[-2000:]))
        return ""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def tend(self) -> None:
        """Start it again if it ended by itself, or hangs; how it ended is kept in ``deaths``."""
        self._listen()
        if self._heard and time.monotonic() - self._heard > _WATCHDOG:
            self.signal(signal.SIGABRT)
        if self._agent is not None and (code := self._agent.process.poll()) is not None:
            self._agent = None
            self._due = time.monotonic() + _AGAIN
            self.deaths.append(Death(code, self.news()[-2000:]))
        if self._agent is None and self.wanted and time.monotonic() >= self._due:
            self.start()

    def _listen(self) -> None:
        """Take what it tells systemd: that it is alive. What it said while nobody took it may be lost."""
        now = time.monotonic()
        if self._heard and now - self._listened > 1:
            self._heard = now
        self._listened = now
        with suppress(BlockingIOError):
            while True:
                if b"WATCHDOG=1" in self._notify.recv(4096):
                    self._heard = now

    def news(self) -> str:
        """Return what the log has got since it was last asked."""
        with self.site.log.open(errors="replace") as file:
            file.seek(self._read)
            text = file.read()
            self._read = file.tell()
        return text

    def size(self) -> Size:
        """Measure the process."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        rows = dict(line.split(":", 1) for line in status.splitlines())
        resident, threads = (int(rows[key].split()[0]) for key in ("VmRSS", "Threads"))
        return Size(resident, len(os.listdir(f"/proc/{self.pid}/fd")), threads)
