"""HTTP/1.1 in the event loop: small answers to GET, and nothing else. No timer runs where nobody is connected."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias, cast

import h11

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = logging.getLogger("cdi-sync")
HEADER_LIMIT = 8 * 1024  # bytes of a request's head
CONNECTIONS = 32  # one Prometheus needs one; of more than these, the one that has been silent for longest goes
_REQUEST = 10.0  # seconds in which a request that has begun is to be whole, and a new connection has to begin one
_IDLE = 180.0  # seconds between two requests; Prometheus scrapes at least every two minutes
_ANSWER = 30.0  # seconds in which an answer is to be taken
_FAREWELL = 2.0  # seconds in which a peer that was refused may read why
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request gets."""

    body: bytes
    content_type: str = _PLAIN
    status: HTTPStatus = HTTPStatus.OK


Routes: TypeAlias = "Mapping[str, Callable[[str], Answer]]"
"""By path, what makes the answer out of the request's ``Accept`` header."""


class Site:
    """What is served, and the connections to it."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes
        self._connections: dict[_Connection, None] = {}

    def connection(self) -> asyncio.Protocol:
        """Return what speaks with one who connects."""
        return _Connection(self)

    def entered(self, connection: _Connection) -> None:
        """Take note of a connection; of too many the one that has said nothing for longest goes."""
        if len(self._connections) >= CONNECTIONS:
            next(iter(self._connections)).abort()
        self._connections[connection] = None

    def spoke(self, connection: _Connection) -> None:
        """Take note of a whole request."""
        if connection in self._connections:
            self._connections[connection] = self._connections.pop(connection)

    def left(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._connections.pop(connection, None)

    def stop(self) -> None:
        """Close all connections."""
        for connection in tuple(self._connections):
            connection.abort()


class _Connection(asyncio.Protocol):
    """One connection to a site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_LIMIT)
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None
        self._begun = True
        self._head = False
        self._writing = False
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)  # so that it is told when an answer is gone, and when it is not
        self._wait(_REQUEST)
        self._site.entered(self)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._end:
            self._end.cancel()
        self._site.left(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        if self._refused or not self._transport:
            return  # what a peer goes on saying to whom it was refused
        self._go_on(data)

    def eof_received(self) -> bool:
        return False  # nothing is owed to one who has left

    def pause_writing(self) -> None:
        self._writing = True
        if self._transport and not self._refused:
            self._transport.pause_reading()
            self._wait(_ANSWER)

    def resume_writing(self) -> None:
        self._writing = False
        if self._refused:  # not now: asyncio would say so once more, and not bear that the peer has gone
            asyncio.get_running_loop().call_soon(self._end_speech)
        elif self._transport and not self._transport.is_closing():
            self._transport.resume_reading()
            self._wait(_IDLE)
            self._go_on()

    def abort(self) -> None:
        """End it at once."""
        self._site.left(self)
        if self._transport:
            self._transport.abort()

    def _wait(self, seconds: float) -> None:
        """Give the peer so long for what is to come next."""
        if self._end:
            self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(seconds, self.abort)

    def _go_on(self, data: bytes | None = None) -> None:
        """Take what has come, and answer what is there of whole requests, as long as answers are taken."""
        try:
            try:
                if data is not None:
                    self._http.receive_data(data)
                self._answer_all()
            except h11.RemoteProtocolError as error:
                self._refuse(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours must end this connection and no more
            _log.error("a request for metrics failed: %r; please report it", error)
            self.abort()

    def _answer_all(self) -> None:
        while self._transport and not (self._refused or self._writing or self._transport.is_closing()):
            event = self._http.next_event()
            if not isinstance(event, h11.Request):  # more is needed, or the peer has said all
                self._await_rest()
                return
            self._serve(event)

    def _await_rest(self) -> None:
        """Give a request that has begun its time, once: who says a byte now and then gets no more of it."""
        if self._http.trailing_data[0] and not self._begun:
            self._begun = True
            self._wait(_REQUEST)

    def _serve(self, request: h11.Request) -> None:
        self._begun = False
        self._head = request.method == b"HEAD"
        self._wait(_IDLE)
        self._site.spoke(self)
        if _size(request) > HEADER_LIMIT:
            self._say(_plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "this is too long"), close=True)
            return
        if not isinstance(self._http.next_event(), h11.EndOfMessage):
            self._say(_plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a request here has no body"), close=True)
            return
        self._say(self._answer(request))
        if self._http.our_state is h11.MUST_CLOSE:
            self._close()
        elif self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
            self._head = False

    def _answer(self, request: h11.Request) -> Answer:
        path = request.target.partition(b"?")[0].decode("latin-1")
        make = self._site.routes.get(path)
        if make is None:
            return _plain(HTTPStatus.NOT_FOUND, f"there are {', '.join(self._site.routes)}")
        if request.method not in (b"GET", b"HEAD"):
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are understood")
        accept = b",".join(value for name, value in request.headers if name == b"accept")
        try:
            return make(accept.decode("latin-1"))
        except Exception as error:  # noqa: BLE001 - a fault in telling must not end what there is to tell of
            _log.error("%s cannot be told: %r; please report it", path, error)
            return _plain(HTTPStatus.INTERNAL_SERVER_ERROR, "the log of the agent says more")

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        status = HTTPStatus(error.error_status_hint)
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._say(_plain(status, "this is no request that is understood here"), close=True)
        else:
            self._close()

    def _say(self, answer: Answer, *, close: bool = False) -> None:
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        headers += [("Allow", "GET, HEAD")] if answer.status is HTTPStatus.METHOD_NOT_ALLOWED else []
        headers += [("Connection", "close")] if close else []
        events = (
            h11.Response(status_code=answer.status, reason=answer.status.phrase.encode(), headers=headers),
            *(() if self._head else (h11.Data(data=answer.body),)),
            h11.EndOfMessage(),
        )
        if self._transport:
            self._transport.write(b"".join(self._http.send(event) or b"" for event in events))
        if close:
            self._close()

    def _close(self) -> None:
        """Say no more, and let the peer read what was said: closing before it has stopped talking could lose that."""
        self._refused = True
        if self._transport:
            self._transport.resume_reading()
        if not self._writing:
            self._end_speech()

    def _end_speech(self) -> None:
        """Say that all is said. To be called when it is: asyncio would do so later, when the peer may have gone."""
        if self._transport:
            self._wait(_FAREWELL)
            with contextlib.suppress(OSError):  # the peer has gone in this moment
                self._transport.write_eof()


def _size(request: h11.Request) -> int:
    """Return about how many bytes of a head came; h11 limits only what comes in parts."""
    return len(request.target) + sum(len(name) + len(value) + 4 for name, value in request.headers)


def _plain(status: HTTPStatus, text: str) -> Answer:
    return Answer(f"{status.phrase}: {text}\n".encode(), status=status)
