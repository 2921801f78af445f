"""What the service manager is told of this process, by sd_notify(3) of systemd; where none listens, nothing is.

The protocol is one datagram of assignments to the socket that ``NOTIFY_SOCKET`` names.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_MICROSECONDS = re.compile("[1-9][0-9]{0,19}")
_PATIENCE = 1.0  # seconds for a service manager that is busy; one that hangs must not take us with it
_STATUS_LIMIT = 500  # characters; systemd takes no message above 4096 bytes


class Notifier:
    """Tells the service manager how this process fares. No method raises: no answer is due to any of this."""

    def __init__(self, address: str = "", watchdog: float | None = None) -> None:
        """``address``: the socket's path, or its abstract name behind ``@``; ``watchdog``: see `interval`."""
        self._address = b"\0" + os.fsencode(address[1:]) if address.startswith("@") else os.fsencode(address)
        self._socket = _open() if address.startswith(("/", "@")) else None
        self._watchdog = watchdog
        self._status = ""

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> Self:
        """Take what the service manager left in the environment of this process, so that its children do not."""
        address = environment.pop("NOTIFY_SOCKET", "")
        limit, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        ours = pid in ("", str(os.getpid())) and _MICROSECONDS.fullmatch(limit)
        return cls(address, int(limit) / 1e6 if ours else None)

    @property
    def listens(self) -> bool:
        """Whether there is a service manager to tell."""
        return self._socket is not None

    @property
    def interval(self) -> float | None:
        """Seconds between two calls of `alive`, half of what is allowed; None where nobody waits for them."""
        return self._watchdog / 2 if self._watchdog and self._socket else None

    def ready(self) -> None:
        """Say that the start, or a reload, is complete."""
        self._send("READY=1")

    def status(self, sentence: str) -> None:
        """Give the line that ``systemctl status`` shows; told only when it is another."""
        line = "".join(one if one.isprintable() else " " for one in sentence)[:_STATUS_LIMIT]
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def reloading(self) -> None:
        """Say that the configuration is being read again; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Say to the watchdog that this process does not hang."""
        self._send("WATCHDOG=1")

    def close(self) -> None:
        """Say no more."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket:
            with contextlib.suppress(OSError):
                self._socket.sendto(message.encode("utf-8", "replace"), self._address)


def _open() -> socket.socket | None:
    """Open the one socket of all messages: a process that is short of descriptors lives, and can say so."""
    try:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    except OSError:
        return None
    opened.settimeout(_PATIENCE)
    return opened
