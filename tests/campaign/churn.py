"""Devices that come and go at random: zram and loop disks, network interfaces, nodes; and events without any change."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from tests.campaign.site import Shared
    from tests.real.devices import Kernel, Loop, Zram

_SET_INTERFACE, _TUN_WITHOUT_HEADER = 0x400454CA, 0x1001
_SIZE = 1048576000  # bytes of the smallest zram disk, which cost nothing until they are written
_PAGE = 4096
_LOOPS, _ZRAMS, _INTERFACES, _NODES = 6, 5, 4, 12


class Churn:
    """Changes the devices of the campaign step by step."""

    def __init__(self, machine: Kernel, shared: Shared, rng: random.Random, *, lies: bool) -> None:
        """``lies``: events may say of a device that is there that it has gone; udevd would forget it for good."""
        self._machine = machine
        self._shared = shared
        self._rng = rng
        self._told = ("add", "change", "remove", "add") if lies else ("add", "change")
        self._loops: dict[int, Loop] = {}
        self._zrams: dict[int, Zram] = {}
        self._interfaces: dict[int, int] = {}

    def step(self) -> None:
        """Add or remove something, or have the kernel send events that tell of nothing new."""
        what = self._rng.choices((self._loop, self._zram, self._interface, self._node, self.storm), (4, 3, 2, 4, 3))
        what[0]()

    def close(self) -> None:
        """Have none of the devices any more that are not the kernel context's to remove."""
        for descriptor in self._interfaces.values():
            os.close(descriptor)
        self._interfaces.clear()
        for node in self._shared.nodes.iterdir():
            node.unlink()

    def _loop(self) -> None:
        number = self._rng.randrange(_LOOPS)
        if number in self._loops:
            self._loops.pop(number).remove()
        else:
            self._loops[number] = self._machine.loop(self._shared.backing / f"d{number}")

    def _zram(self) -> None:
        number = self._rng.randrange(_ZRAMS)
        if number in self._zrams:
            self._zrams.pop(number).remove()
        else:
            disk = self._machine.zram(_SIZE + number * _PAGE)
            tell(disk.sysfs)  # the kernel says nothing of a first size
            self._zrams[number] = disk

    def _interface(self) -> None:
        number = self._rng.randrange(_INTERFACES)
        if number in self._interfaces:
            os.close(self._interfaces.pop(number))
            return
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        name = f"cdit{number}".encode()
        fcntl.ioctl(descriptor, _SET_INTERFACE, struct.pack("16sH22x", name, _TUN_WITHOUT_HEADER))
        self._interfaces[number] = descriptor

    def _node(self) -> None:
        path = self._shared.nodes / f"n{self._rng.randrange(_NODES)}"
        if path.exists():
            path.unlink()
        else:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, self._rng.choice((3, 5, 7))))

    def storm(self) -> None:
        """Have the kernel send some events of devices that are there, which tell of nothing new."""
        names = [*(loop.name for loop in self._loops.values()), *(disk.name for disk in self._zrams.values())]
        present = [Path("/sys/block", name) for name in names]
        for _ in range(self._rng.randrange(1, 60) if present else 0):
            tell(self._rng.choice(present), self._rng.choice(self._told))


def tell(sysfs: Path, action: str = "change") -> None:
    """Have the kernel send an event of a device."""
    with suppress(FileNotFoundError):
        (sysfs / "uevent").write_text(action)
