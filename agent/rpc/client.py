"""One gRPC call to a unix socket."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import H2Error

from .messages import CONTENT_TYPE, Code, RpcError, Unframer, framed, percent_decoded

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER_LIMIT = 16 * 1024 * 1024  # bytes
_FRAME = 16 * 1024  # bytes that every peer takes in one frame
_MESSAGE_LIMIT = 1000  # characters of a refusal
_SETTINGS = H2Configuration(client_side=True, header_encoding=None, validate_inbound_headers=False)


async def call(
    path: str, method: str, request: bytes, seconds: float, still: Callable[[], bool] = lambda: True
) -> bytes:
    """Call a method with one request (at most 60 KiB: what a peer takes unasked) and one answer; returns the answer.

    Args:
        path: of the socket.
        method: such as ``/v1beta1.Registration/Register``.
        request: the message.
        seconds: to wait for the answer.
        still: asked once the peer is connected to: whether the request still holds. If not, it is not sent.

    Raises:
        RpcError: the call was refused, or nobody answered.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    answer.add_done_callback(_heeded)
    try:
        async with asyncio.timeout(seconds):
            transport, _ = await loop.create_unix_connection(lambda: _Call(method, request, answer, still), path)
            try:
                return await answer
            finally:
                transport.abort()
    except TimeoutError:
        raise RpcError(Code.DEADLINE_EXCEEDED, f"no answer within {seconds:.0f} s") from None
    except OSError as error:
        raise RpcError(Code.UNAVAILABLE, (error.strerror or str(error)).lower()) from None


def _heeded(answer: asyncio.Future[bytes]) -> None:
    """Take a failure for known: whoever is cancelled while he connects does not ask for it."""
    if not answer.cancelled():
        answer.exception()


class _Call(asyncio.BufferedProtocol):
    _room = bytearray(64 * 1024)  # of all calls: what was read is taken at once

    def __init__(self, method: str, request: bytes, answer: asyncio.Future[bytes], still: Callable[[], bool]) -> None:
        self._method = method
        self._request = request
        self._answer = answer
        self._still = still
        self._h2 = H2Connection(_SETTINGS)
        self._received = Unframer(ANSWER_LIMIT)
        self._message: bytes | None = None
        self._trailers: dict[bytes, bytes] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._still():
            self._fail(RpcError(Code.UNAVAILABLE, "it was given up"))
            return
        self._h2.initiate_connection()
        self._h2.send_headers(
            1,
            (
                (":method", "POST"),
                (":scheme", "http"),
                (":path", self._method),
                (":authority", "localhost"),
                ("te", "trailers"),
                ("content-type", CONTENT_TYPE.decode()),
                ("user-agent", "cdi-sync"),
            ),
        )
        data = framed(self._request)
        for at in range(0, len(data), _FRAME):
            self._h2.send_data(1, data[at : at + _FRAME], end_stream=at + _FRAME >= len(data))
        self._transport.write(self._h2.data_to_send())

    def connection_lost(self, _exc: Exception | None) -> None:
        self._fail(_broken_off())
        del self._transport
        vars(self._h2).clear()  # it refers to itself, and would wait for a full collection of garbage

    def get_buffer(self, _sizehint: int) -> bytearray:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(memoryview(self._room)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._h2.receive_data(data):
                self._heed(event)
        except RpcError as error:
            self._fail(error)
        except H2Error as error:
            closed = self._h2.state_machine.state is ConnectionState.CLOSED  # the peer has said that it goes
            self._fail(_broken_off() if closed else _no_grpc(error))
        except Exception as error:  # noqa: BLE001 - whatever a peer's bytes do to a parser, they end the call and no more
            self._fail(_no_grpc(error))
        with contextlib.suppress(H2Error):
            self._transport.write(self._h2.data_to_send())

    def _heed(self, event: object) -> None:
        if isinstance(event, DataReceived):
            for message in self._received.feed(event.data):
                self._take(message)
            self._h2.acknowledge_received_data(event.flow_controlled_length, 1)
        elif isinstance(event, (ResponseReceived, TrailersReceived)):
            self._trailers.update(event.headers)
        elif isinstance(event, StreamEnded):
            self._end()
        elif isinstance(event, (StreamReset, ConnectionTerminated)):
            self._fail(_broken_off())

    def _take(self, message: bytes) -> None:
        if self._message is not None:
            raise _not_one()
        self._message = message

    def _end(self) -> None:
        status = self._trailers.get(b"grpc-status", b"")
        if status != b"0":
            code = int(status) if status.isdigit() and len(status) < 10 else Code.UNKNOWN
            message = percent_decoded(self._trailers.get(b"grpc-message", b""))[:_MESSAGE_LIMIT]
            self._fail(RpcError(code, message or f"status {code}"))
        elif self._message is None or not self._received.whole:
            self._fail(_not_one())
        elif not self._answer.done():
            self._answer.set_result(self._message)

    def _fail(self, error: RpcError) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)


# Made anew each time: an exception that is raised again keeps what it met before.


def _broken_off() -> RpcError:
    return RpcError(Code.UNAVAILABLE, "the call was broken off")


def _not_one() -> RpcError:
    return RpcError(Code.INTERNAL, "the answer is not one message")


def _no_grpc(error: Exception) -> RpcError:
    return RpcError(Code.INTERNAL, f"the answer is no gRPC: {error}")
