"""Devices as sysfs and ``/dev`` show them. A `Look` is one pass: what it has read once it does not read again."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Self

from agent.host import Blind, Unreadable

from . import globs
from .disks import Disks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from agent.patterns import Pattern

_ATTRIBUTE_LIMIT = 4096  # a page: the most that sysfs gives
_NODE = re.compile(r"node[0-9]+").fullmatch
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENODEV, errno.ENXIO, errno.EINVAL,
           errno.ENAMETOOLONG}  # fmt: skip
_NOT_DEVICES = {"fd", "pts", "shm", "mqueue", "hugepages"}  # other file systems, or no links to devices


@dataclass(frozen=True, slots=True)
class Roots:
    """Where this node's devices are described; other roots are for trees made by tests."""

    dev: str = "/dev"
    sys: str = "/sys"
    proc: str = "/proc"


class Udev(Protocol):
    """What is asked of udev; see `agent.discovery.udev`."""

    def properties(self, syspath: str) -> Mapping[str, str] | None:
        """Return what udev knows of a device, ``None`` where udev cannot be asked."""

    def tags(self, syspath: str) -> frozenset[str]:
        """Return udev's tags of a device."""

    def owes(self, syspath: str, node_changed: float) -> bool:
        """Tell whether udevd has yet to work on a device whose node last changed at that time."""


class Look:
    """One look at the node's devices; what it found does not refer to itself any more when its context is left."""

    def __init__(self, roots: Roots, udev: Udev | None) -> None:
        self.roots = roots
        self.udev = udev
        self._kernel: dict[str, KernelDevice] = {}
        self._devices: dict[str, SysDevice | None] = {}
        self._expanded: dict[str, globs.Expansion] = {}
        self._outer_links: dict[str, set[str]] = {}
        self._directories = {"": "", "/": "/"}  # without links, by their paths
        self.tree = globs.Tree()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget the devices, which know this look: else each would wait for a full collection of garbage."""
        self._kernel.clear()
        self._devices.clear()

    def expand(self, pattern: Pattern) -> globs.Expansion:
        """Return the paths that a path pattern matches, and the directories that could not be listed."""
        if pattern.text not in self._expanded:
            expansion = globs.expand(pattern, self.tree)
            self._expanded[pattern.text] = expansion
            outside = not pattern.text.startswith(self.roots.dev + "/")
            self._note_links(path for path in expansion.paths if outside or self._real(path) != path)
        return self._expanded[pattern.text]

    def _real(self, path: str) -> str:
        """Return the path without links on the way; its last component may be one."""
        directory, name = os.path.split(path)
        return os.path.join(self._directory(directory), name)

    def _directory(self, path: str) -> str:
        """Return a directory's path without links, each component looked at once, however many are below it."""
        unknown, known = [], path
        while known not in self._directories:
            unknown.append(known)
            known = os.path.dirname(known)
        for below in reversed(unknown):
            parent, name = os.path.split(below)
            real = os.path.join(self._directories[parent], name)
            linked = name in (".", "..") or os.path.islink(real)
            self._directories[below] = os.path.realpath(real) if linked else real
        return self._directories[path]

    def _note_links(self, paths: Iterable[str]) -> None:
        for path in paths:
            try:
                device = self.device(path)
            except Unreadable:  # told when the class is looked at
                continue
            if device and device.node != path:
                self._outer_links.setdefault(device.node, set()).add(path)

    def device(self, path: str) -> SysDevice | None:
        """Return the device whose node, or a link to whose node, is at ``path``; ``None`` where there is none.

        Raises:
            Unreadable: what is there cannot be looked at.
        """
        if path not in self._devices:
            self._devices[path] = self._device(path)
        return self._devices[path]

    def _device(self, path: str) -> SysDevice | None:
        if "\0" in path:  # no file has a name with one, and Python looks for none
            return None
        real = self._real(path)
        if real != path:
            return self.device(real)
        try:
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                target = os.path.realpath(path)
                return self.device(target) if target != path else None
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise Unreadable(path, _reason(error)) from None
        if not (stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode)):
            return None
        return SysDevice(self, path, status)

    def network_devices(self) -> Iterator[SysDevice]:
        """Yield every network interface: devices that have no node."""
        directory = f"{self.roots.sys}/class/net"
        for name in self.tree.names(directory):
            syspath = os.path.realpath(f"{directory}/{name}")
            if os.path.isdir(f"{syspath}/subsystem"):
                yield SysDevice(self, "", None, self.kernel(syspath))

    def kernel_devices(self, blind: list[Blind]) -> Iterator[SysDevice]:
        """Yield every device of the kernel that has a node below ``/dev``; notes in ``blind`` what is unreadable."""
        if not os.path.isdir(f"{self.roots.sys}/dev/char"):  # the directory it is mounted on stays when it is not
            blind.append(Blind(self.roots.dev, f"{self.roots.sys} is not mounted", below=True))
        for kind in ("block", "char"):
            directory = f"{self.roots.sys}/dev/{kind}"
            numbers = self.tree.names(directory)
            if directory in self.tree.blind:
                reason = f"{directory} {self.tree.blind[directory].reason}"
                blind.append(Blind(self.roots.dev, reason, below=True))
            for number in numbers:
                try:
                    node = self._node_of(kind, number)
                except Unreadable as unknown:  # which node is not seen cannot be told either
                    blind.append(Blind(self.roots.dev, str(unknown), below=True))
                    continue
                try:
                    device = self.device(node) if node else None
                except Unreadable as unknown:
                    blind.append(Blind(unknown.path, unknown.reason))
                    continue
                if device is not None and f"{device.major}:{device.minor}" == number:
                    yield device

    def _node_of(self, kind: str, number: str) -> str:
        kernel = self.numbered(kind, number)
        return kernel.node if kernel else ""

    def numbered(self, kind: str, number: str) -> KernelDevice | None:
        """Return the kernel's device of that kind (``block`` or ``char``) and number (``8:0``)."""
        link = f"{self.roots.sys}/dev/{kind}/{number}"
        try:
            target = os.readlink(link)
        except OSError:
            return None
        return self.kernel(os.path.normpath(os.path.join(os.path.dirname(link), target)))

    def kernel(self, syspath: str) -> KernelDevice:
        """Return the kernel device at a directory of sysfs."""
        if syspath not in self._kernel:
            self._kernel[syspath] = KernelDevice(self, syspath)
        return self._kernel[syspath]

    def listed(self, directory: str) -> tuple[str, ...]:
        """List a directory, sorted; one that is not there is empty. Raises `Unreadable`."""
        names = self.tree.names(directory)
        if directory in self.tree.blind:
            raise Unreadable(directory, self.tree.blind[directory].reason)
        return names

    def links(self, node: str) -> tuple[str, ...]:
        """Return all links to a node: those below ``/dev``, and those that patterns outside it have met."""
        return tuple(sorted(self._dev_links.get(node, set()) | self._outer_links.get(node, set())))

    @cached_property
    def numa(self) -> bool:
        """Whether this machine has several memory nodes, so that it matters which one a device is near to."""
        return len([name for name in self.tree.names(f"{self.roots.sys}/devices/system/node") if _NODE(name)]) > 1

    @cached_property
    def disks(self) -> Disks:
        """Which disks each block device lies on, and what they are used for."""
        return Disks(self)

    @cached_property
    def _dev_links(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for link in _links_below(self.roots.dev):
            found.setdefault(os.path.realpath(link), set()).add(link)
        return found


def _links_below(directory: str, *, top: bool = True) -> Iterator[str]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_symlink():
                    yield entry.path
                elif entry.is_dir(follow_symlinks=False) and not (top and entry.name in _NOT_DEVICES):
                    yield from _links_below(entry.path, top=False)
    except FileNotFoundError:
        return  # it went while we looked; an event will follow
    except PermissionError:
        return  # the links that devices are named by are for everybody to see; a pattern into here says what it misses
    except OSError as error:
        raise Unreadable(directory, _reason(error)) from None


class KernelDevice:
    """A device as its directory in sysfs describes it."""

    def __init__(self, look: Look, syspath: str) -> None:
        self._look = look
        self.syspath = syspath
        self.sysname = os.path.basename(syspath).replace("!", "/")

    @cached_property
    def uevent(self) -> dict[str, str]:
        """The kernel's own facts, as in its events."""
        text = self.attribute("uevent") or ""
        return dict(line.split("=", 1) for line in text.split("\n") if "=" in line)

    @property
    def node(self) -> str:
        """The node that the kernel made for this device, or empty."""
        name = self.uevent.get("DEVNAME", "")
        return f"{self._look.roots.dev}/{name}" if name else ""

    @cached_property
    def subsystem(self) -> str:
        """The kernel's subsystem, empty where the directory is no device."""
        return _link_name(f"{self.syspath}/subsystem")

    @cached_property
    def driver(self) -> str:
        """The driver bound to this very device."""
        return _link_name(f"{self.syspath}/driver")

    @cached_property
    def tags(self) -> frozenset[str]:
        """The tags that udev has given it."""
        return self._look.udev.tags(self.syspath) if self._look.udev else frozenset()

    @cached_property
    def properties(self) -> Mapping[str, str]:
        """What udev knows, or the kernel's part of it."""
        known = self._look.udev.properties(self.syspath) if self._look.udev else None
        if known is not None:
            return known
        devpath = self.syspath.removeprefix(self._look.roots.sys)
        own = {**self.uevent, "DEVPATH": devpath, "SUBSYSTEM": self.subsystem}
        if self.node:
            own["DEVNAME"] = self.node
        return own

    def attribute(self, path: str) -> str | None:
        """See `agent.host.Ancestor.attribute`."""
        full = f"{self.syspath}/{path}"
        try:
            descriptor = os.open(full, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            try:
                return os.read(descriptor, _ATTRIBUTE_LIMIT).decode("utf-8", "replace").removesuffix("\n")
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise Unreadable(full, _reason(error)) from None

    def lineage(self) -> Iterator[KernelDevice]:
        """Yield the device and its ancestors, nearest first; a VFIO group stands below the function it hands out."""
        path, top = self.syspath, f"{self._look.roots.sys}/devices"
        while path.startswith(top + "/"):
            yield self._look.kernel(path)
            path = os.path.dirname(path)
        if self.subsystem == "vfio" and (function := self._handed_out()):
            yield from function.lineage()

    def _handed_out(self) -> KernelDevice | None:
        """Return the first PCI function of this VFIO group; the group's number may be another after a reboot."""
        members = f"{self._look.roots.sys}/kernel/iommu_groups/{self.sysname}/devices"
        for name in self._look.listed(members):
            function = self._look.kernel(os.path.realpath(f"{members}/{name}"))
            if function.subsystem == "pci" and "vfio" in function.driver:  # a bridge may be in the group, too
                return function
        return None

    @cached_property
    def numa_node(self) -> int | None:
        """The memory node of this very device; the kernel says -1 where it does not know. Raises `Unreadable`."""
        text = self.attribute("numa_node")
        return int(text) if text is not None and text.isdigit() else None

    def ancestor(self, subsystem: str, devtype: str) -> KernelDevice | None:
        """See `agent.host.HostDevice.ancestor`."""
        for one in self.lineage():
            if one.subsystem == subsystem and (not devtype or one.uevent.get("DEVTYPE") == devtype):
                return one
        return None


def _link_name(path: str) -> str:
    try:
        return os.path.basename(os.readlink(path))
    except OSError:
        return ""


class SysDevice:
    """A device node with what sysfs and udev know of its device; see `agent.host.HostDevice`."""

    def __init__(
        self, look: Look, node: str, status: os.stat_result | None, kernel: KernelDevice | None = None
    ) -> None:
        """``status`` is that of the node; a device without one is given by its ``kernel`` device instead."""
        self._look = look
        self._kernel = kernel
        self.node = node
        self.kind = "block" if status and stat.S_ISBLK(status.st_mode) else "char"
        self.major = os.major(status.st_rdev) if status else 0
        self.minor = os.minor(status.st_rdev) if status else 0
        self.gid = status.st_gid if status else 0
        self._changed = status.st_ctime if status else time.time()

    @property
    def place(self) -> str:  # noqa: D102
        return self.node or self.syspath

    @cached_property
    def kernel(self) -> KernelDevice | None:
        """The kernel's device of this number."""
        return self._kernel or self._look.numbered(self.kind, f"{self.major}:{self.minor}")

    @cached_property
    def own(self) -> bool:
        """Whether this is the device that the kernel made, not another node of the same number."""
        return self.kernel is not None and self.kernel.node == self.node

    @property
    def settled(self) -> bool:
        """Whether udev is done with it, or has nothing to do with it."""
        udev = self._look.udev
        return udev is None or self.kernel is None or not self.own or not udev.owes(self.syspath, self._changed)

    # What `agent.host.HostDevice` promises of each stands there.

    @property
    def syspath(self) -> str:  # noqa: D102
        return self.kernel.syspath if self.kernel else ""

    @cached_property
    def sysname(self) -> str:  # noqa: D102
        return self.kernel.sysname if self.kernel and self.own else os.path.basename(self.node)

    @property
    def subsystem(self) -> str:  # noqa: D102
        return self.kernel.subsystem if self.kernel else ""

    @property
    def driver(self) -> str:  # noqa: D102
        lineage = self.kernel.lineage() if self.kernel else ()
        return next((one.driver for one in lineage if one.driver), "")

    @property
    def properties(self) -> Mapping[str, str]:  # noqa: D102
        return self.kernel.properties if self.kernel else {}

    @property
    def links(self) -> tuple[str, ...]:  # noqa: D102
        return self._look.links(self.node) if self.node else ()

    @property
    def tags(self) -> frozenset[str]:  # noqa: D102
        return self.kernel.tags if self.kernel else frozenset()

    @property
    def mountpoints(self) -> tuple[str, ...]:  # noqa: D102
        return self._look.disks.mountpoints(self.kernel) if self.kernel and self.kind == "block" else ()

    @property
    def numa_node(self) -> int | None:  # noqa: D102
        if not self._look.numa or self.kernel is None:
            return None
        return next((one.numa_node for one in self.kernel.lineage() if one.numa_node is not None), None)

    def above(self) -> Iterator[KernelDevice]:
        """See `agent.host.HostDevice.above`."""
        lineage = iter(self.kernel.lineage() if self.kernel else ())
        next(lineage, None)
        return (one for one in lineage if one.subsystem)

    def attribute(self, path: str) -> str | None:
        """See `agent.host.Ancestor.attribute`."""
        return self.kernel.attribute(path) if self.kernel else None

    def ancestor(self, subsystem: str, devtype: str = "") -> KernelDevice | None:
        """See `agent.host.HostDevice.ancestor`."""
        return self.kernel.ancestor(subsystem, devtype) if self.kernel else None


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
