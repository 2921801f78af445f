"""Devices that exist nowhere but in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.host import Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeAncestor:
    """A device of sysfs above another one."""

    sysname: str
    subsystem: str
    devtype: str = ""
    driver: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def syspath(self) -> str:
        return f"/sys/devices/{self.sysname}"

    def attribute(self, path: str) -> str | None:
        return self.attributes.get(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeDevice:
    """A `agent.host.HostDevice`; attributes named in ``unreadable`` raise, as after an I/O error."""

    node: str = "/dev/fake0"
    kernel_name: str | None = None
    major: int = 240
    minor: int = 0
    gid: int = 0
    syspath: str = "/sys/devices/fake0"
    subsystem: str = "fake"
    driver: str = ""
    links: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict)
    mountpoints: tuple[str, ...] = ()
    numa_node: int | None = None
    ancestors: tuple[FakeAncestor, ...] = ()
    unreadable: frozenset[str] = frozenset()

    @property
    def place(self) -> str:
        return self.node or self.syspath

    def above(self) -> tuple[FakeAncestor, ...]:
        return self.ancestors

    @property
    def sysname(self) -> str:
        return self.node.rpartition("/")[2] if self.kernel_name is None else self.kernel_name

    def attribute(self, path: str) -> str | None:
        if path in self.unreadable:
            raise Unreadable(f"{self.syspath}/{path}", "input/output error")
        return self.attributes.get(path)

    def ancestor(self, subsystem: str, devtype: str = "") -> FakeAncestor | None:
        return next(
            (one for one in self.ancestors if one.subsystem == subsystem and devtype in ("", one.devtype)), None
        )


def usb(port: str = "1-1.4", **attributes: str) -> FakeAncestor:
    """A USB device as it stands above its interfaces' nodes."""
    return FakeAncestor(sysname=port, subsystem="usb", devtype="usb_device", attributes=attributes)


def pci(address: str = "0000:00:1f.2", **attributes: str) -> FakeAncestor:
    """A PCI function."""
    return FakeAncestor(sysname=address, subsystem="pci", attributes=attributes)
