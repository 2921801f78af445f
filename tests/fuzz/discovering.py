"""What the kernel, udevd and devices could say, however odd: through `agent.watch` and `agent.discovery`."""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import functools
import os
import shutil
import socket
import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.config import files
from agent.config.checking import settings_of
from agent.discovery.observe import observe
from agent.discovery.sysfs import Look, Roots
from agent.discovery.udev import UdevDatabase
from agent.host import Unreadable
from agent.render import render
from agent.watch import Uevents
from cdi import codec, schema, validation
from tests.agent.trees import Node
from tests.fuzz.room import Room

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.host import Observation
    from agent.render import Rendered

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_KOBJECT_UEVENT = 15
_UDEVS = 2  # the group to which udevd sends
FRAGMENTS = (
    *(b"\0", b"\n", b"=", b"==", b"/", b"//", b"/../", b"!", b"\\040", b"\\000", b"\\777", b" - ", b" ", b"\t", b":"),
    *(b"add", b"remove", b"move", b"DEVNAME=", b"DEVNAME=/dev/../etc/passwd\0", b"SUBSYSTEM=\0", b"SUBSYSTEM=net\0"),
    *(b"DEVPATH=", b"DEVLINKS=/dev/a /dev/b\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x1b[2J", b"\xe2\x80\xae"),
    *(b"MAJOR=", b"-1", b"4294967296", b"9" * 20, b"0:0", b"::", b"ID_SERIAL_SHORT=", b"*", b"{name}", b"a" * 300),
)  # fmt: skip

# What udevd puts before the properties (libudev-monitor): the magic number is in network order.
_HEADER = struct.Struct("=8sIIIIIIII")
_MAGIC = 0xFEEDCAFE
_LIBUDEV = b"libudev\0"
_BASIC = (
    b"ACTION=add\0DEVPATH=/devices/virtual/mem/null\0SUBSYSTEM=mem\0DEVNAME=/dev/null\0MAJOR=1\0MINOR=3\0SEQNUM=77\0"
)
_NETWORK = b"ACTION=remove\0DEVPATH=/devices/virtual/net/eth9\0SUBSYSTEM=net\0INTERFACE=eth9\0IFINDEX=9\0SEQNUM=78\0"


def messages() -> list[bytes]:
    """Return properties as udevd sends them, and one whole message with its header."""
    return [_BASIC, _NETWORK, b"\1" + _framed(_BASIC)]


def _framed(properties: bytes) -> bytes:
    size = _HEADER.size
    return _HEADER.pack(_LIBUDEV, socket.htonl(_MAGIC), size, size, len(properties), 0, 0, 0, 0) + properties


def check_message(data: bytes) -> bool:
    """Have it sent as udevd's word; returns whether it woke. What begins with 1 is sent with a header of its own."""
    return _listener().hear(data[1:] if data.startswith(b"\1") else _framed(data))


@functools.cache
def _listener() -> _Listener:
    """Listen in a network namespace of our own, where nobody else hears what we say."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if libc.unshare(_NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "no network namespace of our own")
    try:
        return _Listener()
    finally:
        libc.setns(before, _NEW_NETWORK)
        os.close(before)


class _Listener:
    """The agent's own listener, and a socket that speaks as udevd would."""

    def __init__(self) -> None:
        self._room = Room()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _KOBJECT_UEVENT)
        self._woke = False
        self._uevents = Uevents(UdevDatabase(), self._wake, lambda _subsystem: True)
        self._room.do(self._uevents.start)

    def _wake(self) -> None:
        self._woke = True

    def hear(self, message: bytes) -> bool:
        if not message:  # the kernel sends none that is empty
            return False
        self._woke = False
        self._socket.sendto(message[:8192], (0, _UDEVS))
        self._room.run(_two_turns())
        return self._woke


async def _two_turns() -> None:
    """Let the loop look at its sockets once."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


_CLASSES = """
[[class]]
kind = "fuzz.test/serial"
name = "{ID_SERIAL_SHORT|serial|attr:serial|sysname}"
[[class.select]]
subsystem = "*"
[class.deviceEdits]
env = ["SERIAL={serial|attr:serial|sysname}", "NODE={devnode}"]
[[class]]
kind = "fuzz.test/group"
group_by = "usb"
name = "{usb:serial|usb:port}"
[[class.select]]
parent = { subsystem = "usb", attributes = { serial = "*" } }
[class.node]
path = "/dev/fuzz/{sysname}"
"""


def facts() -> list[bytes]:
    """Return what a device says of itself: its uevent, its serial number, its name; with lines of NUL between."""
    return [b"MAJOR=188\nMINOR=0\nDEVNAME=ttyUSB0\n\0\0FT12345\0\0ttyUSB0", b"MAJOR=188\nMINOR=0\n\0\0\0\0usb!lp0"]


def check_facts(data: bytes) -> bool:
    """Describe a USB serial adapter so, and make specs of it; returns whether one was made."""
    uevent, _, rest = data.partition(b"\0\0")
    serial, _, name = rest.partition(b"\0\0")
    with _tree() as tree:
        tree.describe(uevent, serial, name)
        return any(_judged(one) for one in _rendered(Look(tree.node.roots, None)))


def _rendered(look: Look) -> list[Rendered]:
    classes = _classes()
    try:
        observations: Mapping[str, Observation] = observe(classes, look)
    except Unreadable:
        return []
    return [render(one, observations[one.kind], dict, {}) for one in classes]


@functools.cache
def _classes() -> tuple[Any, ...]:
    return settings_of((files.parse("c.toml", _CLASSES),)).classes


def _judged(rendered: Rendered) -> bool:
    """Whatever a device says, its spec is sound, and so is what is said of it."""
    for problem in (*rendered.problems, *rendered.warnings):
        str(problem).encode("utf-8", "surrogateescape")
    if rendered.spec is None:
        return False
    problems = schema.check(codec.to_document(rendered.spec)) or validation.check(rendered.spec)
    assert not problems, problems
    assert codec.decode(codec.encode(rendered.spec)) == rendered.spec
    return True


def mounts() -> list[bytes]:
    """Return mount tables, and behind a NUL the table of swap spaces."""
    table = (b"25 1 188:0 / / rw,relatime shared:1 - ext4 /dev/ttyUSB0 rw\n"
             b"26 25 0:27 /@ /srv\\040x rw - btrfs /dev/ttyUSB0 rw\n27 1 0:28 / /zfs rw - zfs pool rw\n")  # fmt: skip
    return [table + b"\0Filename\tType\tSize\tUsed\tPriority\n/dev/ttyUSB0 partition 8 0 -2\n", table]


def check_mounts(data: bytes) -> bool:
    """Ask where a disk is mounted; returns whether that could be told."""
    table, _, swaps = data.partition(b"\0")
    with _tree() as tree:
        tree.describe(b"MAJOR=188\nMINOR=0\nDEVNAME=ttyUSB0\n", b"", b"sda")
        tree.mounted(table, swaps)
        look = Look(Roots(tree.node.roots.dev, tree.node.roots.sys, str(tree.node.top / "proc")), None)
        device = look.numbered("char", "188:0")
        assert device is not None
        try:
            return bool(look.disks.mountpoints(device)) or True
        except Unreadable:
            return False


@dataclass
class _Tree:
    """A made-up machine with one device, whose words are replaced for each input."""

    node: Node
    _made: list[Path] = field(default_factory=list)

    def __enter__(self) -> _Tree:
        return self

    def __exit__(self, *_: object) -> None:
        for path in self._made:
            path.unlink(missing_ok=True)
        self._made.clear()

    def describe(self, uevent: bytes, serial: bytes, name: bytes) -> None:
        top = self.node.top / "sys/devices/usb1/1-1"
        put(top / "serial", serial[:4096])
        put(top / "1-1:1.0/tty0/uevent", uevent[:4096])
        shown = name.replace(b"/", b"").replace(b"\0", b"")[:200]
        if shown not in (b"", b".", b".."):
            self._link(os.fsencode(self.node.dev) + b"/" + shown)

    def _link(self, path: bytes) -> None:
        if not os.path.lexists(path):
            os.symlink("ttyUSB0", path)
            self._made.append(Path(os.fsdecode(path)))

    def mounted(self, table: bytes, swaps: bytes) -> None:
        put(self.node.top / "proc/self/mountinfo", table)
        put(self.node.top / "proc/swaps", swaps)


def put(path: Path, data: bytes) -> None:
    """Give a file another content. Truncating it to nothing first would have some file systems wait for the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(descriptor, data, 0)
        os.ftruncate(descriptor, len(data))
    finally:
        os.close(descriptor)


@functools.cache
def _tree() -> _Tree:
    top = Path(tempfile.mkdtemp(prefix="cdi-sync-fuzz-"))
    atexit.register(shutil.rmtree, top)
    for name in ("dev", "sys/dev/char", "sys/dev/block", "proc/self"):
        (top / name).mkdir(parents=True)
    node = Node(top)
    node.kernel("usb1/1-1", subsystem="usb", driver="usb", uevent="DEVTYPE=usb_device\n", attributes={"serial": "1"})
    node.kernel("usb1/1-1/1-1:1.0/tty0", subsystem="tty", number="188:0", uevent="DEVNAME=ttyUSB0\n")
    node.null("ttyUSB0", 188, 0)
    return _Tree(node)
