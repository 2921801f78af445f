"""Connections at a listening socket, accepted in the event loop."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from agent.room import lack

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_log = logging.getLogger("cdi-sync")
_AT_ONCE = 100  # connections accepted before others of the loop get their turn
_PAUSE = 1.0  # seconds until a connection that could not be accepted is tried again
_QUIET = 60.0  # seconds without such a connection, after which the next one is told of again


class Listener:
    """Accepts connections until `close`.

    asyncio's own server, short of descriptors, says so a hundred times a second, and its next try breaks the loop's
    peace when the server was closed meanwhile.
    """

    def __init__(self, listening: socket.socket, protocol: Callable[[], asyncio.BaseProtocol], place: str) -> None:
        """Begin.

        Args:
            listening: the socket, not blocking; it is closed with the listener.
            protocol: makes the protocol of a connection.
            place: what the log calls the socket.

        Raises:
            OSError: the loop cannot wait for the socket, which is closed then.
        """
        self._loop = asyncio.get_running_loop()
        self._socket = listening
        self._protocol = protocol
        self._place = place
        self._again: asyncio.TimerHandle | None = None
        self._connecting: set[asyncio.Task[None]] = set()
        self._short = float("-inf")  # when a connection last could not be accepted
        try:
            self._loop.add_reader(listening, self._accept)
        except BaseException:
            listening.close()
            raise

    def close(self) -> None:
        """Accept no more. Connections stay."""
        if self._again:
            self._again.cancel()
        if not self._closed():
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _closed(self) -> bool:
        return self._socket.fileno() == -1

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                peer, _address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except (OSError, MemoryError) as error:  # the socket would be ready for ever: no descriptor is free
                self._pause(error)
                return
            peer.setblocking(False)
            task = self._loop.create_task(self._connect(peer), name=f"connection at {self._place}")
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, peer: socket.socket) -> None:
        try:
            if self._closed():
                peer.close()
                return
            transport, _protocol = await self._loop.connect_accepted_socket(self._protocol, peer)
        except (OSError, MemoryError):
            peer.close()
            return
        if self._closed():  # meanwhile: whoever did so knew nothing yet of this connection
            transport.abort()

    def _pause(self, error: OSError | MemoryError) -> None:
        now = self._loop.time()
        if now - self._short > _QUIET:
            _log.warning("%s: a connection waits: %s; raise the limits of this process", self._place, lack(error))
        self._short = now
        self._again = self._loop.call_later(_PAUSE, self._resume)
        self._loop.remove_reader(self._socket)  # last: were there no memory for the timer, nobody would listen again

    def _resume(self) -> None:
        self._again = None
        try:
            self._loop.add_reader(self._socket, self._accept)
        except (OSError, MemoryError) as error:
            self._pause(error)
