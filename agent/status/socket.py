"""Where a running agent is asked for its state: a socket that answers a connection with one document, and closes it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import socket
import stat
from typing import TYPE_CHECKING, cast

from agent import sockets
from agent.listener import Listener
from agent.status.asking import NAME, through
from cdi.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.status.state import Document

_log = logging.getLogger("cdi-sync")
_CONNECTIONS = 8  # whoever opens more loses the oldest
_PATIENCE = 10.0  # seconds in which an answer is to be taken


class Socket:
    """Answers at `agent.status.asking.NAME` in a state directory. To be used in the event loop's thread."""

    def __init__(self, answer: Callable[[], Document]) -> None:
        """``answer`` makes the document."""
        self._answer = answer
        self._asked: dict[_Asked, None] = {}
        self._directory: str | None = None
        self._identity: tuple[int, int] | None = None
        self._listener: Listener | None = None
        self._told: str | None = None

    def look(self, directory: str) -> None:
        """Answer in this directory from now on, if that is not so already; where it cannot be, the log says why once.

        What is in the socket's place goes, unless somebody answers there.
        """
        if directory == self._directory and self._there():
            return
        self.stop()
        try:
            os.makedirs(directory, mode=0o755, exist_ok=True)
            with through(directory) as path:
                listening = _bound(path)
                status = os.lstat(path)
            self._listener = Listener(listening, lambda: _Asked(self), os.path.join(directory, NAME))
            self._identity = status.st_dev, status.st_ino
            self._directory = directory
        except OSError as error:
            self._tell(_problem(os.path.join(directory, NAME), error))
        else:
            self._told = None

    def stop(self) -> None:
        """Answer no more; the socket is removed if it is still ours."""
        if self._directory is not None and self._there():
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self._directory, NAME))
        if self._listener:
            self._listener.close()
        for asked in tuple(self._asked):
            asked.abort()
        self._listener = self._directory = self._identity = None

    def document(self) -> Document:
        """Return the answer of this moment."""
        return self._answer()

    def entered(self, asked: _Asked) -> None:
        """Take note of a connection; of too many the oldest goes."""
        if len(self._asked) >= _CONNECTIONS:
            next(iter(self._asked)).abort()
        self._asked[asked] = None

    def left(self, asked: _Asked) -> None:
        """Forget a connection."""
        self._asked.pop(asked, None)

    def _there(self) -> bool:
        try:
            status = os.lstat(os.path.join(self._directory or "", NAME))
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def _tell(self, problem: Problem) -> None:
        if str(problem) != self._told:
            self._told = str(problem)
            _log.warning("%s", problem)


class _Asked(asyncio.Protocol):
    """One who asks; what he says is not listened to, and he has some seconds to take the answer."""

    def __init__(self, at: Socket) -> None:
        self._at = at
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = self._transport = cast("asyncio.Transport", transport)
        self._end = asyncio.get_running_loop().call_later(_PATIENCE, self.abort)
        self._at.entered(self)
        try:
            transport.write(json.dumps(self._at.document()).encode())
        except Exception as error:  # noqa: BLE001 - a fault in telling must not end what there is to tell of
            _log.error("the status cannot be told: %r; please report it", error)
        transport.close()  # when all is written

    def connection_lost(self, _error: Exception | None) -> None:
        if self._end:
            self._end.cancel()
        self._at.left(self)

    def abort(self) -> None:
        """End it, answered or not."""
        self._at.left(self)
        if self._transport:
            self._transport.abort()


def _bound(path: str) -> socket.socket:
    """Return a listening socket at ``path``, mode 0600 from the first moment. Raises `OSError`."""
    _make_room(path)
    return sockets.listening(path, _CONNECTIONS)


def _make_room(path: str) -> None:
    """Remove a socket that nobody listens at. Raises `OSError`: somebody does, or it is something else."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except BlockingIOError:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from None
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _problem(path: str, error: OSError) -> Problem:
    if error.errno == errno.EADDRINUSE:
        return Problem(path, "is answered at by another agent", "give each agent a state_dir of its own; "
                       "cdi-sync status does not see this one")  # fmt: skip
    reason = (error.strerror or str(error)).lower()
    hint = "see to the state directory, or name another one with state_dir; cdi-sync status does not see this agent"
    return Problem(path, f"cannot be made: {reason}", hint)
