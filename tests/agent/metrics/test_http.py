"""HTTP as peers speak it, well and badly, byte by byte over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.metrics import http
from agent.metrics.http import Answer, Site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LARGE = b"x" * 8_000_000


def fail(_accept: str) -> Answer:
    raise ZeroDivisionError


ROUTES = {
    "/small": lambda accept: Answer(f"you take {accept}".encode()),
    "/large": lambda _accept: Answer(LARGE),
    "/ill": lambda _accept: Answer(b"ill", status=HTTPStatus.SERVICE_UNAVAILABLE),
    "/fault": fail,
    "/unsayable": lambda _accept: Answer(b"", "text/\xb2"),
}


def served(scene: Callable[[int], Awaitable[None]]) -> None:
    """Play a scene with the port of a site."""
    observed(lambda port, _site: scene(port))


def observed(scene: Callable[[int, Site], Awaitable[None]]) -> None:
    """Play a scene with the port of a site, and the site."""

    faults: list[dict[str, Any]] = []  # what would end the agent

    async def play() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
        site = Site(ROUTES)
        server = await asyncio.get_running_loop().create_server(site.connection, "127.0.0.1", 0)
        try:
            await scene(server.sockets[0].getsockname()[1], site)
        finally:
            server.close()
            site.stop()
            await asyncio.sleep(0)
        assert not site._connections

    asyncio.run(play())
    assert not faults


async def said(port: int, request: bytes, *, slowly: bool = False) -> bytes:
    """Say this, and return all that is answered until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in (request[at : at + 1] for at in range(len(request))) if slowly else (request,):
        writer.write(part)
        await writer.drain()
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    finally:
        writer.close()


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come so")


def get(path: str, *more: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *more, "", ""]).encode()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/small"), 200),
        (get("/small?x=y"), 200),
        (get("/ill"), 503),
        (get("/fault"), 500),
        (get("/"), 404),
        (get("/small/"), 404),
        (get("/../small"), 404),
        (get("/%00"), 404),
        (get("/small", method="POST"), 405),
        (get("/small", method="BREW"), 405),
        (get("/small", "Content-Length: 3") + b"abc", 413),
        (get("/small", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n", 413),
        (get("/small", "Content-Length: 3", method="HEAD") + b"abc", 413),
        (get("/small", "X: " + "y" * 10_000, method="HEAD"), 431),
        (get("/small", "Content-Length: 3", "Expect: 100-continue"), 413),
        (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
        (get("/small", "Connection: upgrade", "Upgrade: h2c"), 200),
        (get("/small", "Content-Length: 1", "Content-Length: 2"), 400),
        (get("/small", "Content-Length: -1"), 400),
        (get("/small", "no colon"), 400),
        (b"GET /small HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200 + b"\r\n\r\n", 400),
        (b"\r\n" * 3 + b"nonsense\r\n\r\n", 400),
        (get("/small", *(f"X-{number}: {'y' * 100}" for number in range(200))), 431),
        (b"GET /" + b"x" * 100_000, 431),
        (b"GET /small HTTP/1.0\r\n\r\n", 200),
    ],
)  # fmt: skip
def test_every_request_gets_the_status_that_it_should(request_: bytes, status: int) -> None:
    async def scene(port: int) -> None:
        for slowly in (False, True) if len(request_) < 1000 else (False,):
            answer = await said(port, request_, slowly=slowly)
            assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]

    served(scene)


def test_an_answer_is_whole_and_says_how_long_it_is() -> None:
    async def scene(port: int) -> None:
        head, _, body = (await said(port, get("/small", "Accept: a", "Accept: b"))).partition(b"\r\n\r\n")
        assert body == b"you take a,b"
        assert b"Content-Length: 12" in head
        assert b"Content-Type: text/plain; charset=utf-8" in head

    served(scene)


def test_head_is_told_all_but_the_body_and_405_what_is_allowed() -> None:
    async def scene(port: int) -> None:
        head, _, body = (await said(port, get("/large", method="HEAD"))).partition(b"\r\n\r\n")
        assert (f"Content-Length: {len(LARGE)}".encode() in head, body) == (True, b"")
        assert b"Allow: GET, HEAD" in await said(port, get("/large", method="PUT"))

    served(scene)


def test_requests_follow_each_other_on_one_connection_also_when_they_come_at_once() -> None:
    async def scene(port: int) -> None:
        one = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = await said(port, one + one + get("/small"))
        assert answer.count(b"HTTP/1.1 200") == 3
        assert len(answer) > 2 * len(LARGE)

    served(scene)


def test_who_asks_and_goes_leaves_nothing() -> None:
    async def scene(port: int) -> None:
        for request in (b"", b"GET /sm", get("/large"), get("/small")):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            writer.transport.abort()
        assert await said(port, get("/small"))

    served(scene)


@pytest.mark.parametrize(
    ("limit", "request_"),
    [
        ("_REQUEST", b""),
        ("_REQUEST", b"GET /small HT"),
        ("_IDLE", b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("_REQUEST", b"GET /small HTTP/1.1\r\nHost: x\r\n\r\nGET /sm"),
        ("_FAREWELL", b"nonsense\r\n\r\n"),
    ],
)
def test_who_says_nothing_more_is_let_go(monkeypatch: pytest.MonkeyPatch, limit: str, request_: bytes) -> None:
    monkeypatch.setattr(http, limit, 0.1)

    async def scene(port: int, site: Site) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_)
        await until(lambda: len(site._connections) == 1)
        await until(lambda: not site._connections)
        writer.close()

    observed(scene)


def test_who_trickles_a_request_is_let_go_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_REQUEST", 0.3)

    async def scene(port: int, site: Site) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\nGET /small HTTP/1.1\r\nX: ")
        await until(lambda: len(site._connections) == 1)

        def gone_by_the_next_byte() -> bool:
            writer.write(b"y")
            return not site._connections

        await until(gone_by_the_next_byte)
        writer.transport.abort()

    observed(scene)


def test_who_takes_no_answer_is_let_go_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_ANSWER", 0.3)

    async def scene(port: int, site: Site) -> None:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", port))
            deaf.sendall(get("/large") * 3)
            assert b"you take" in await said(port, get("/small"))
            await until(lambda: not site._connections)

    observed(scene)


def test_of_too_many_connections_the_one_silent_for_longest_goes() -> None:
    async def scene(port: int, site: Site) -> None:
        opened = []
        for _ in range(http.CONNECTIONS):
            opened.append(await asyncio.open_connection("127.0.0.1", port))
            await until(lambda: len(site._connections) == len(opened))
        first, second = list(site._connections)[:2]
        reader, writer = opened[0]  # the oldest speaks, and so the second goes
        writer.write(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"you take ")
        assert b"200" in await said(port, get("/small"))
        assert first in site._connections
        assert second not in site._connections
        for _, one in opened:
            one.transport.abort()

    observed(scene)


def test_a_crowd_does_no_harm() -> None:
    async def scene(port: int) -> None:
        crowd = [asyncio.create_task(said(port, get("/small"))) for _ in range(300)]
        done = await asyncio.gather(*crowd, return_exceptions=True)
        assert any(isinstance(one, bytes) and b"you take" in one for one in done)
        assert b"you take" in await said(port, get("/small"))

    served(scene)


def test_a_fault_is_logged_and_told_as_one(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(port: int) -> None:
        assert b"the log of the agent says more" in await said(port, get("/fault"))
        assert b"you take" in await said(port, get("/small"))

    served(scene)
    assert "/fault cannot be told: ZeroDivisionError()" in caplog.text


@pytest.mark.parametrize("path", ["/unsayable", "/small"])
def test_a_fault_in_saying_it_ends_that_connection_alone(
    path: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path == "/small":
        monkeypatch.setattr(h11.Connection, "receive_data", lambda *_: 1 / 0)

    async def scene(port: int, site: Site) -> None:
        assert await said(port, get(path)) == b""
        await until(lambda: not site._connections)

    observed(scene)
    assert "a request for metrics failed: " in caplog.text


def test_an_answer_is_taken_slowly_also_where_it_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_FAREWELL", 0.1)

    async def scene(port: int) -> None:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)
            await asyncio.get_running_loop().sock_connect(slow, ("127.0.0.1", port))
            slow.send(get("/large"))
            await asyncio.sleep(0.5)
            reader, writer = await asyncio.open_connection(sock=slow)
            assert len(await reader.read()) > len(LARGE)
            writer.close()

    served(scene)


def reset(connection: socket.socket) -> None:
    """Leave without a word of farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_who_goes_in_the_moment_in_which_all_is_said_goes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(port: int, site: Site) -> None:
        peer = socket.create_connection(("127.0.0.1", port))
        peer.setblocking(False)
        peer.sendall(get("/large"))
        await until(lambda: any(one._writing for one in site._connections))
        (connection,) = site._connections
        resume = connection.resume_writing

        def reset_and_resume() -> None:
            reset(peer)
            resume()

        monkeypatch.setattr(connection, "resume_writing", reset_and_resume)
        while peer.fileno() != -1:
            with contextlib.suppress(BlockingIOError):
                peer.recv(1 << 20)
            await asyncio.sleep(0)
        await until(lambda: not site._connections)

    observed(scene)


def test_who_asks_much_at_once_and_goes_is_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(port: int, site: Site) -> None:
        for _ in range(20):
            peer = socket.create_connection(("127.0.0.1", port))
            peer.sendall(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n" * 40)
            reset(peer)
        await asyncio.sleep(0.05)
        await until(lambda: not site._connections)

    observed(scene)
    assert not caplog.text


class Wire(asyncio.Transport):
    """A transport to nowhere, whose peer takes large answers only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.connection: asyncio.Protocol | None = None

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: object) -> None:
        assert isinstance(data, bytes)
        if len(data) > len(LARGE) and self.connection:
            self.connection.pause_writing()

    def write_eof(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def abort(self) -> None:
        self.closed = True
        if self.connection:
            self.connection.connection_lost(None)


PIECES = st.sampled_from(
    [
        b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HEAD /small HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        b"HEAD /large HTTP/1.0\r\n\r\n",
        b"POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
        b"GET /small HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /small HTTP/1.1\r\nX: " + b"y" * 9000,
        b"\r\n",
        b"\0",
    ]
)


@given(st.lists(PIECES | st.binary(max_size=20), max_size=6).map(b"".join), st.lists(st.integers(1, 400), max_size=9))
def test_whatever_comes_in_whatever_parts_ends_no_more_than_its_connection(said_: bytes, cuts: list[int]) -> None:
    async def play() -> None:
        site, wire = Site(ROUTES), Wire()
        connection = wire.connection = site.connection()
        connection.connection_made(wire)
        rest = said_
        for size in (*cuts, 1 << 20):
            if rest and not wire.closed:
                connection.data_received(rest[:size])
                rest = rest[size:]
                connection.resume_writing()
        wire.abort()
        assert not site._connections

    asyncio.run(play())
