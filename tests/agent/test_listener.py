from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from agent import listener as module
from agent import sockets
from agent.listener import Listener
from tests.shortage import few_descriptors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


class Greeting(asyncio.Protocol):
    """Says a word, and leaves."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"hello")
        transport.close()


class Echo(asyncio.Protocol):
    """Repeats what it hears."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


def listening(
    place: Path, scene: Callable[[Listener], Awaitable[None]], protocol: type[asyncio.Protocol] = Greeting
) -> None:
    """Play a scene beside a listener at ``place / "s"``; nothing may go wrong in the loop."""
    faults: list[dict[str, Any]] = []

    async def play() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
        listener = Listener(sockets.listening(str(place / "s"), 100), protocol, "here")
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


def test_each_connection_gets_a_protocol_of_its_own(place: Path) -> None:
    async def scene(_listener: Listener) -> None:
        assert await asyncio.gather(*(word(caller(place)) for _ in range(100))) == [b"hello"] * 100

    listening(place, scene)


def test_connections_wait_while_no_descriptor_is_free(
    place: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.05)

    async def scene(_listener: Listener) -> None:
        connections = [caller(place) for _ in range(5)]
        with few_descriptors():
            await asyncio.sleep(0.3)
        assert await asyncio.gather(*map(word, connections)) == [b"hello"] * 5

    listening(place, scene)
    assert "here: a connection waits: too many open files; raise" in caplog.text


@pytest.mark.parametrize(("quiet", "told"), [(60.0, 1), (0.0, 3)])
def test_of_descriptors_that_are_free_now_and_again_is_told_once(
    place: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, quiet: float, told: int
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.05)
    monkeypatch.setattr(module, "_QUIET", quiet)

    async def scene(listener: Listener) -> None:
        for _ in range(3):
            connection = caller(place)
            with few_descriptors():
                listener._accept()
            assert await word(connection) == b"hello"

    listening(place, scene)
    assert caplog.text.count("a connection waits") == told


def test_one_that_is_closed_while_connections_wait_is_gone_for_good(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.05)

    async def scene(listener: Listener) -> None:
        connection = caller(place)
        with few_descriptors():
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


@pytest.mark.parametrize("turns", range(3))  # until it has entered
def test_one_that_is_closed_while_somebody_enters_hears_nothing_of_him(place: Path, turns: int) -> None:
    async def scene(listener: Listener) -> None:
        connection = caller(place)
        connection.send(b"are you there?")
        listener._accept()
        for _ in range(turns):
            await asyncio.sleep(0)
        listener.close()
        assert await word(connection) == b""

    listening(place, scene, Echo)


def test_a_loop_that_cannot_wait_just_now_is_asked_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.05)

    async def scene(_listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        connection = caller(place)
        add_reader, refused = loop.add_reader, [OSError(errno.ENOSPC, "No space left on device"), MemoryError()]

        def add_reader_later(*arguments: Any) -> None:
            if refused:
                raise refused.pop()
            add_reader(*arguments)

        with few_descriptors():
            await asyncio.sleep(0.02)
        with monkeypatch.context() as patch:
            patch.setattr(loop, "add_reader", add_reader_later)
            await asyncio.sleep(0.3)
        assert await word(connection) == b"hello"

    listening(place, scene)


def test_one_that_cannot_begin_leaves_no_descriptor(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(_listener: Listener) -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", refuse)
        made = sockets.listening(str(place / "other"), 1)
        with pytest.raises(OSError, match="No space left"):
            Listener(made, Greeting, "there")
        assert made.fileno() == -1

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    listening(place, scene)
