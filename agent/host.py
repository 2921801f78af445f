"""Facts seen on this node: the devices it has, and what could not be looked at."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Unreadable(Exception):  # noqa: N818 - a state of the world, not a mistake
    """A fact could not be read just now (permission, I/O error): it is unknown, which is not absent."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Ancestor(Protocol):
    """A device of sysfs as its descendants see it."""

    @property
    def sysname(self) -> str:
        """The kernel's name, such as ``1-1.4`` or ``0000:00:1f.2``."""

    @property
    def syspath(self) -> str:
        """The device's directory below ``/sys``; empty where the kernel knows no such device."""

    @property
    def subsystem(self) -> str:
        """The kernel's subsystem; empty where the kernel knows no such device."""

    @property
    def driver(self) -> str:
        """The driver bound to the device; empty without. Of a `HostDevice`: to it or its nearest ancestor with one."""

    def attribute(self, path: str) -> str | None:
        """Return a sysfs attribute without its trailing newline, ``None`` where there is none.

        Raises:
            Unreadable: it is there and cannot be read.
        """


class HostDevice(Ancestor, Protocol):
    """One device of this node. A fact is read when first asked for, once a pass; any may raise `Unreadable`."""

    @property
    def node(self) -> str:
        """The device node's path on the host, free of links; empty for a device without one."""

    @property
    def place(self) -> str:
        """What tells it from all others now: its node, else its directory below ``/sys``."""

    @property
    def major(self) -> int:
        """The node's major number."""

    @property
    def minor(self) -> int:
        """The node's minor number."""

    @property
    def gid(self) -> int:
        """The group of the device node."""

    @property
    def links(self) -> tuple[str, ...]:
        """Every link to the node, sorted."""

    @property
    def properties(self) -> Mapping[str, str]:
        """What udev knows of the device; without udevd, the kernel's own part of it."""

    @property
    def tags(self) -> frozenset[str]:
        """The tags that udev has given it; none without udevd."""

    @property
    def mountpoints(self) -> tuple[str, ...]:
        """Where anything on the disks that a block device lies on is mounted, sorted; ``swap`` for swap space."""

    @property
    def numa_node(self) -> int | None:
        """The memory node that it is near to; ``None`` where the machine has one only, or the kernel does not know."""

    def above(self) -> Iterable[Ancestor]:
        """Yield the devices of sysfs above this one, nearest first."""

    def ancestor(self, subsystem: str, devtype: str = "") -> Ancestor | None:
        """Return the device itself or its nearest ancestor of that subsystem (and type)."""


@dataclass(frozen=True, slots=True)
class Blind:
    """Something that could not be looked at: a node, or with ``below`` everything under a directory.

    ``pending``: it is only too early; an event will follow.
    """

    path: str
    reason: str
    below: bool = False
    pending: bool = False


class Unseen:
    """Where nodes may be without having been seen; there may be thousands of such places, and of nodes to ask for."""

    def __init__(self, blinds: Iterable[Blind]) -> None:
        blinds = tuple(blinds)
        self._places = {blind.path for blind in blinds}
        self._trees = {PurePosixPath(blind.path) for blind in blinds if blind.below}

    def covers(self, node: str) -> bool:
        """Tell whether ``node`` may be there without having been seen."""
        return node in self._places or not self._trees.isdisjoint(PurePosixPath(node).parents)


@dataclass(frozen=True, slots=True)
class Observation:
    """What one look at the node gave for one class: its devices in node order, and what stayed unseen."""

    devices: tuple[HostDevice, ...] = ()
    blind: tuple[Blind, ...] = ()
    absent: frozenset[str] = frozenset()
    """Paths of declared devices' nodes that are not there."""
    numa: Mapping[str, int] = field(default_factory=dict)
    """The memory nodes that declared devices' nodes are near to, by path."""


def fact(device: HostDevice, field: str) -> str | None:
    """Return the fact that a template's ``field`` names; docs/configuration.md lists them.

    ``None`` where the device has no such fact. Raises `Unreadable` where that cannot be told.
    """
    group, _, rest = field.partition(":")
    if rest:
        return {"attr": _attribute, "usb": _usb, "pci": _pci}[group](device, rest)
    if field in _PLAIN:
        return _PLAIN[field](device)
    return device.properties.get(field)


def own_fact(device: Ancestor, field: str) -> str | None:
    """Return what any device of sysfs has: ``sysname``, ``number``, ``subsystem``, ``driver`` or ``attr:PATH``."""
    match field:
        case "sysname":
            return device.sysname
        case "number":
            digits = re.search(r"[0-9]+$", device.sysname)
            return digits[0] if digits else None
        case "subsystem":
            return device.subsystem
        case "driver":
            return device.driver
    return device.attribute(field.removeprefix("attr:"))


def _attribute(device: HostDevice, path: str) -> str | None:
    return device.attribute(path)


def _usb(device: HostDevice, name: str) -> str | None:
    usb = device.ancestor("usb", "usb_interface" if name == "interface" else "usb_device")
    if usb is None:
        return None
    if name in ("port", "interface"):
        return usb.sysname
    return usb.attribute({"vendor": "idVendor", "product": "idProduct", "serial": "serial"}[name])


def _pci(device: HostDevice, name: str) -> str | None:
    pci = device.ancestor("pci")
    if pci is None:
        return None
    if name == "address":
        return pci.sysname
    value = pci.attribute(name)
    return value and value.removeprefix("0x")


def _serial(device: HostDevice) -> str | None:
    return device.properties.get("ID_SERIAL_SHORT") or _usb(device, "serial") or device.attribute("device/serial")


def _link(device: HostDevice) -> str | None:
    """Return the base name of the best stable link.

    A by-id link of a device without a serial number is shared by all devices of its model: the last one
    plugged has it. Device mapper's ids are unique by themselves. Where udev gives several devices one link, it
    counts for each of them: else a clone would take the name of the original just by being plugged later.
    """
    unique = bool(device.properties.get("DM_UUID") or _serial(device))
    links = sorted({*device.links, *device.properties.get("DEVLINKS", "").split()})
    for directory in ("by-id", "by-path") if unique else ("by-path",):
        for link in links:
            parent, _, name = link.rpartition("/")
            if parent.endswith("/" + directory):
                return name
    return None


_PLAIN: dict[str, Callable[[HostDevice], str | None]] = {
    **{
        field: functools.partial(lambda field, device: own_fact(device, field), field)
        for field in ("sysname", "number", "subsystem", "driver")
    },
    "major": lambda device: str(device.major),
    "minor": lambda device: str(device.minor),
    "link": _link,
    "serial": _serial,
}
