"""What the agent offers at this moment: taken back before specs are written, widened after, and recorded."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from agent import inventory
from agent.inventory import Standing
from agent.ledger import Ledger
from agent.opening import Opening, flags_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from agent.config.settings import DeviceClass, Settings
    from agent.deviceplugin.plugin import DevicePlugin, State
    from agent.inventory import Inventory
    from agent.reconcile import Outcome
    from agent.render import Rendered
    from cdi.errors import Problem

_log = logging.getLogger("cdi-sync")


class Publisher:
    """Holds the inventory, and has the device plugin tell the kubelet of it.

    The plugin, and what it needs, is brought in only where there is a resource and a kubelet to serve.
    """

    def __init__(self, settings: Settings) -> None:
        self.busy = False
        self._settings = settings
        self._plugin: DevicePlugin | None = None
        self._opening = Opening(self._reoffer)
        self._standings: tuple[Standing, ...] = ()
        self._vanished: set[str] = set()  # nodes, since the classes were looked at
        self._ledger = Ledger(settings.state_dir)
        self._recorded: Problem | None = None
        self._refused: Problem | None = None
        self.inventory: Inventory = {}
        self._remember()

    def _remember(self) -> None:
        """Take up what was offered last, where anything is to be offered."""
        if self._settings.resources:
            self.inventory, forgotten = self._ledger.read(self._settings)
            if forgotten:  # once is enough: the record is made anew
                _log.warning("%s", forgotten)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What keeps the kubelet from being served, or restarts from being remembered."""
        return tuple(problem for problem in (self._recorded, self._refused) if problem)

    @property
    def states(self) -> tuple[State, ...]:
        """How each resource stands with the kubelet; nothing while none is served."""
        return self._plugin.states if self._plugin else ()

    @property
    def directories(self) -> tuple[str, ...]:
        """The directories where a kubelet, or a change of our sockets, would show."""
        kubelet = self._settings.kubelet
        return tuple({kubelet.directory, kubelet.sockets}) if self._settings.resources else ()

    @property
    def _serving(self) -> bool:
        if not self._settings.resources:
            return False
        there = self._settings.kubelet.device_plugin
        return there is True or self._plugin is not None or os.path.isdir(self._settings.kubelet.directory)

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings; a pass is to follow."""
        before, self._settings = self._settings, settings
        if settings.state_dir != before.state_dir:
            self._ledger = Ledger(settings.state_dir)
        if not before.resources:
            self._remember()
        if self._plugin and (_place(settings) != _place(before) or not settings.resources):
            self._plugin.stop()
            self._plugin = None
        elif self._plugin:
            self._plugin.kubelet = settings.kubelet

    def withdraw(self, rendered: Sequence[Rendered]) -> None:
        """Take back what does not hold any more, before the specs change; to be called with what a pass came to."""
        standings = tuple(map(Standing, self._settings.classes, rendered))
        self._publish(inventory.withdrawn(self.inventory, standings, time.time()))

    def offer(self, outcome: Outcome) -> None:
        """Offer what stands now that the specs are written."""
        self._standings = tuple(
            Standing(device_class, one, outcome.ready.get(one.kind, frozenset()))
            for device_class, one in zip(self._settings.classes, outcome.classes, strict=True)
        )
        self._vanished.clear()
        nodes: dict[str, int] = {}
        for standing in self._standings:
            if _opens(standing.device_class):
                nodes |= _nodes(standing.rendered)
        self._opening.look(nodes)
        self._reoffer()

    def doubt(self, stands: Callable[[str], bool]) -> None:
        """Take back what is offered of classes whose spec does not stand as it was written, told by its file name."""
        self._standings = tuple(
            one if stands(one.rendered.file_name) else Standing(one.device_class, one.rendered)
            for one in self._standings
        )
        self._reoffer()

    def vanished(self, nodes: Iterable[str]) -> None:
        """Take back the devices of nodes that the kernel says it has removed, without waiting for the next pass."""
        gone = {node for node in nodes if not os.path.lexists(node)}
        self._vanished |= gone
        if gone and self._plugin:
            self._publish(inventory.without(self.inventory, self._standings, gone))

    def look(self) -> None:
        """See whether a kubelet is there to be served, and serve it."""
        if not self._serving:
            self._refused, self._recorded, self.busy = None, None, False
            return
        if self._plugin is None:
            from agent.deviceplugin.plugin import DevicePlugin  # brings HTTP/2

            self._plugin = DevicePlugin(self._settings.kubelet)
            self._plugin.offer(self.inventory)
        self._refused = self._plugin.look()
        self.busy = self._plugin.busy

    def matters(self, path: str) -> bool:
        """Tell whether a change in one of `directories` needs a pass; one of the sockets is heeded at once."""
        if self._plugin is None:
            return True
        if self._plugin.matters(path):
            self.look()
        return False

    def stop(self) -> None:
        """Serve the kubelet no more."""
        if self._plugin:
            self._plugin.stop()

    def _reoffer(self) -> None:
        standings = [self._judged(standing) for standing in self._standings]
        keep = self._settings.kubelet.tombstones
        offered = inventory.offered(self.inventory, standings, time.time(), keep)
        self._publish(inventory.without(offered, standings, self._vanished))

    def _judged(self, standing: Standing) -> Standing:
        if not _opens(standing.device_class):
            return standing
        nodes = {node for offer in standing.rendered.found for node in offer.nodes}
        return Standing(standing.device_class, standing.rendered, standing.ready, self._opening.failing(nodes))

    def _publish(self, offered: Inventory) -> None:
        self.inventory = offered
        if self._plugin:
            self._plugin.offer(offered)
        if self._serving:
            self._recorded = self._ledger.write(offered)


def _place(settings: Settings) -> tuple[str, bool]:
    """Return what makes it another kubelet, or another way to it."""
    return settings.kubelet.directory, settings.kubelet.watched


def _opens(device_class: DeviceClass) -> bool:
    return device_class.resource is not None and device_class.resource.opens


def _nodes(rendered: Rendered) -> dict[str, int]:
    """Return the nodes of a class on the host, with the flags that they have to open with."""
    if rendered.spec is None:  # it may not be written; what its class is, is still there
        return {node: os.O_RDONLY for offer in rendered.found for node in offer.nodes}
    return {
        node.host_path or node.path: flags_for(node.permissions)
        for device in rendered.spec.devices
        for node in device.container_edits.device_nodes
    }
