"""Real kernel devices, scratch nodes and small disks, gone when their context ends.

Zram and loop numbers are the machine's: whoever makes such devices, or runs udevd, first takes `machine()`,
so that test runs of several checkouts take turns.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import stat
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.real import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOCK = Path("/run/lock/cdi-sync-tests")
_ZRAM = Path("/sys/class/zram-control")
_LOOP_SET_FD, _LOOP_CLR_FD = 0x4C00, 0x4C01
_LOOP_CTL_ADD, _LOOP_CTL_REMOVE = 0x4C80, 0x4C81
# Above what anything else on a machine takes; the kernel itself hands out the lowest free number.
_FIRST_LOOP = 700
_BUSY_SECONDS = 10.0


class _Machine:
    """The machine-wide lock, counted so that one test may take it several times.

    The locked file names the devices that were made, so that whoever holds it next can remove those of a killed run.
    """

    def __init__(self) -> None:
        self._holders = 0
        self._fd = -1

    def enter(self) -> None:
        if not self._holders:
            _LOCK.parent.mkdir(exist_ok=True)
            self._fd = os.open(_LOCK, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            self._forget_removed(remove=True)
        self._holders += 1

    def note(self, name: str) -> None:
        os.write(self._fd, f"{name}\n".encode())

    def leave(self) -> None:
        self._holders -= 1
        if not self._holders:
            self._forget_removed()
            os.close(self._fd)

    def _forget_removed(self, *, remove: bool = False) -> None:
        """Keep the names only of devices that are there, which should be none."""
        names = _LOCK.read_text().split()
        os.truncate(self._fd, 0)
        for name in names:
            if remove:
                with suppress(OSError):
                    _remove(name)
            if Path("/sys/block", name).exists():
                self.note(name)


_THE_MACHINE = _Machine()


@contextmanager
def machine() -> Iterator[None]:
    """Have the machine's kernel devices and udevd to oneself, among all test runs."""
    _THE_MACHINE.enter()
    try:
        yield
    finally:
        _THE_MACHINE.leave()


class Zram:
    """A zram disk: node `/dev/zramN`, sysfs `/sys/block/zramN`."""

    def __init__(self, size: int = 1 << 20) -> None:
        """Make it; a `size` in bytes of 0 leaves it as the kernel made it, unfit for reading."""
        self.number = int((_ZRAM / "hot_add").read_text())
        self.name = f"zram{self.number}"
        self.node = Path("/dev", self.name)
        self.sysfs = Path("/sys/block", self.name)
        self.major, self.minor = _device_number(self.sysfs)
        if size:
            self.resize(size)

    def resize(self, size: int) -> None:
        """Give it a size, once."""
        (self.sysfs / "disksize").write_text(f"{size}\n")

    def remove(self) -> None:
        """Remove it from the kernel, when nobody has it open; done twice, it does nothing."""
        _remove(self.name)


class Loop:
    """A loop disk over a file, with a number of one's choice: node `/dev/loopN`, sysfs `/sys/block/loopN`."""

    def __init__(self, backing: Path, number: int | None = None) -> None:
        """Make it; sysfs tells `backing` (`loop/backing_file`), a fact that survives a new number."""
        self.number = _add_loop() if number is None else _loop_control(_LOOP_CTL_ADD, number)
        self.name = f"loop{self.number}"
        self.node = Path("/dev", self.name)
        self.sysfs = Path("/sys/block", self.name)
        self.major, self.minor = _device_number(self.sysfs)
        with _opened(self.node) as loop, _opened(backing) as file:
            fcntl.ioctl(loop, _LOOP_SET_FD, file)

    def remove(self) -> None:
        """Detach the file and remove it from the kernel; done twice, it does nothing."""
        _remove(self.name)


class Kernel:
    """Makes devices that are removed, in reverse order, when the `kernel()` that gave it ends."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def zram(self, size: int = 1 << 20) -> Zram:
        """A new zram disk, with the lowest free number."""
        parts.need("zram")
        device = Zram(size)
        _THE_MACHINE.note(device.name)
        self._stack.callback(device.remove)
        return device

    def loop(self, backing: Path, number: int | None = None) -> Loop:
        """A new loop disk over `backing`, which gets a size of 1 MiB if it is not there."""
        parts.need("loop")
        if not backing.exists():
            backing.touch()
            os.truncate(backing, 1 << 20)
        device = Loop(backing, number)
        _THE_MACHINE.note(device.name)
        self._stack.callback(device.remove)
        return device


@contextmanager
def kernel() -> Iterator[Kernel]:
    """Hold `machine()` and make devices: `with kernel() as k: disk = k.zram()`."""
    parts.need("root", "devtmpfs")
    with machine(), ExitStack() as stack:
        yield Kernel(stack)


@contextmanager
def tmpfs(place: Path, size: int) -> Iterator[Path]:
    """Mount a tmpfs of `size` bytes on the directory `place`, made if need be."""
    parts.need("root")
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        # Lazily: what still has a file open there must not keep the mount.
        subprocess.run(["umount", "--lazy", place], check=True)


def make_node(path: Path, major: int, minor: int, *, kind: int = stat.S_IFCHR, mode: int = 0o600) -> Path:
    """A device node (`kind`: `stat.S_IFCHR` or `stat.S_IFBLK`) at `path`, with exactly this mode."""
    parts.need("root")
    os.mknod(path, kind | mode, os.makedev(major, minor))
    path.chmod(mode)
    return path


def _remove(name: str) -> None:
    """Remove a zram or loop device that is there."""
    if not Path("/sys/block", name).exists():
        return
    if name.startswith("zram"):
        _patiently(lambda: (_ZRAM / "hot_remove").write_text(name.removeprefix("zram")))
    else:
        with _opened(Path("/dev", name)) as loop, suppress(OSError):
            fcntl.ioctl(loop, _LOOP_CLR_FD)
        _patiently(lambda: _loop_control(_LOOP_CTL_REMOVE, int(name.removeprefix("loop"))))


def _add_loop() -> int:
    for number in itertools.count(_FIRST_LOOP):
        with suppress(FileExistsError):
            return _loop_control(_LOOP_CTL_ADD, number)
    raise AssertionError("unreachable")


def _loop_control(request: int, number: int) -> int:
    with _opened(Path("/dev/loop-control")) as control:
        return fcntl.ioctl(control, request, number)


def _device_number(sysfs: Path) -> tuple[int, int]:
    major, minor = (sysfs / "dev").read_text().split(":")
    return int(major), int(minor)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _patiently(action: Callable[[], object]) -> None:
    """Repeat while the device is busy: udevd or an agent may look into it just now."""
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            action()
        except OSError as error:
            if error.errno == errno.ENODEV:  # it has gone, by whoever's hand
                return
            if error.errno != errno.EBUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return
