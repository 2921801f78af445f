"""Which disks a block device lies on, through every layer between, and where what lies on them is mounted."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from agent.host import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .sysfs import KernelDevice, Look

_SWAP = "swap"
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Disks:
    """The block devices of one look: what each is built upon, and what the running system uses them for."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._below: dict[str, frozenset[str]] = {}

    def mountpoints(self, device: KernelDevice) -> tuple[str, ...]:
        """Return the mount points, and ``swap``, of all that is on the disks that ``device`` lies on, sorted.

        So a partition has those of its neighbours, and the disk below LVM, dm-crypt or RAID those of the file system
        on top. Raises `Unreadable` where that cannot be told.
        """
        return tuple(sorted({point for disk in self.below(device) for point in self._mounted.get(disk, ())}))

    def below(self, device: KernelDevice) -> frozenset[str]:
        """Return the directories in sysfs of the disks that a block device lies on; a disk lies on itself."""
        if device.syspath not in self._below:
            self._below[device.syspath] = frozenset((device.syspath,))  # should a layer ever lie on itself
            layers = [self.below(one) for one in self._next_below(device)]
            if layers:
                self._below[device.syspath] = frozenset().union(*layers)
        return self._below[device.syspath]

    def _next_below(self, device: KernelDevice) -> Iterator[KernelDevice]:
        """Yield the disk of a partition, or else the members of a device-mapper, RAID or bcache device."""
        parent = self._look.kernel(os.path.dirname(device.syspath))
        if parent.subsystem == "block":  # also a hardware partition of an eMMC, which has no partition number
            yield parent
        else:
            yield from self._linked(f"{device.syspath}/slaves")

    def _linked(self, directory: str) -> Iterator[KernelDevice]:
        for name in self._look.listed(directory):
            yield self._look.kernel(os.path.realpath(f"{directory}/{name}"))

    @cached_property
    def _mounted(self) -> Mapping[str, set[str]]:
        points: defaultdict[str, set[str]] = defaultdict(set)
        for point, device in self._uses():
            for disk in self.below(device):
                points[disk].add(point)
        return points

    def _uses(self) -> Iterator[tuple[str, KernelDevice]]:
        proc = self._look.roots.proc
        for line in dict.fromkeys((*_lines(f"{proc}/self/mountinfo"), *_others(f"{proc}/1/mountinfo"))):
            point, number, kind, source = _mount(line)
            for device in self._of_mount(point, number, kind, source):
                yield point, device
        swaps = f"{proc}/swaps"
        for line in _lines(swaps)[1:] if os.path.exists(swaps) else ():  # a kernel may know no swapping
            for device in self._at(_plain(re.split("[ \t]", line, maxsplit=1)[0])):
                yield _SWAP, device

    def _of_mount(self, point: str, number: str, kind: str, source: str) -> Iterator[KernelDevice]:
        """Yield the block devices below a mounted file system; of some the kernel gives no true number."""
        if not number.startswith("0:"):
            device = self._look.numbered("block", number)
            if device is not None:
                yield device
        elif kind == "zfs":  # its pools are known to no file of the kernel; udev recognises the members
            yield from (one for one in self._all() if one.properties.get("ID_FS_TYPE") == "zfs_member")
        elif kind in ("btrfs", "bcachefs"):
            named = [device for path in source.split(":") for device in self._at(path)]
            if not named:
                raise Unreadable(point, f"it cannot be told which disks hold it, since {source} is not there")
            yield from named
            yield from self._beside(named)

    def _beside(self, members: list[KernelDevice]) -> Iterator[KernelDevice]:
        """Yield all members of the btrfs that these are of."""
        top = f"{self._look.roots.sys}/fs/btrfs"
        for name in self._look.listed(top):
            directory = f"{top}/{name}/devices"
            if any(one.sysname.replace("/", "!") in self._look.listed(directory) for one in members):
                yield from self._linked(directory)

    def _at(self, path: str) -> Iterator[KernelDevice]:
        device = self._look.device(path)
        if device is not None and device.kind == "block" and device.kernel is not None:
            yield device.kernel

    def _all(self) -> Iterator[KernelDevice]:
        for number in self._look.listed(f"{self._look.roots.sys}/dev/block"):
            device = self._look.numbered("block", number)
            if device is not None:
                yield device


def _mount(line: str) -> tuple[str, str, str, str]:
    """Return mount point, device number, file system type and source of a line of mountinfo (see proc(5))."""
    before, _, after = line.partition(" - ")
    try:
        number, _, point = before.split(" ")[2:5]
        kind, source = after.split(" ")[:2]
    except ValueError:
        raise Unreadable("mountinfo", f"the line {line!a} cannot be understood") from None
    return _plain(point), number, kind, _plain(source)


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda code: chr(int(code[1], 8)), text)


def _lines(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            text = file.read().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise Unreadable(path, (error.strerror or str(error)).lower()) from None
    # A name may hold any other character that ends a line somewhere; the kernel escapes this one.
    return [line for line in text.split("\n") if line]


def _others(path: str) -> list[str]:
    """Read the mounts of the first process: of use where the agent sees others, and need not be readable."""
    try:
        return _lines(path)
    except Unreadable:
        return []
