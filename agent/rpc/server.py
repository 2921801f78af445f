"""A gRPC server on a unix socket, in the event loop: calls are answered in the moment in which they are complete."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import H2Error

from .messages import CONTENT_TYPE, Code, RpcError, Unframer, framed, percent_encoded
from .protobuf import DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        "_trailers",
        "begun",
        "ended",
        "id",
        "method",
        "received",
        "request",
    )

    def __init__(self, connection: _Connection, number: int, method: Unary | Streaming | None) -> None:
        self.id = number
        self.method = method
        self.request: list[bytes] = []
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
        if self._pending:
            self._next = message
        else:
            self._pending += framed(message)
            self._connection.advance(self)

    def whole_request(self) -> bytes:
        """Return the one message of the request. Raises `RpcError` where it is not one."""
        if len(self.request) != 1 or not self.received.whole:
            raise RpcError(Code.INVALID_ARGUMENT, "a call takes one whole message")
        return self.request.pop()

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
            if room <= 0:
                return False
            h2.send_data(self.id, bytes(self._pending[:room]))
            del self._pending[:room]
        if self._trailers is None:
            return False
        h2.send_headers(self.id, self._trailers, end_stream=True)
        return True


class _Connection(asyncio.Protocol):
    """One connection of a peer's."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.h2 = H2Connection(_SETTINGS)
        self.calls: dict[int, Call] = {}
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.h2.initiate_connection()
        self._write()
        self._server.entered(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._server.left(self)
        self._end_calls()

    def pause_writing(self) -> None:
        """Take no more from a peer that takes nothing from us: each of its pings would have to be answered."""
        if self._transport:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        try:
            for event in self.h2.receive_data(data):
                self._heed(event)
        except H2Error:
            self.close()
            return
        except Exception:  # noqa: BLE001 - whatever a peer's bytes do to a parser, they end their connection and no more
            _log.debug("a connection at %s is closed", self._server.path, exc_info=True)
            self.close()
            return
        self._write()

    def close(self) -> None:
        """Close the connection, after what is still to be sent (a word on why, if the peer broke a rule)."""
        if self._transport:
            self._write()
            self._transport.close()

    def abort(self) -> None:
        """Close the connection now; its calls have ended when this returns."""
        if self._transport:
            self._transport.abort()
        self._end_calls()

    def _end_calls(self) -> None:
        calls, self.calls = self.calls, {}
        for call in calls.values():
            if call.ended:
                call.ended()

    def advance(self, call: Call) -> None:
        """Send what can be sent of a call, now."""
        if self._transport is None or call.id not in self.calls:
            return
        try:
            if call.flush():
                del self.calls[call.id]
        except H2Error:  # the peer has closed the stream, or broken a rule of HTTP/2: it will be told of
            return
        self._write()

    def _write(self) -> None:
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
            call = self.calls.pop(event.stream_id, None)
            if call and call.ended:
                call.ended()
        elif isinstance(event, (WindowUpdated, RemoteSettingsChanged)):
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
                call.request += call.received.feed(event.data)
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
        self.calls.pop(call.id, None)
        trailers = ((b"grpc-status", b"%d" % error.code), (b"grpc-message", percent_encoded(error.message)))
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
        except Exception as error:  # noqa: BLE001 - a fault of a method ends its call, and must not end the agent
            _log.error("a call at %s failed: %r; please report it", self._server.path, error)
            self._fail(call, RpcError(Code.INTERNAL, "the call failed; the agent's log says more"))


class Server:
    """A socket at ``path`` that serves ``methods``, by path such as ``/v1beta1.DevicePlugin/Allocate``."""

    def __init__(self, path: str, methods: Mapping[str, Unary | Streaming]) -> None:
        self.path = path
        self.methods = {name.encode(): method for name, method in methods.items()}
        self._connections: dict[_Connection, None] = {}
        self._socket: socket.socket | None = None
        self._listening: asyncio.Server | None = None
        self._identity: tuple[int, int] | None = None

    async def start(self) -> None:
        """Listen, at a socket that is its user's own from the moment it exists; a socket in its place goes.

        Raises:
            OSError: the path cannot be used.
        """
        self.stop()
        self._socket = bound(self.path)
        status = os.lstat(self.path)
        self._identity = status.st_dev, status.st_ino
        loop = asyncio.get_running_loop()
        # In two steps, so that one who is cancelled in between leaves a server that `stop` knows of.
        self._listening = await loop.create_unix_server(
            lambda: _Connection(self), sock=self._socket, start_serving=False
        )
        await self._listening.start_serving()

    def stop(self) -> None:
        """End all calls, and serve no more; the socket is removed if it is still ours."""
        self.disconnect()
        if self.there:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        if self._listening:
            self._listening.close()
        elif self._socket:
            self._socket.close()
        self._socket = self._listening = self._identity = None

    def disconnect(self) -> None:
        """Close all connections; their calls have ended when this returns."""
        for connection in tuple(self._connections):
            connection.abort()

    @property
    def there(self) -> bool:
        """Whether the socket at the path is the one that is listened at."""
        try:
            status = os.lstat(self.path)
        except OSError:
            return False
        return self._listening is not None and (status.st_dev, status.st_ino) == self._identity

    def entered(self, connection: _Connection) -> None:
        """Take note of a connection; of too many the oldest without a call goes."""
        if len(self._connections) >= _CONNECTIONS:
            idle = next((one for one in self._connections if not one.calls), connection)
            idle.abort()
        self._connections[connection] = None

    def left(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._connections.pop(connection, None)


def bound(path: str) -> socket.socket:
    """Return a listening socket at ``path``, mode 0600, not blocking.

    Raises:
        OSError: something else than a socket is there, the path is too long, or its directory cannot be written.
    """
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    mask = os.umask(0o177)
    try:
        made.bind(path)
        made.listen(_CONNECTIONS)
    except BaseException:
        made.close()
        raise
    finally:
        os.umask(mask)
    return made
