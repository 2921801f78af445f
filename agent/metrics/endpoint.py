"""Where metrics and health are served: as the configuration says, and tried again where the address is taken."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING

from agent.listener import Listener
from agent.metrics import health
from agent.metrics.families import exposition
from agent.metrics.http import CONNECTIONS, Answer, Site
from agent.room import lack
from cdi.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.metrics.health import Finding
    from agent.status.state import State

_log = logging.getLogger("cdi-sync")
_FIRST, _LONGEST = 1.0, 60.0  # seconds between attempts at an address that is taken

_HINTS = {
    errno.EADDRINUSE: "free the address, or name another one",
    errno.EADDRNOTAVAIL: "name an address of this node",
    errno.EACCES: "name a port above 1023",
    errno.EPERM: "see what forbids it: contrib/systemd/cdi-sync.service.d/metrics.conf allows it to the service",
    errno.EAFNOSUPPORT: "see what forbids it: contrib/systemd/cdi-sync.service.d/metrics.conf allows it to the service",
}


class Endpoint:
    """Serves ``/metrics``, ``/healthz`` and ``/readyz``. To be used in the event loop's thread."""

    def __init__(self, state: Callable[[], State], deafness: Callable[[], Problem | None]) -> None:
        """``state``, and why no event tells of devices where that is so, are asked for at each request."""
        self.problem: Problem | None = None
        """Why nobody is served, where that is so."""
        self._state = state
        self._deafness = deafness
        self._site = Site({"/metrics": self._metrics, "/healthz": self._alive, "/readyz": self._ready})
        self._address: str | None = None
        self._listener: Listener | None = None
        self._task: asyncio.Task[None] | None = None

    def follow(self, address: str | None) -> None:
        """Serve there from now on; nowhere without an address."""
        if address == self._address:
            return
        self.stop()
        self._address = address
        if address is not None:
            self._task = asyncio.get_running_loop().create_task(self._listen(address), name=f"listen at {address}")

    def stop(self) -> None:
        """Serve no more."""
        if self._task:
            self._task.cancel()
        if self._listener:
            self._listener.close()
        self._site.stop()
        self._address = self._listener = self._task = self.problem = None

    async def _listen(self, address: str) -> None:
        patience = _FIRST
        while True:
            try:
                self._listener = Listener(_listening(address), self._site.connection, address)
            except (OSError, MemoryError) as error:
                self._tell(address, error)
            else:
                break
            await asyncio.sleep(patience)
            patience = min(_LONGEST, 2 * patience)
        self.problem = None
        _log.info("metrics are served at http://%s/metrics", address)

    def _tell(self, address: str, error: OSError | MemoryError) -> None:
        reason = lack(error)
        hint = _HINTS.get(getattr(error, "errno", None) or 0, "see to the limits of this process")
        problem = Problem(f"metrics at {address}", f"cannot be served: {reason}", f"{hint}; it is tried again")
        if problem != self.problem:
            _log.warning("%s", problem)
        self.problem = problem

    def _metrics(self, accept: str) -> Answer:
        content_type, text = exposition(self._state(), accept, hears=self._deafness() is None)
        return Answer(text, content_type)

    def _alive(self, _accept: str) -> Answer:
        return _verdict(health.alive(self._state()))

    def _ready(self, _accept: str) -> Answer:
        return _verdict(health.ready(self._state(), self._deafness()))


def _listening(address: str) -> socket.socket:
    """Return a listening socket at an address; where that is all of IPv6, it is all of IPv4, too. Raises `OSError`."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    six = ":" in host
    made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if six:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind((host, int(port)))
        made.listen(CONNECTIONS)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


def _verdict(findings: tuple[Finding, ...]) -> Answer:
    well = all(one.well for one in findings)
    return Answer(health.text(findings).encode(), status=HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE)
