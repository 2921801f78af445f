from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.rpc.client import ANSWER_LIMIT, call
from agent.rpc.messages import Code, RpcError, framed
from tests.agent.rpc.house import ECHO, SECONDS, SETTINGS, House, descriptors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 10.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "k.sock")


@contextlib.contextmanager
def served(path: str, answer: Callable[[bytes, grpc.ServicerContext], bytes]) -> Iterator[grpc.Server]:
    """A server of gRPC's own with one method."""
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads, options=(("grpc.max_send_message_length", -1),))
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Echo": grpc.unary_unary_rpc_method_handler(answer)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", handlers),))
        server.add_insecure_port(f"unix:{path}")
        server.start()
        try:
            yield server
        finally:
            server.stop(None).wait()


@contextlib.contextmanager
def speaking(path: str, speak: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> Iterator[House]:
    """A peer that says what it likes."""
    with House() as house:
        server = house.run(asyncio.start_unix_server(speak, path))
        yield house
        house.do(server.close)
        house.run(asyncio.sleep(0))


def asked(path: str, request: bytes = b"hello", seconds: float = PATIENCE, method: str = ECHO) -> bytes:
    """Call in a loop where no fault of a callback goes unseen."""
    faults: list[dict[str, Any]] = []

    async def called() -> bytes:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        try:
            return await call(path, method, request, seconds)
        finally:
            await asyncio.sleep(0)
            gc.collect()

    try:
        return asyncio.run(called())
    finally:
        assert not faults, faults


def refusal(path: str, **others: Any) -> tuple[int, str]:
    with pytest.raises(RpcError) as refused:
        asked(path, **others)
    return refused.value.code, refused.value.message


@pytest.mark.parametrize("size", [0, 1, 5, 16 * 1024 - 5, 16 * 1024])
def test_a_request_of_up_to_16_kib_is_answered(path: str, size: int) -> None:
    message = os.urandom(size)
    with served(path, lambda request, _: request):
        assert asked(path, message) == message


@pytest.mark.parametrize("size", [65_536, 4_000_000, ANSWER_LIMIT])
def test_a_long_answer_comes_whole(path: str, size: int) -> None:
    with served(path, lambda _request, _: bytes(size)):
        assert asked(path) == bytes(size)


def test_an_answer_over_the_limit_is_an_error(path: str) -> None:
    with served(path, lambda _request, _: bytes(ANSWER_LIMIT + 1)):
        assert refusal(path)[0] == Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("details", ["no", "", "50 % off", "żółć 👾", "two\nlines", "x" * 3000])
def test_a_refusal_says_why(path: str, details: str) -> None:
    def answer(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, details)

    with served(path, answer):
        assert refusal(path) == (3, details[:1000] or "status 3")


def test_a_method_that_is_not_there(path: str) -> None:
    with served(path, lambda request, _: request):
        assert refusal(path, method="/test.Test/Nothing") == (Code.UNIMPLEMENTED, "Method not found!")


def test_an_answer_that_takes_too_long_is_not_waited_for(path: str) -> None:
    over = threading.Event()

    def answer(request: bytes, _: grpc.ServicerContext) -> bytes:
        over.wait(SECONDS)
        return request

    with served(path, answer):
        begin = time.monotonic()
        assert refusal(path, seconds=0.2) == (Code.DEADLINE_EXCEEDED, "no answer within 0 s")
        assert time.monotonic() - begin < PATIENCE / 2
        over.set()


def test_a_slow_answer_is_waited_for(path: str) -> None:
    def answer(request: bytes, _: grpc.ServicerContext) -> bytes:
        time.sleep(0.3)
        return request

    with served(path, answer):
        assert asked(path) == b"hello"


def test_a_server_that_stops_in_the_middle_breaks_the_call_off(path: str) -> None:
    begun, over = threading.Event(), threading.Event()

    def answer(request: bytes, _: grpc.ServicerContext) -> bytes:
        begun.set()
        over.wait(SECONDS)
        return request

    with served(path, answer) as server, ThreadPoolExecutor(1) as threads:
        refused = threads.submit(refusal, path)
        assert begun.wait(SECONDS)
        stopped = server.stop(0.1)  # it says that it goes, and then goes
        assert refused.result(SECONDS)[0] == Code.UNAVAILABLE
        over.set()
        stopped.wait()


def test_where_nobody_is_there(path: str, tmp_path: Path) -> None:
    assert refusal(path) == (Code.UNAVAILABLE, "no such file or directory")
    with served(path, lambda request, _: request):
        os.rename(path, f"{path}.old")
    os.symlink(f"{path}.old", path)
    assert refusal(path)[0] == Code.UNAVAILABLE
    (tmp_path / "file").touch()
    assert refusal(str(tmp_path / "file")) == (Code.UNAVAILABLE, "connection refused")
    assert refusal(f"/{'x' * 200}") == (Code.UNAVAILABLE, "af_unix path too long")


class Saying:
    """A server by hand: HTTP/2's beginning, and then what it is told to say to a call."""

    def __init__(self, *steps: Callable[[H2Connection], object] | bytes) -> None:
        self._steps = steps

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        h2 = H2Connection(H2Configuration(client_side=False, validate_outbound_headers=False, header_encoding=None))
        h2.initiate_connection()
        with contextlib.suppress(ConnectionError):
            asked = False
            while not asked and (data := await reader.read(1 << 16)):
                asked = any(isinstance(event, StreamEnded) for event in h2.receive_data(data))
            for step in self._steps:
                if isinstance(step, bytes):
                    writer.write(step)
                else:
                    step(h2)
                writer.write(h2.data_to_send())
            await writer.drain()
            while await reader.read(1 << 16):
                pass
        writer.close()


def headers(*some: tuple[str, str], status: str = "200", end: bool = False) -> Callable[[H2Connection], object]:
    return lambda h2: h2.send_headers(
        1, [(":status", status), ("content-type", "application/grpc"), *some], end_stream=end
    )


def trailers(*some: tuple[str, str]) -> Callable[[H2Connection], object]:
    return lambda h2: h2.send_headers(1, some, end_stream=True)


def data(some: bytes) -> Callable[[H2Connection], object]:
    return lambda h2: h2.send_data(1, some)


DONE = trailers(("grpc-status", "0"))
BROKEN_OFF = (Code.UNAVAILABLE, "the call was broken off")
NOT_ONE = (Code.INTERNAL, "the answer is not one message")
WORDS: dict[str, tuple[tuple[Callable[[H2Connection], object] | bytes, ...], tuple[int, str]]] = {
    "no message": ((headers(), DONE), NOT_ONE),
    "two messages": ((headers(), data(framed(b"a") + framed(b"b")), DONE), NOT_ONE),
    "two messages and no end": ((headers(), data(framed(b"a") + framed(b"b"))), NOT_ONE),
    "half a message": ((headers(), data(framed(b"abc")[:-1]), DONE), NOT_ONE),
    "a message and a half": ((headers(), data(framed(b"a") + b"\0"), DONE), NOT_ONE),
    "no status": ((headers(), data(framed(b"a")), trailers(("x", "y"))), (Code.UNKNOWN, "status 2")),
    "an empty status": ((headers(("grpc-status", ""), end=True),), (Code.UNKNOWN, "status 2")),
    "a status that is no number": ((headers(("grpc-status", "none"), end=True),), (Code.UNKNOWN, "status 2")),
    "a negative status": ((headers(("grpc-status", "-1"), end=True),), (Code.UNKNOWN, "status 2")),
    "a status that is too long": ((headers(("grpc-status", "9" * 5000), end=True),), (Code.UNKNOWN, "status 2")),
    "a status of tomorrow": ((headers(("grpc-status", "77"), end=True),), (77, "status 77")),
    "an answer of HTTP": ((headers(status="404", end=True),), (Code.UNKNOWN, "status 2")),
    "a compressed message": ((headers(), data(b"\1\0\0\0\1x"), DONE),
                             (Code.UNIMPLEMENTED, "the message is compressed; send it as it is")),
    "a reset": ((headers(), lambda h2: h2.reset_stream(1)), BROKEN_OFF),
    "a leaving": ((lambda h2: h2.close_connection(),), BROKEN_OFF),
    "more after a leaving": ((lambda h2: h2.close_connection(), SETTINGS * 3), BROKEN_OFF),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "expected"), WORDS.values(), ids=WORDS)
def test_an_odd_answer_is_an_error(path: str, steps: Any, expected: tuple[int, str]) -> None:
    with speaking(path, Saying(*steps)):
        assert refusal(path) == expected


def test_messages_without_an_end_are_not_collected(path: str) -> None:
    def flood(h2: H2Connection) -> None:
        for _ in range(3):
            h2.send_data(1, framed(bytes(10_000)))

    with speaking(path, Saying(headers(), flood)):
        assert refusal(path) == NOT_ONE


def test_an_answer_in_pieces_with_other_frames_between(path: str) -> None:
    steps = (headers(), lambda h2: h2.ping(b"12345678"), data(b"\0\0"), lambda h2: h2.update_settings({}),
             data(b"\0\0\2o"), data(b"k"), DONE)  # fmt: skip
    with speaking(path, Saying(*steps)):
        assert asked(path) == b"ok"


def garbage(word: bytes, *, close: bool) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(word)
            await writer.drain()
            while not close and await reader.read(1 << 16):
                pass
        writer.close()

    return speak


@pytest.mark.parametrize(
    "word",
    [b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", b"SSH-2.0-x\r\n", SETTINGS + b"\xff" * 40,
     SETTINGS + b"\0\0\4\1\5\0\0\0\1\xff\xff\xff\xff", b"\0\0\5\4\0\0\0\0\0abcde"],
)  # fmt: skip
@pytest.mark.parametrize("close", [True, False])
def test_a_server_that_is_no_grpc_is_an_error(path: str, word: bytes, close: bool) -> None:
    with speaking(path, garbage(word, close=close)):
        code, message = refusal(path, seconds=1.0)
        assert code in (Code.INTERNAL, Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)
        assert message


@pytest.mark.parametrize("word", [b"", b"\0", SETTINGS])
def test_a_server_that_hangs_up_breaks_the_call_off(path: str, word: bytes) -> None:
    with speaking(path, garbage(word, close=True)):
        assert refusal(path)[0] == Code.UNAVAILABLE


def test_a_server_that_says_nothing_is_not_waited_for(path: str) -> None:
    with speaking(path, garbage(b"", close=False)):
        assert refusal(path, seconds=0.2)[0] == Code.DEADLINE_EXCEEDED


def test_any_bytes_are_an_answer_or_an_error(path: str) -> None:
    words: list[bytes] = []

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words[-1])
        writer.close()

    with speaking(path, speak) as house:

        @settings(max_examples=200, deadline=None)
        @given(word=st.binary(max_size=60), begin=st.booleans(), kind=st.integers(0, 10), flags=st.integers(0, 255))
        def fuzz(word: bytes, begin: bool, kind: int, flags: int) -> None:
            frame = len(word).to_bytes(3, "big") + bytes((kind, flags)) + b"\0\0\0\1" + word
            words.append(SETTINGS + frame if begin else word)
            with contextlib.suppress(RpcError):
                house.run(call(path, ECHO, b"", PATIENCE))

        fuzz()
        house.do(gc.collect)


@pytest.mark.parametrize("turns", range(6))
def test_a_call_that_is_cancelled_at_any_moment_ends_in_silence(path: str, turns: int) -> None:
    faults: list[dict[str, Any]] = []

    async def cancelled() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: faults.append(context))
        task = loop.create_task(call(path, ECHO, b"", PATIENCE))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
        for _ in range(3):
            await asyncio.sleep(0)
        gc.collect()

    with speaking(path, garbage(b"", close=False)):
        asyncio.run(cancelled())
    assert not faults, faults


class Mark:
    pass


def test_a_failed_call_keeps_nothing_of_its_caller_and_no_descriptor(path: str) -> None:
    marks: list[weakref.ref[Mark]] = []

    async def one() -> None:
        mark = Mark()
        marks.append(weakref.ref(mark))
        with contextlib.suppress(RpcError):
            await call(path, ECHO, b"", PATIENCE)

    async def many() -> None:
        for _ in range(50):
            await one()
        await asyncio.sleep(0)

    with speaking(path, garbage(b"", close=True)):
        before = descriptors()
        asyncio.run(many())
        gc.collect()
        assert not [mark for mark in marks if mark() is not None]
        assert descriptors() <= before
