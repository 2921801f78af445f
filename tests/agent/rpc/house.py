"""A server in an event loop of its own thread, in which nothing may go wrong unseen; and peers of every kind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar

import grpc
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.settings import SettingCodes

from agent.rpc.messages import Unframer, percent_decoded
from agent.rpc.server import Call, Server, Streaming, Unary

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import TracebackType

Answer = TypeVar("Answer")
ECHO, HOLD, FAULT = "/test.Test/Echo", "/test.Test/Hold", "/test.Test/Fault"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
SECONDS = 20.0  # that anything here may take, on a machine that is busy with other things


class House:
    """A context with a thread whose loop breaks no rule: at its end no fault of a callback, and no word in the log."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(self._broken)
        self.faults: list[dict[str, Any]] = []
        self.log = _Log()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        for name in ("cdi-sync", "asyncio"):
            logging.getLogger(name).addHandler(self.log)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(SECONDS)
        self.loop.close()
        for name in ("cdi-sync", "asyncio"):
            logging.getLogger(name).removeHandler(self.log)
        if kind is None:
            assert not self.faults, self.faults
            assert not self.log.said, self.log.said

    def _broken(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.faults.append(context)

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Have the loop do it, and wait."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(SECONDS)

    def do(self, work: Callable[[], Answer]) -> Answer:
        """Have the loop call it, and wait."""

        async def called() -> Answer:
            return work()

        return self.run(called())

    def await_(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, in the loop's eyes."""
        end = time.monotonic() + SECONDS
        while not self.do(condition):
            assert time.monotonic() < end, "it never came"
            time.sleep(0.002)


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


class Serving(House):
    """A house in which a server has a method that echoes, one that streams, and one that has a fault."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.held: list[Call] = []
        self.ends = 0
        self.server = Server(
            path,
            {ECHO: Unary(lambda request: request), HOLD: Streaming(self._hold), FAULT: Unary(self._fault)},
        )

    def __enter__(self) -> Self:
        super().__enter__()
        self.do(self.server.start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.do(self.server.stop)
        self.do(lambda: None)  # the turn in which connections learn that they are lost
        super().__exit__(kind, error, trace)

    def _hold(self, call: Call, request: bytes) -> None:
        def ended() -> None:
            self.held.remove(call)
            self.ends += 1

        call.ended = ended
        self.held.append(call)
        call.send(request)

    @staticmethod
    def _fault(_request: bytes) -> bytes:
        raise ZeroDivisionError

    def send(self, message: bytes) -> None:
        """Send to every stream."""

        def sent() -> None:
            for call in self.held:
                call.send(message)

        self.do(sent)

    @property
    def connections(self) -> int:
        return len(self.server._connections)

    def await_connections(self, number: int) -> None:
        self.await_(lambda: self.connections == number)

    def await_held(self, number: int) -> None:
        self.await_(lambda: len(self.held) == number)


@contextlib.contextmanager
def channel(path: str, *options: tuple[str, Any], **others: Any) -> Iterator[Any]:
    """A connection of gRPC's own; its types would say that no request can be sent without a serializer."""
    every = (("grpc.use_local_subchannel_pool", 1), ("grpc.default_authority", "localhost"), *options)
    with grpc.insecure_channel(f"unix:{path}", options=every, **others) as one:
        yield one


def echo(path: str, message: bytes = b"hello") -> bytes:
    """What gRPC's own client hears of the method that echoes, on a new connection."""
    with channel(path) as one:
        answer: bytes = one.unary_unary(ECHO)(message, timeout=SECONDS)
        return answer


class Peer:
    """A client that speaks HTTP/2 by hand, and so can break its rules."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(SECONDS)
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None, validate_outbound_headers=False))
        self.status: dict[int, int] = {}
        self.words: dict[int, str] = {}
        self.messages: dict[int, list[bytes]] = {}
        self.over: set[int] = set()
        self.closed = False
        self._unframers: dict[int, Unframer] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def greet(self, window: int = 65_535) -> Self:
        """Begin, and let the server send so many bytes before it waits."""
        self.h2.initiate_connection()
        if window > 65_535:
            self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
            self.h2.increment_flow_control_window(window - 65_535)
        return self.flush()

    def flush(self) -> Self:
        self.say(self.h2.data_to_send())
        return self

    def say(self, data: bytes) -> None:
        """Send bytes; that the server hangs up meanwhile is an answer, too."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True

    def begin(self, method: str, *, content_type: str = "application/grpc", end: bool = False) -> int:
        """Open a call; returns its stream."""
        number = self.h2.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":path", method), (":authority", "localhost"),
                   ("te", "trailers"), ("content-type", content_type)]  # fmt: skip
        self.h2.send_headers(number, headers, end_stream=end)
        return number

    def call(self, method: str, data: bytes, **others: Any) -> int:
        """Call with these bytes as the request; what comes of it is in `status`, `words` and `messages`."""
        number = self.begin(method, **others)
        self.h2.send_data(number, data, end_stream=True)
        self.flush().hear(lambda: number in self.over)
        return number

    def hear(self, until: Callable[[], bool]) -> None:
        """Read until something is so, or the server has hung up."""
        while not until() and not self.closed:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                self.closed = True
                return
            for event in self.h2.receive_data(data):
                self._heed(event)
            self.flush()

    def _heed(self, event: object) -> None:
        match event:
            case ResponseReceived() | TrailersReceived():
                headers = dict(event.headers or ())
                if b"grpc-status" in headers:
                    self.status[event.stream_id] = int(headers[b"grpc-status"])
                    self.words[event.stream_id] = percent_decoded(headers.get(b"grpc-message", b""))
            case DataReceived():
                unframer = self._unframers.setdefault(event.stream_id, Unframer(1 << 30))
                self.messages.setdefault(event.stream_id, []).extend(unframer.feed(event.data))
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded() | StreamReset():
                self.over.add(event.stream_id)

    def await_close(self) -> None:
        """Read until the server has hung up."""
        while not self.closed:
            try:
                self.closed = not self.socket.recv(1 << 16)
            except ConnectionResetError:
                self.closed = True


def descriptors() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))
