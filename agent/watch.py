"""When to look again: devices, mounts, files, signals and a timer all end in one wake-up, which carries nothing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from typing import TYPE_CHECKING, Any

from agent.host import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Set

    from agent.discovery.udev import UdevDatabase

_RECEIVE_BUFFER = 16 * 1024 * 1024  # bytes the kernel may queue of a burst of events; not allocated ahead
_AT_ONCE = 1000  # events taken before others of the loop get their turn
_BURST = 10  # how many times the quiet time a burst may keep us from looking


class Wake:
    """Decides when the next pass is due.

    The first event acts at once. In a burst, the next pass waits until nothing came for ``settle`` seconds, but
    no longer than ten times that.
    """

    def __init__(self, settle: float) -> None:
        self.settle = settle
        self._event = asyncio.Event()
        self._ended = asyncio.Event()
        self._latest = 0.0  # when something last happened
        self._looked = float("-inf")  # when the last pass ended

    def up(self) -> None:
        """Say that something happened, whatever it was. To be called in the event loop's thread."""
        self._latest = asyncio.get_running_loop().time()
        self._event.set()

    def end(self) -> None:
        """Say that there is no time left for a burst to end: what waits returns at once, now and ever after."""
        self._ended.set()
        self.up()

    def looked(self, *, too_early: bool = False) -> None:
        """Say that a pass has ended.

        ``too_early``: it saw devices that udev had yet to work on; what comes next is no afterthought of it, and
        acts at once.
        """
        self._looked = float("-inf") if too_early else asyncio.get_running_loop().time()

    async def due(self, patience: float) -> bool:
        """Wait until the next pass is due: after an event, or after ``patience`` seconds without any.

        On return everything that happened so far counts as seen: look now. Returns whether anything did happen.
        """
        try:
            async with asyncio.timeout(patience):
                await self._event.wait()
        except TimeoutError:
            return False
        if self._latest - self._looked < self.settle:
            await self._quiet()
        self._event.clear()
        return True

    async def _quiet(self) -> None:
        loop = asyncio.get_running_loop()
        limit = self._latest + _BURST * self.settle
        rest = self.settle
        while rest > 0 and not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._ended.wait()
            rest = min(self._latest + self.settle, limit) - loop.time()


class Uevents:
    """Wakes on events of devices that matter: udevd's, and the kernel's own where no udevd runs.

    A device matters when it has a node, or when ``nodeless`` accepts its subsystem. ``gone`` is told at once of nodes
    that the kernel has removed; a pass may have to wait for the end of a burst.
    """

    def __init__(
        self,
        udev: UdevDatabase,
        wake: Callable[[], None],
        nodeless: Callable[[str], bool],
        gone: Callable[[Iterable[str]], None] = lambda _nodes: None,
    ) -> None:
        import pyudev

        self._udev = udev
        self._wake = wake
        self._nodeless = nodeless
        self._gone = gone
        context = pyudev.Context()
        self._monitors = [pyudev.Monitor.from_netlink(context, source) for source in ("udev", "kernel")]

    def start(self) -> None:
        """Begin to listen. An event from now on wakes. Raises `OSError`, and listens to nothing, where one cannot."""
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as undo:
            for monitor, heed in zip(self._monitors, (self._heed_udev, self._heed_kernel), strict=True):
                with contextlib.suppress(OSError):  # without the privilege, the usual size must do
                    monitor.set_receive_buffer_size(_RECEIVE_BUFFER)
                monitor.start()
                loop.add_reader(monitor.fileno(), self._drain, monitor, heed)
                undo.callback(loop.remove_reader, monitor.fileno())
            undo.pop_all()

    def _drain(self, monitor: Any, heed: Callable[[Set[str]], bool]) -> None:
        """Take what has come, and keep nothing of it but the nodes that went: a burst shall not widen the heap."""
        removed: set[str] = set()
        matters = False
        try:
            for event in itertools.islice(iter(lambda: monitor.poll(timeout=0), None), _AT_ONCE):
                node = _node(event)
                if node or self._nodeless(event.subsystem or ""):
                    matters = True
                    if event.action == "remove":
                        removed.add(node)
            wakes = matters and heed(removed)
        except (OSError, ValueError, Unreadable):  # the queue overflowed, or this is no message: something happened
            wakes = True
        if wakes:
            self._wake()

    def _heed_udev(self, _removed: Set[str]) -> bool:
        return True

    def _heed_kernel(self, removed: Set[str]) -> bool:
        """Where udevd runs, its own event follows when it is done with the device; but what is gone is gone."""
        if removed:
            self._gone(filter(None, removed))
        return bool(removed) or not self._udev.fresh().running


def _node(event: Any) -> str:
    """Return the node of a device, empty without one. libudev's own answer aborts us for one that is not in /dev."""
    name: str = event.properties.get("DEVNAME", "")
    return name


class Mounts:
    """Wakes when something is mounted or unmounted that ``matters``; a container host mounts all day long."""

    def __init__(self, wake: Callable[[], None], matters: Callable[[], bool]) -> None:
        self._wake = wake
        self._matters = matters
        self._file: int | None = None

    def start(self) -> None:
        """Begin to heed mounts."""
        with contextlib.suppress(OSError):  # no /proc: then nothing is known of mounts at all
            self._file = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
            # The file always has something to read, and says by an error condition that it has changed. The event
            # loop hands such a condition to whoever waits for room to write, which there never is.
            asyncio.get_running_loop().add_writer(self._file, self._changed)

    def stop(self) -> None:
        """Heed them no more."""
        if self._file is not None:
            asyncio.get_running_loop().remove_writer(self._file)
            os.close(self._file)
            self._file = None

    def _changed(self) -> None:
        if self._matters():
            self._wake()
