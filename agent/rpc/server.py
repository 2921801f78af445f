"""A gRPC server on a unix socket, in the event loop: calls are answered in the moment in which they are complete."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import H2Error

from agent import sockets
from agent.listener import Listener

from .messages import CONTENT_TYPE, Code, RpcError, Unframer, framed, percent_encoded
from .protobuf import DamagedError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping

    from h2.events import Event

_log = logging.getLogger("cdi-sync")
PATH_LIMIT = 107  # bytes of a unix socket's path
REQUEST_LIMIT = 8 * 1024 * 1024  # bytes; twice what the kubelet takes of us
_CONNECTIONS = 128  # the kubelet needs one; whoever opens more than this loses the oldest
_SETTINGS = H2Configuration(
    client_side=False,
    header_encoding=None,
    # What a header may be is HTTP's concern; here a few are compared, and the rest is not looked at.
    validate_inbound_headers=False,
    normalize_inbound_headers=False,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)
_HEADERS = ((b":status", b"200"), (b"content-type", CONTENT_TYPE))
_DONE = ((b"grpc-status", b"0"),)
_SILENCE = 256 * 1024  # bytes that say nothing; h2 takes in a frame that is too long before it refuses it
_MESSAGE_LIMIT = 1000  # characters of a refusal, which may repeat what the peer said


@dataclass(frozen=True, slots=True)
class Unary:
    """A method with one answer. ``answer`` raises `RpcError` where it has none, `DamagedError` for a broken request."""

    answer: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Streaming:
    """A method with a stream of answers, sent through the `Call` that ``begin`` is given with the request."""

    begin: Callable[[Call, bytes], None]


class Call:
    """One call of a peer's, as a method with a stream of answers sees it.

    ``ended`` is called once, when the peer has gone or has given up; to be set by the method.
    """

    __slots__ = (
        "_connection",
        "_next",
        "_pending",
        "_request",
        "_trailers",
        "begun",
        "ended",
        "id",
        "method",
        "received",
    )

    def __init__(self, connection: _Connection, number: int, method: Unary | Streaming | None) -> None:
        self.id = number
        self.method = method
        self._request: bytes | None = None
        self.received = Unframer(REQUEST_LIMIT)
        self.begun = False
        self.ended: Callable[[], None] | None = None
        self._connection = connection
        self._pending = bytearray()
        self._next: bytes | None = None
        self._trailers: tuple[tuple[bytes, bytes], ...] | None = None

    def send(self, message: bytes) -> None:
        """Send a message; one that has not been begun when the next one comes is replaced by it.

        So a peer that does not read costs one message, and reads the newest when it does.
        """
        self._next = message
        if not self._pending:
            self._connection.advance(self)

    @property
    def held(self) -> int:
        """How many bytes of a request wait for its end."""
        return self.received.held + len(self._request or b"")

    def take(self, message: bytes) -> None:
        """Take the message of the request. Raises `RpcError` where it is not the only one."""
        if self._request is not None:
            raise _not_one()
        self._request = message

    def whole_request(self) -> bytes:
        """Return the one message of the request. Raises `RpcError` where it is not one."""
        request, self._request = self._request, None
        if request is None or not self.received.whole:
            raise _not_one()
        return request

    def begin(self) -> None:
        """Tell the peer that the call is accepted; messages follow."""
        self.begun = True
        self._connection.h2.send_headers(self.id, _HEADERS)

    def reply(self, message: bytes) -> None:
        """Send the only answer, and end the call with it: one write, so that the peer wakes once."""
        self.begin()
        self._pending += framed(message)
        self._trailers = _DONE
        self._connection.advance(self)

    def flush(self) -> bool:
        """Send what the peer has room for; returns whether the call has ended by that."""
        h2 = self._connection.h2
        while self._pending or self._next is not None:
            if not self._pending:
                self._pending += framed(cast("bytes", self._next))
                self._next = None
            room = min(h2.local_flow_control_window(self.id), h2.max_outbound_frame_size)
            if room <= 0 or self._connection.full:
                return False
            h2.send_data(self.id, bytes(self._pending[:room]))
            del self._pending[:room]
            if self._pending:  # however much the peer would take at once, only what it reads is given to the kernel
                self._connection.write()
        if self._trailers is None:
            return False
        h2.send_headers(self.id, self._trailers, end_stream=True)
        return True


class _H2(H2Connection):
    MAX_CLOSED_STREAMS = 128  # to tell a late frame from a wrong one; the kubelet's one connection lasts for weeks


class _Connection(asyncio.BufferedProtocol):
    """One connection of a peer's."""

    _room = bytearray(64 * 1024)  # of all: asyncio would take a quarter of a MiB for each read, which frays the heap

    def __init__(self, server: Server) -> None:
        self._server = server
        self.h2 = _H2(_SETTINGS)
        self.calls: dict[int, Call] = {}
        self.full = False
        """Whether the peer has yet to read what was written."""
        self._silent = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.h2.initiate_connection()
        self.write()
        self._server.entered(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._server.left(self)
        self._end_calls()
        vars(self.h2).clear()  # it refers to itself, and would wait for a full collection of garbage

    def pause_writing(self) -> None:
        """Take no more from a peer that takes nothing from us: each of its pings would have to be answered."""
        self.full = True
        if self._transport:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self.full = False
        if self._transport:
            self._transport.resume_reading()
            self._advance_all()

    def get_buffer(self, _sizehint: int) -> bytearray:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(memoryview(self._room)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
            self._silent = 0 if events else self._silent + len(data)
            if self._silent > _SILENCE:
                self.close()
                return
            for event in events:
                self._heed(event)
        except H2Error:
            self.close()
            return
        except Exception:  # noqa: BLE001 - whatever a peer's bytes do to a parser, they end their connection and no more
            _log.debug("a connection at %s is closed", self._server.path, exc_info=True)
            self.close()
            return
        self.write()

    def close(self) -> None:
        """Close the connection with a word on why, if the peer broke a rule and reads; its calls have ended then."""
        if self._transport:
            self.write()
            if self._transport.get_write_buffer_size():  # it would stay open for as long as the peer does not read
                self._transport.abort()
            self._transport.close()
        self._end_calls()

    def abort(self) -> None:
        """Close the connection now; its calls have ended when this returns."""
        if self._transport:
            self._transport.abort()
        self._end_calls()

    def _end_calls(self) -> None:
        for call in tuple(self.calls.values()):
            self._end(call)

    def _end(self, call: Call) -> None:
        ended, call.ended = call.ended, None  # which mostly knows the call, and is not to keep it
        if self.calls.pop(call.id, None) and ended:
            ended()

    def advance(self, call: Call) -> None:
        """Send what can be sent of a call, now."""
        if self._transport is None or call.id not in self.calls:
            return
        try:
            if call.flush():
                del self.calls[call.id]
            self.write()
        except H2Error:  # the peer has closed the stream, or broken a rule of HTTP/2: it will be told of
            return
        except MemoryError:  # part of it may be said: better the peer comes anew than that it waits for the rest
            self.abort()

    def write(self) -> None:
        """Give to the kernel what HTTP/2 has to say."""
        data = self.h2.data_to_send()
        if data and self._transport:
            self._transport.write(data)

    def _heed(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            self._take(event)
        elif isinstance(event, RequestReceived):
            self._open(event.stream_id, event.headers)
        elif isinstance(event, StreamEnded):
            call = self.calls.get(event.stream_id)
            if call:
                self._answer(call)
        elif isinstance(event, StreamReset):
            call = self.calls.get(event.stream_id)
            if call:
                self._end(call)
        elif isinstance(event, (WindowUpdated, RemoteSettingsChanged)):
            self._advance_all()
        elif isinstance(event, ConnectionTerminated):  # nothing can be sent after it
            self.close()

    def _advance_all(self) -> None:
        for call in tuple(self.calls.values()):
            self.advance(call)

    def _open(self, number: int, headers: object) -> None:
        found = dict(cast("list[tuple[bytes, bytes]]", headers))
        call = Call(self, number, self._server.methods.get(found.get(b":path", b"")))
        self.calls[number] = call
        if not found.get(b"content-type", b"").startswith(CONTENT_TYPE):
            self._refuse(call, RpcError(Code.INTERNAL, "this is a gRPC service; send application/grpc"))
        elif call.method is None:
            path = found.get(b":path", b"").decode("utf-8", "replace")
            self._refuse(call, RpcError(Code.UNIMPLEMENTED, f"there is no method {path!r} here"))

    def _take(self, event: DataReceived) -> None:
        number = event.stream_id
        call = self.calls.get(number)
        if call:
            try:
                for message in call.received.feed(event.data):
                    call.take(message)
                if event.stream_ended is None:
                    self._server.bear()
            except RpcError as error:
                self._refuse(call, error)
        with contextlib.suppress(H2Error):  # the stream may have been closed by that
            self.h2.acknowledge_received_data(event.flow_controlled_length, number)

    def _refuse(self, call: Call, error: RpcError) -> None:
        """End a call that the peer may still be sending to."""
        self._fail(call, error)
        with contextlib.suppress(H2Error):
            self.h2.reset_stream(call.id, ErrorCodes.NO_ERROR)

    def _fail(self, call: Call, error: RpcError) -> None:
        self._end(call)
        trailers = (
            (b"grpc-status", b"%d" % error.code),
            (b"grpc-message", percent_encoded(error.message[:_MESSAGE_LIMIT])),
        )
        with contextlib.suppress(H2Error):
            self.h2.send_headers(call.id, trailers if call.begun else (*_HEADERS, *trailers), end_stream=True)

    def _answer(self, call: Call) -> None:
        try:
            request = call.whole_request()
            if isinstance(call.method, Unary):
                call.reply(call.method.answer(request))
            elif call.method:
                call.begin()
                call.method.begin(call, request)
        except RpcError as error:
            self._fail(call, error)
        except DamagedError as error:
            self._fail(call, RpcError(Code.INVALID_ARGUMENT, f"the request cannot be read: {error}"))
        except H2Error:  # the peer gave the call up with the same bytes
            self._end(call)
        except Exception as error:  # noqa: BLE001 - a fault of a method ends its call, and must not end the agent
            _log.error("a call at %s failed: %r; please report it", self._server.path, error)
            self._fail(call, RpcError(Code.INTERNAL, "the call failed; the agent's log says more"))


class Server:
    """A socket at ``path`` that serves ``methods``, by path such as ``/v1beta1.DevicePlugin/Allocate``."""

    def __init__(self, path: str, methods: Mapping[str, Unary | Streaming]) -> None:
        self.path = path
        self.methods = {name.encode(): method for name, method in methods.items()}
        self._connections: dict[_Connection, None] = {}
        self._listener: Listener | None = None
        self._identity: tuple[int, int, int] | None = None

    def start(self) -> None:
        """Listen, at a socket that is its user's own from the moment it exists; a socket in its place goes.

        Raises:
            OSError: the path cannot be used.
        """
        self.stop()
        listening = bound(self.path)
        self._listener = Listener(listening, lambda: _Connection(self), self.path)
        self._identity = _identity(self.path)

    def stop(self) -> None:
        """End all calls, and serve no more; the socket is removed if it is still ours."""
        self.disconnect()
        if self.there:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        if self._listener:
            self._listener.close()
        self._listener = self._identity = None

    def disconnect(self) -> None:
        """Close all connections; their calls have ended when this returns."""
        for connection in tuple(self._connections):
            connection.abort()

    @property
    def there(self) -> bool:
        """Whether the socket at the path is the one that is listened at."""
        try:
            return self._listener is not None and _identity(self.path) == self._identity
        except OSError:
            return False

    def entered(self, connection: _Connection) -> None:
        """Take note of a connection; of too many the oldest goes of which no call was accepted, else the new one."""
        self._connections[connection] = None
        if len(self._connections) > _CONNECTIONS:
            self.left(_least(self._connections))

    def bear(self) -> None:
        """See that messages of which the rest is yet to come do not fill the memory.

        Raises:
            RpcError: together they are longer than two requests may be.
        """
        held = sum(call.held for connection in self._connections for call in connection.calls.values())
        if held > 2 * REQUEST_LIMIT:
            raise RpcError(Code.RESOURCE_EXHAUSTED, "too many long messages come at once; send one after the other")

    def left(self, connection: _Connection) -> None:
        """Forget a connection, and close it."""
        if connection in self._connections:
            del self._connections[connection]
            connection.abort()


def _not_one() -> RpcError:
    return RpcError(Code.INVALID_ARGUMENT, "a call takes one whole message")


def _least(connections: Iterable[_Connection]) -> _Connection:
    """Choose the oldest connection of which no call was accepted; the newest where there is none."""
    *older, newest = connections
    return next((one for one in older if not any(call.begun for call in one.calls.values())), newest)


def _identity(path: str) -> tuple[int, int, int]:
    """Return what tells a socket from another one in its place, which may have the same inode number."""
    status = os.lstat(path)
    return status.st_dev, status.st_ino, status.st_ctime_ns


def bound(path: str) -> socket.socket:
    """Return a listening socket at ``path``, mode 0600, not blocking.

    Raises:
        OSError: something else than a socket is there, the path is too long, or its directory cannot be written.
    """
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    return sockets.listening(path, _CONNECTIONS)
