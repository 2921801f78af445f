"""Made-up trees of sysfs and /dev, with device nodes of the number of /dev/null in them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.discovery.sysfs import Roots
from tests.real import devices

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Node:
    """A directory ``dev`` and a directory ``sys`` below ``top``."""

    top: Path

    @property
    def roots(self) -> Roots:
        return Roots(dev=str(self.top / "dev"), sys=str(self.top / "sys"))

    @property
    def dev(self) -> Path:
        return self.top / "dev"

    def path(self, name: str) -> str:
        return str(self.dev / name)

    def null(self, name: str, major: int = 1, minor: int = 3) -> Path:
        """Make a character device."""
        path = self.dev / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return devices.make_node(path, major, minor, mode=0o666)

    def link(self, name: str, target: str) -> Path:
        path = self.dev / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
        return path

    def kernel(
        self,
        syspath: str,
        *,
        subsystem: str = "",
        driver: str = "",
        number: str = "",
        uevent: str = "",
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        """Describe a device of the kernel; ``number`` is that of its character device."""
        directory = self.top / "sys/devices" / syspath
        directory.mkdir(parents=True)
        (directory / "uevent").write_text(uevent)
        for name, value in (attributes or {}).items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(f"{value}\n")
        for name, target in (("subsystem", f"class/{subsystem}"), ("driver", f"drivers/{driver}")):
            if not target.endswith("/"):
                (directory / name).symlink_to(f"/sys/{target}")
        if number:
            link = self.top / "sys/dev/char" / number
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(directory, link.parent))


def usb_serial(node: Node, number: int, *, serial: str = "") -> None:
    """A USB serial adapter with its node ``ttyUSBn``."""
    pci, port, name = "pci0000:00/0000:00:14.0", f"1-{number}", f"ttyUSB{number}"
    if not (node.top / "sys/devices" / pci).exists():
        node.kernel(pci, subsystem="pci", driver="xhci_hcd", attributes={"vendor": "0x8086", "class": "0x0c0330"})
    attributes = {"idVendor": "0403", "idProduct": "6001"} | ({"serial": serial} if serial else {})
    node.kernel(
        f"{pci}/usb1/{port}", subsystem="usb", driver="usb", uevent="DEVTYPE=usb_device\n", attributes=attributes
    )
    interface = f"{pci}/usb1/{port}/{port}:1.0"
    node.kernel(interface, subsystem="usb", driver="ftdi_sio", uevent="DEVTYPE=usb_interface\n")
    node.kernel(
        f"{interface}/{name}/tty/{name}",
        subsystem="tty",
        number=f"188:{number}",
        uevent=f"MAJOR=188\nMINOR={number}\nDEVNAME={name}\n",
    )
    node.null(name, 188, number)
