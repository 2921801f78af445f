from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
from typing import TYPE_CHECKING, Any

from agent import listener as module
from agent import sockets
from agent.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    import pytest


class Greeting(asyncio.Protocol):
    """Says a word, and leaves."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"hello")
        transport.close()


def listening(place: Path, scene: Callable[[Listener], Awaitable[None]]) -> None:
    """Play a scene beside a listener at ``place / "s"``; nothing may go wrong in the loop."""
    faults: list[dict[str, Any]] = []

    async def play() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
        listener = Listener(sockets.listening(str(place / "s"), 100), Greeting, "here")
        try:
            await scene(listener)
        finally:
            listener.close()
            await asyncio.sleep(0.01)

    asyncio.run(play())
    assert not faults


def caller(place: Path) -> socket.socket:
    """Return a connection that the kernel has taken for the listener."""
    made = socket.socket(socket.AF_UNIX)
    made.setblocking(False)
    made.connect(str(place / "s"))
    return made


async def word(connection: socket.socket) -> bytes:
    """Return all that is said there until the end."""
    loop = asyncio.get_running_loop()
    said = b""
    async with asyncio.timeout(20):
        with connection, contextlib.suppress(ConnectionResetError):
            while part := await loop.sock_recv(connection, 100):
                said += part
    return said


@contextlib.contextmanager
def no_descriptor() -> Iterator[None]:
    """Let this process open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_each_connection_gets_a_protocol_of_its_own(place: Path) -> None:
    async def scene(_listener: Listener) -> None:
        assert await asyncio.gather(*(word(caller(place)) for _ in range(100))) == [b"hello"] * 100

    listening(place, scene)


def test_connections_wait_while_no_descriptor_is_free_which_is_said_once(
    place: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.05)

    async def scene(_listener: Listener) -> None:
        for times in (1, 2):
            connections = [caller(place) for _ in range(5)]
            with no_descriptor():
                await asyncio.sleep(0.3)
            assert await asyncio.gather(*map(word, connections)) == [b"hello"] * 5
            assert caplog.text.count("here: a connection waits: too many open files; raise") == times

    listening(place, scene)


def test_one_that_is_closed_while_connections_wait_is_gone_for_good(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.05)

    async def scene(listener: Listener) -> None:
        connection = caller(place)
        with no_descriptor():
            await asyncio.sleep(0.02)
            listener.close()
        await asyncio.sleep(0.1)
        assert await word(connection) == b""

    listening(place, scene)


def test_one_that_is_closed_takes_nobody_and_leaves_no_descriptor(place: Path) -> None:
    async def scene(listener: Listener) -> None:
        connections = [caller(place) for _ in range(5)]
        before = len(os.listdir("/proc/self/fd"))
        listener._accept()
        listener.close()
        listener.close()
        assert await asyncio.gather(*map(word, connections)) == [b""] * 5
        assert len(os.listdir("/proc/self/fd")) == before - 6

    listening(place, scene)
