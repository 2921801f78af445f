"""One look at this node for all classes: candidates, tried against each class's selection."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from agent import selection
from agent.host import Blind, Observation, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agent.config.settings import DeviceClass, Selector

    from .sysfs import Look, SysDevice


def observe(classes: Iterable[DeviceClass], look: Look) -> Mapping[str, Observation]:
    """Look for the devices of every class; returns an observation by kind.

    What could not be looked at is in the observation as blind, and never passes for absent.
    """
    classes = tuple(classes)
    for device_class in classes:  # first, so that links outside /dev are known before any device is judged
        for selector in (*device_class.selects, *device_class.excludes):
            for pattern in selector.devnode:
                look.expand(pattern)
    return {one.kind: _Observer(one, look).observation() for one in classes}


class _Observer:
    def __init__(self, device_class: DeviceClass, look: Look) -> None:
        self.device_class = device_class
        self.look = look
        self.devices: dict[str, SysDevice] = {}
        self.blind: list[Blind] = []

    def observation(self) -> Observation:
        for selector in self.device_class.selects:
            for device in self.candidates(selector):
                if device.place not in self.devices:
                    self.judge(device)
        return Observation(
            devices=tuple(sorted(self.devices.values(), key=lambda device: device.place)),
            blind=tuple(dict.fromkeys(self.blind)),
            absent=frozenset(self.absent()),
            numa=dict(self.numa()) if self.look.numa else {},
        )

    def candidates(self, selector: Selector) -> Iterator[SysDevice]:
        if not selector.devnode:
            yield from self.look.kernel_devices(self.blind)
            if any(pattern.matches("net") for pattern in selector.subsystem):
                yield from self.look.network_devices()
            return
        for pattern in selector.devnode:
            expansion = self.look.expand(pattern)
            self.blind += expansion.blind
            for path in expansion.paths:
                if device := self.device(path):
                    yield device

    def device(self, path: str) -> SysDevice | None:
        try:
            return self.look.device(path)
        except Unreadable as unknown:
            self.blind.append(Blind(unknown.path, unknown.reason))
            return None

    def judge(self, device: SysDevice) -> None:
        try:
            if not device.settled:
                self.blind.append(Blind(device.place, "udev has not finished with it", pending=True))
                return
            if not selection.takes(self.device_class, device):
                return
        except Unreadable as unknown:
            self.blind.append(Blind(device.place, str(unknown)))
            return
        self.devices[device.place] = device

    def declared(self) -> Iterator[str]:
        for declared in self.device_class.declared:
            for node in declared.device.container_edits.device_nodes:
                yield node.host_path or node.path

    def absent(self) -> Iterator[str]:
        return (path for path in self.declared() if not os.path.exists(path))

    def numa(self) -> Iterator[tuple[str, int]]:
        for path in self.declared():
            with contextlib.suppress(Unreadable):
                device = self.look.device(path)
                if device is not None and device.numa_node is not None:
                    yield path, device.numa_node
