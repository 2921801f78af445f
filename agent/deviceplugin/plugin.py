"""All resources of the agent, at one kubelet that comes and goes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import holding
from agent.deviceplugin.registration import Registration
from agent.rpc.server import PATH_LIMIT
from cdi.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.config.settings import Kubelet
    from agent.deviceplugin.serving import Tally
    from agent.inventory import Inventory, Listing

_log = logging.getLogger("cdi-sync")
KUBELET_SOCKET = "kubelet.sock"
PREFIX, SUFFIX = "cdi-sync-", ".sock"


@dataclass(frozen=True, slots=True)
class State:
    """One resource as it stands with the kubelet.

    ``since`` is when the kubelet began to watch it, in seconds since the epoch, ``None`` where it does not; ``count``
    how often it did; ``error`` why it is not registered, as far as that is known.
    """

    listing: Listing
    socket: str
    since: float | None
    count: int
    error: str | None
    tally: Tally


class DevicePlugin:
    """Offers an inventory to the kubelet. All its methods are to be called in the event loop's thread."""

    def __init__(self, kubelet: Kubelet) -> None:
        self.kubelet = kubelet
        self._registrations: dict[str, Registration] = {}
        self._seen: object = None
        self._lock: int | None = None
        self.busy = False
        """Whether another process serves where we would."""

    @property
    def wanted(self) -> bool:
        """Whether there is a kubelet to serve: told, or known by its directory."""
        if self.kubelet.device_plugin is None:
            return os.path.isdir(self.kubelet.directory)
        return self.kubelet.device_plugin

    @property
    def states(self) -> tuple[State, ...]:
        """What stands how, by the resources' names."""
        return tuple(
            State(one.served.listing, one.served.server.path, one.since, one.count, one.error, one.served.tally)
            for _, one in sorted(self._registrations.items())
        )

    def matters(self, path: str) -> bool:
        """Tell whether a change in one of the watched directories can be one of the kubelet's socket, or of ours."""
        name = os.path.basename(path)
        return name == KUBELET_SOCKET or (name.startswith(PREFIX) and name.endswith(SUFFIX))

    def offer(self, inventory: Inventory) -> None:
        """Offer these resources from now on, and no others; whoever watches is told before this returns."""
        wanted = {listing.resource.name: listing for listing in inventory.values()}
        for name in self._registrations.keys() - wanted.keys():
            self._registrations.pop(name).stop()
        for name, listing in wanted.items():
            known = self._registrations.get(name)
            if known:
                known.served.offer(listing)
            else:
                path = os.path.join(self.kubelet.sockets, socket_name(name, self.kubelet.sockets))
                self._registrations[name] = Registration(
                    path, listing, self._kubelet_socket, watched=self.kubelet.watched
                )

    def look(self) -> Problem | None:
        """See whether the kubelet came or went, and whether our sockets are still there; register what is not.

        Returns why that cannot be done: another process serves there, or the directory cannot be used.
        """
        if not self.wanted or not self._registrations:
            return None
        problem = self._take()
        if self._lock is None:
            return problem
        seen = self._identity()
        new, self._seen = seen is not None and seen != self._seen, seen
        for registration in self._registrations.values():
            if new:
                registration.renew()
            else:
                registration.ensure()
        return None

    def stop(self) -> None:
        """Serve no more."""
        registrations, self._registrations = self._registrations, {}
        for registration in registrations.values():
            registration.stop()
        self._give_up()

    def _kubelet_socket(self) -> str | None:
        return os.path.join(self.kubelet.directory, KUBELET_SOCKET) if self._identity() else None

    def _identity(self) -> object:
        """Return what tells one kubelet's socket from the next one's, ``None`` without one.

        A new one often has the inode number of the old one; its ctime is another.
        """
        try:
            status = os.stat(os.path.join(self.kubelet.directory, KUBELET_SOCKET))
        except OSError:
            return None
        return (status.st_dev, status.st_ino, status.st_ctime_ns) if stat.S_ISSOCK(status.st_mode) else None

    def _take(self) -> Problem | None:
        """Take the directory of the sockets for this process, and sweep what an earlier one left there."""
        directory = self.kubelet.sockets
        try:
            if self.kubelet.device_plugin:
                os.makedirs(directory, mode=0o750, exist_ok=True)
            if self._lock is not None and os.path.samestat(os.fstat(self._lock), os.stat(directory)):
                return None
            self._give_up()
            self.busy = False
            self._lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(self._lock)
            self._give_up()
            self.busy = True
            return Problem(directory, f"is served by {holder} already",
                           "stop that one first: two agents would take each other's resources away")  # fmt: skip
        except FileNotFoundError:
            self._give_up()
            return None  # the kubelet makes it; that it comes is an event
        except OSError as error:
            self._give_up()
            return Problem(directory, f"cannot be used: {(error.strerror or str(error)).lower()}",
                           "see to its mode and its file system; the kubelet is offered nothing meanwhile")  # fmt: skip
        _sweep(directory, {os.path.basename(one.served.server.path) for one in self._registrations.values()})
        return None

    def _give_up(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def socket_name(resource: str, directory: str) -> str:
    """Return the name of a resource's socket: readable where it fits a socket's path, else with a hash."""
    room = PATH_LIMIT - len(os.fsencode(directory)) - len("/" + PREFIX + SUFFIX)
    readable = resource.replace("/", "+")  # in no name of a resource
    if len(readable) > room:
        digest = hashlib.blake2b(resource.encode(), digest_size=8).hexdigest()
        kept = max(0, room - len(digest) - 1)
        readable = f"{readable[:kept]}-{digest}" if kept else digest
    return f"{PREFIX}{readable}{SUFFIX}"


def _sweep(directory: str, wanted: Iterable[str]) -> None:
    """Remove sockets of ours that nobody listens at: we have the directory, so no other agent does."""
    kept = set(wanted)
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if name.startswith(PREFIX) and name.endswith(SUFFIX) and name not in kept:
                with contextlib.suppress(OSError):
                    if stat.S_ISSOCK(os.lstat(path).st_mode):
                        os.unlink(path)


def _holder(lock: int | None) -> str:
    """Name the process that has the lock on an open file, as well as the kernel tells."""
    found = None
    with contextlib.suppress(OSError):
        found = lock and holding.holder(os.fstat(lock))
    return str(found or "another process")
