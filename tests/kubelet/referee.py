"""Writes into the journal what a plugin did, and which rules it broke by it; remembers across kubelet restarts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.kubelet import rules
from tests.kubelet.journal import Rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tests.kubelet.client import Plugin
    from tests.kubelet.journal import Journal
    from tests.kubelet.pb import deviceplugin_pb2 as pb


class Referee:
    """Judges with `rules`, and with what it saw before."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._lock = threading.Lock()
        self._lists: dict[str, dict[str, str]] = {}  # by resource: health by id, as listed last

    def registers(self, resource: str, socket: str, standard: str) -> None:
        """A plugin announces a resource at a socket below what on a node is the directory ``standard``."""
        self._breaches(resource, rules.socket_problems(socket, standard))

    def dialled(self, plugin: Plugin, asked: pb.DevicePluginOptions | None) -> None:
        """A plugin was reached; ``asked`` are the options in its request to register, if it had any."""
        if plugin.late:
            self.journal.breach(Rule.NOT_SERVING, plugin.resource, f"{plugin.socket} was not served when registered")
        if asked is not None and asked != plugin.options:
            message = "the options of RegisterRequest count for nothing, and GetDevicePluginOptions has others"
            self.journal.breach(Rule.OPTIONS, plugin.resource, message)

    def listed(self, resource: str, response: pb.ListAndWatchResponse, held: Collection[str], at: float) -> None:
        """A list came at a `time.monotonic()`; ``held`` are the ids that pods hold.

        The event has what differs from the list before it: health by id, empty where the device is gone.
        """
        now = {device.ID: device.health for device in response.devices}
        with self._lock:
            before = self._lists.get(resource, {})
            self._lists[resource] = now
        changed = {one: health for one, health in now.items() if before.get(one) != health}
        changed |= dict.fromkeys(before.keys() - now.keys(), "")
        healthy = sum(health == rules.HEALTHY for health in now.values())
        self.journal.note("list", resource, at, devices=len(now), healthy=healthy, changed=changed)
        self._breaches(resource, rules.list_problems(response.devices, before, held))

    def preferred(self, resource: str, available: Collection[str], size: int, chosen: Collection[str]) -> None:
        """GetPreferredAllocation was answered."""
        self.journal.note("preferred", resource, available=len(available), size=size, chosen=sorted(chosen))
        if foreign := sorted(set(chosen) - set(available)):
            message = f"GetPreferredAllocation chose {', '.join(foreign)}, which were not available"
            self.journal.breach(Rule.PREFERRED, resource, message)

    def allocated(self, resource: str, ids: Collection[str], answer: pb.AllocateResponse) -> None:
        """Allocate was answered."""
        names = [device.name for response in answer.container_responses for device in response.cdi_devices]
        self.journal.note("allocate", resource, ids=list(ids), cdi_devices=names)
        self._breaches(resource, rules.answer_problems(answer))

    def _breaches(self, resource: str, problems: Iterable[rules.Wrong]) -> None:
        for rule, message in problems:
            self.journal.breach(rule, resource, message)
