"""Which nodes of a class make one CDI device, and what is true of them together."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import host
from agent.host import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.host import Ancestor, HostDevice


@dataclass(frozen=True, slots=True)
class Unit:
    """What becomes one CDI device: its members in node order, and the device above them that groups them, if any."""

    members: tuple[HostDevice, ...]
    top: Ancestor | None = None
    grouped: bool = False

    @property
    def places(self) -> tuple[str, ...]:
        """Where its members are, in order."""
        return tuple(member.place for member in self.members)

    @property
    def memory_nodes(self) -> tuple[int, ...]:
        """The memory nodes that its members are near to, as far as that can be told."""
        found = set()
        for member in self.members:
            with contextlib.suppress(Unreadable):
                found.add(member.numa_node)
        return tuple(sorted(node for node in found if node is not None))

    def fact(self, field: str) -> str | None:
        """Return the fact that a name template's ``field`` names, as `agent.host.fact` does.

        What is said of a kernel device is said of the grouping one; everything else must be true of all members.
        """
        if not self.grouped:
            return host.fact(self.members[0], field)
        if self.top is not None and (field in _OF_THE_TOP or field.startswith("attr:")):
            return host.own_fact(self.top, field)
        values = {host.fact(member, field) for member in self.members}
        return values.pop() if len(values) == 1 else None


_OF_THE_TOP = ("sysname", "number", "subsystem", "driver")


def units(
    group_by: str | None,
    devices: Iterable[HostDevice],
    unreadable: Callable[[HostDevice, Unreadable], None],
    alone: Callable[[HostDevice], None],
) -> list[Unit]:
    """Sort devices into units.

    Args:
        group_by: as in `agent.config.settings.DeviceClass`; ``None`` makes a unit of each device.
        devices: in node order.
        unreadable: told of a device whose group cannot be told.
        alone: told of a device that is in no such group; it is left out.
    """
    if group_by is None:
        return [Unit((device,)) for device in devices]
    members: dict[str, list[HostDevice]] = {}
    tops: dict[str, Ancestor | None] = {}
    for device in devices:
        try:
            key, top = _group(group_by, device)
        except Unreadable as error:
            unreadable(device, error)
            continue
        if not key:
            alone(device)
            continue
        members.setdefault(key, []).append(device)
        tops[key] = top
    return [Unit(tuple(of_one), tops[key], grouped=True) for key, of_one in members.items()]


def _group(group_by: str, device: HostDevice) -> tuple[str | None, Ancestor | None]:
    """Return what all members of a device's group have in common, and the device above them."""
    if group_by == "usb":
        top = device.ancestor("usb", "usb_device")
    elif group_by == "pci":
        top = device.ancestor("pci")
    elif group_by.startswith("parent:"):
        subsystem = group_by.removeprefix("parent:")
        top = next((one for one in device.above() if one.subsystem == subsystem), None)
    else:
        return device.properties.get(group_by), None
    return (top.syspath, top) if top else (None, None)
