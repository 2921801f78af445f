"""What targets that serve share: a directory, an event loop, and an ear."""

from __future__ import annotations

import asyncio
import atexit
import functools
import logging
import shutil
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable


@functools.cache
def directory() -> str:
    """Return a directory that is gone with this process."""
    made = tempfile.mkdtemp(prefix="cdi-sync-fuzz-")
    atexit.register(shutil.rmtree, made)
    return made


class Room:
    """An event loop in which nothing may go wrong unseen."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(self._broken)
        atexit.register(self.loop.close)
        self._fault: BaseException | None = None

    def _broken(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._fault = context.get("exception") or RuntimeError(context["message"])

    def do(self, work: Callable[[], None]) -> None:
        async def called() -> None:
            work()

        self.run(called())

    def run(self, awaitable: Awaitable[Any]) -> Any:
        self._fault = None
        answer = self.loop.run_until_complete(awaitable)
        if self._fault:
            raise self._fault
        return answer


class Complaints(logging.Handler):
    """Hears what the agent says of its own faults; it is told of nothing else."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._said = ""
        log = logging.getLogger("cdi-sync")
        log.addHandler(self)
        log.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        if "please report" in record.getMessage():
            self._said = record.getMessage()

    def none(self) -> None:
        """Fail if there was one since the last time."""
        said, self._said = self._said, ""
        assert not said, said


async def heard(peer: socket.socket) -> bytes:
    """Give the server some turns, and return what it said."""
    said = b""
    for _ in range(8):
        await asyncio.sleep(0)
        try:
            said += peer.recv(1 << 20)
        except (BlockingIOError, ConnectionResetError):
            continue
    return said
