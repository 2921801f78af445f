"""A resource's place with the kubelet: served at a socket, registered, and registered again whenever that was lost.

The kubelet forgets a resource when its ListAndWatch stream ends, for whatever reason, and never asks again. So the one
sign of being registered is that somebody watches.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import time
from typing import TYPE_CHECKING

from agent.deviceplugin import messages
from agent.deviceplugin.serving import OPTIONS, Served
from agent.rpc import client
from agent.rpc.messages import Code, RpcError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.inventory import Listing

_log = logging.getLogger("cdi-sync")
_ANSWER = 20.0  # seconds; the kubelet may take 10 to call us back before it answers
_WATCH = 5.0  # seconds within which a kubelet that has accepted a resource, or finds its socket, watches it
_FIRST, _LONGEST = 0.05, 30.0  # seconds between attempts at a kubelet that is there and does not take us
_STEADY = 5.0  # seconds that a stream lasts which was no failure


class Registration:
    """Keeps one resource registered. ``kubelet`` tells the path of the kubelet's socket, ``None`` while it is away."""

    def __init__(self, path: str, listing: Listing, kubelet: Callable[[], str | None], *, watched: bool) -> None:
        """``watched``: the kubelet finds the socket at ``path`` by itself, and is not called."""
        self.served = Served(path, listing, self._turned, self._heard)
        self.count = 0
        self.since: float | None = None
        self.error: str | None = None
        self._kubelet = kubelet
        self._watched = watched
        self._begun = asyncio.Event()
        self._began = 0.0
        self._attempts = 0
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def resource(self) -> str:
        """The resource's name."""
        return self.served.listing.resource.name

    def renew(self) -> None:
        """Register with a kubelet that has just come, or of which it is not known whether it still knows us.

        What is left of the older stream ends first: the kubelet would end the newer one when it does.
        """
        self._cancel()
        self._attempts = 0
        if (
            not self._watched
        ):  # else a new kubelet may have found the socket already; the old one's stream ends by itself
            self.served.server.disconnect()
        self.ensure()

    def ensure(self) -> None:
        """Register unless that is so, or under way; a socket that was removed counts as not registered."""
        if self._task is not None and not self._task.done():
            return
        if self.served.watched and self.served.server.there:
            return
        if self._watched or self._kubelet():
            self._task = asyncio.get_running_loop().create_task(self._register(), name=f"register {self.resource}")

    def stop(self) -> None:
        """Leave: when this returns nobody is told of the resource any more; the kubelet takes it to have no device."""
        self._stopped = True
        self._cancel()
        self.served.server.stop()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _register(self) -> None:
        while True:
            self._begun.clear()
            try:
                await self._announce()
            except RpcError as error:
                self._fail(str(error), level=logging.DEBUG if error.code == Code.UNAVAILABLE else logging.WARNING)
            except OSError as error:
                self._fail(f"{self.served.server.path} cannot be made: {(error.strerror or str(error)).lower()}")
            except Exception as error:  # noqa: BLE001 - short of memory, for one: another time it may go well
                self._fail(f"{error!r}")
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_WATCH):
                        await self._begun.wait()
                if not self._watched and not self.served.watched:
                    self._fail("it took the registration, and does not watch")
            if not self.served.watched and self._kubelet():
                await asyncio.sleep(self._patience())
            if self.served.watched or not self._kubelet():
                return  # registered, whatever the answer was; or it is away, and its return is an event

    async def _announce(self) -> None:
        server = self.served.server
        if self._watched:
            if not server.there or self._attempts:
                server.start()  # a new socket is what the kubelet's watcher sees
            self._attempts += 1
            return
        server.disconnect()
        if not server.there:
            server.start()
        self._attempts += 1
        kubelet = self._kubelet()
        if kubelet:
            request = messages.register_request(os.path.basename(server.path), self.resource, OPTIONS)
            # A kubelet that starts removes all sockets before it listens: ours may be gone by the time it answers.
            await client.call(kubelet, messages.REGISTER, request, _ANSWER, still=lambda: server.there)

    def _patience(self) -> float:
        """Return how long to wait before the next attempt, in seconds: longer each time, and not all at once."""
        longest = min(_LONGEST, _FIRST * 2.0 ** min(self._attempts, 16))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - nothing secret

    def _turned(self) -> None:
        """Heed that a stream has begun or ended."""
        if self.served.watched:
            if not self._begun.is_set():
                self.count += 1
                self.error = None
                _log.info("%s is registered with the kubelet", self.resource)
            self._begun.set()
            self._began = time.monotonic()
            self.since = time.time()
            return
        if self.since is not None and time.monotonic() - self._began > _STEADY:
            self._attempts = 0
        self._begun.clear()
        self.since = None
        asyncio.get_running_loop().call_soon(self._again)

    def _again(self) -> None:
        if self._stopped or self.served.watched or (self._task is not None and not self._task.done()):
            return
        if self._attempts <= 1:
            self.ensure()
        elif self._kubelet():
            self._task = asyncio.get_running_loop().create_task(self._later(), name=f"register {self.resource}")

    async def _later(self) -> None:
        await asyncio.sleep(self._patience())
        await self._register()

    def _heard(self, refusal: str | None) -> None:
        if refusal:
            self._fail(refusal)

    def _fail(self, reason: str, level: int = logging.WARNING) -> None:
        if reason != self.error:
            _log.log(level, "%s is not registered with the kubelet: %s; it is tried again", self.resource, reason)
        self.error = reason
