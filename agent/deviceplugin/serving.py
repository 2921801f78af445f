"""One resource as the kubelet sees it: the service DevicePlugin at a socket of its own."""

from __future__ import annotations

import bisect
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.deviceplugin import ids, messages
from agent.deviceplugin.preference import preferred
from agent.rpc.messages import Code, RpcError
from agent.rpc.server import Server, Streaming, Unary

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.inventory import Listed, Listing
    from agent.rpc.server import Call

_log = logging.getLogger("cdi-sync")
LIST_LIMIT = 4 * 1024 * 1024 - 1024  # bytes; the kubelet takes no longer message, and would give the resource up
_SHOWN = 80  # characters of an id that is none
OPTIONS = messages.options(preferred_allocation=True)


BOUNDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1)  # seconds


@dataclass(slots=True)
class Tally:
    """The calls of Allocate since the agent started: how many took at most how long (`BOUNDS`, or more), their sum."""

    times: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0
    refusals: int = 0

    def took(self, seconds: float) -> None:
        """Count a call."""
        self.times[bisect.bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class Served:
    """Serves one listing at a socket; ``turned`` is called when a ListAndWatch stream has begun or ended."""

    def __init__(
        self, path: str, listing: Listing, turned: Callable[[], None], heard: Callable[[str | None], None]
    ) -> None:
        """``heard`` is told of the kubelet's word on a registration that it made by itself: why not, or ``None``."""
        self.listing = listing
        self.tally = Tally()
        self._turned = turned
        self._heard = heard
        self._streams: dict[Call, None] = {}
        self._encoded: dict[str, tuple[Listed, bytes]] = {}
        self._list = b""
        self._cut = False  # whether the list is longer than the kubelet takes
        self.server = Server(
            path,
            {
                messages.OPTIONS: Unary(lambda _request: OPTIONS),
                messages.LIST_AND_WATCH: Streaming(self._watch),
                messages.ALLOCATE: Unary(self._allocate),
                messages.PREFERRED_ALLOCATION: Unary(self._prefer),
                messages.PRE_START_CONTAINER: Unary(lambda _request: messages.EMPTY),
                messages.GET_INFO: Unary(self._info),
                messages.NOTIFY_REGISTRATION_STATUS: Unary(self._notified),
            },
        )
        self._encode()

    @property
    def resource(self) -> str:
        """The resource's name."""
        return self.listing.resource.name

    @property
    def watched(self) -> bool:
        """Whether somebody is being told of the devices."""
        return bool(self._streams)

    def offer(self, listing: Listing) -> None:
        """Tell whoever watches of the devices as they are now; bytes go out before this returns, if there is room."""
        before = self._list
        if listing.resource.shares != self.listing.resource.shares:
            self._encoded = {}
        self.listing = listing
        self._encode()
        if self._list != before:
            for stream in tuple(self._streams):
                stream.send(self._list)

    def _encode(self) -> None:
        shares = self.listing.resource.shares
        encoded = {}
        for name, listed in self.listing.devices.items():
            known = self._encoded.get(name)
            same = known is not None and known[0] == listed
            encoded[name] = known if known and same else (listed, _shares(name, listed, shares))
        self._encoded = encoded
        self._list = b"".join(some for _, some in encoded.values())
        if len(self._list) > LIST_LIMIT:
            self._list = self._fitting()
        else:
            self._cut = False

    def _fitting(self) -> bytes:
        """Return the part of the list that the kubelet takes: as many shares of each device as fit."""
        shares, size = self.listing.resource.shares, len(self._list)
        fitting = max(1, shares * LIST_LIMIT // size - 1)
        some = [_shares(name, listed, fitting) for name, listed in self.listing.devices.items()]
        while sum(map(len, some)) > LIST_LIMIT:
            del some[-(len(some) // 20 + 1) :]
        if not self._cut:  # told once
            devices = f"{len(some)} devices of {len(self.listing.devices)}, with {fitting} shares of {shares} each"
            _log.error("%s: the kubelet takes no list of %d bytes; offered are %s", self.resource, size, devices)
        self._cut = True
        return b"".join(some)

    def _watch(self, call: Call, _request: bytes) -> None:
        def ended() -> None:
            del self._streams[call]
            self._turned()

        self._streams[call] = None
        call.ended = ended
        call.send(self._list)
        self._turned()

    def _allocate(self, request: bytes) -> bytes:
        start = time.perf_counter()
        try:
            answer = messages.allocate_response([self._names(some) for some in messages.allocate_request(request)])
        except (RpcError, ValueError):
            self.tally.refusals += 1
            raise
        finally:
            self.tally.took(time.perf_counter() - start)
        return answer

    def _names(self, wanted: tuple[str, ...]) -> list[str]:
        """Return the CDI names that ids stand for: of any device that is listed, present or not.

        The kubelet tries again what the runtime cannot resolve, and never what was refused here.
        """
        names: dict[str, None] = {}
        for id_ in wanted:
            if not ids.known(id_, self.listing.devices, self.listing.resource.shares):
                resource, shown = self.listing.resource.name, id_ if len(id_) <= _SHOWN else f"{id_[:_SHOWN]}..."
                _log.error("%s: the kubelet asks for %r, which is no device of it", resource, shown)
                raise RpcError(
                    Code.NOT_FOUND, f"{resource} has no device {shown!r}; see cdi-sync status for those it has"
                )
            names[f"{self.listing.kind}={ids.device_of(id_)}"] = None
        return list(names)

    def _prefer(self, request: bytes) -> bytes:
        return messages.preferred_allocation_response(
            preferred(one.available, one.required, one.size, self.listing.devices)
            for one in messages.preferred_allocation_request(request)
        )

    def _info(self, _request: bytes) -> bytes:
        return messages.plugin_info(self.listing.resource.name, self.server.path)

    def _notified(self, request: bytes) -> bytes:
        self._heard(messages.registration_status(request))
        return messages.EMPTY


def _shares(name: str, listed: Listed, shares: int) -> bytes:
    return b"".join(
        messages.device(ids.share(name, number), healthy=listed.healthy, numa=listed.numa) for number in range(shares)
    )
