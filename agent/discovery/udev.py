"""What udevd knows, through libudev (pyudev); and whether it is there to know anything."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agent.host import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CONTROL = "/run/udev/control"
_DATA = "/run/udev/data"
_QUEUE = "/run/udev/queue"
_AGAIN = 30.0  # seconds after which to try again to load libudev; to look for it may take a process
_GIVEN_UP = 180.0  # seconds that udevd gives the work on one event


class UdevDatabase:
    """udev's view of this node's devices; of no use where libudev is not installed or udevd does not run.

    ``fresh()`` begins a new look: whether udevd runs and has work is asked once a look.
    """

    def __init__(self) -> None:
        self._library: Any = None
        self._context: Any = None
        self._again = 0.0
        self._running: bool | None = None

    @property
    def available(self) -> bool:
        """Whether libudev can be used here. It may have been short of memory or descriptors: that is tried again."""
        if self._context is None and time.monotonic() >= self._again:
            self._again = time.monotonic() + _AGAIN
            try:
                import pyudev

                self._library, self._context = pyudev, pyudev.Context()
            except (ImportError, OSError, MemoryError):
                return False
        return self._context is not None

    def fresh(self) -> UdevDatabase:
        """Forget what was found of udevd itself."""
        self._running = None
        self.__dict__.pop("_has_data", None)
        return self

    @cached_property
    def _has_data(self) -> bool:
        """Whether udevd has ever written down anything; if not, sysfs tells the same in a tenth of the time."""
        return os.path.isdir(_DATA)

    @property
    def running(self) -> bool:
        """Whether a udevd is there to work on devices: it listens at its control socket.

        The socket's file alone says nothing: it outlives a udevd that was killed. Raises `Unreadable`.
        """
        if self._running is None:
            try:
                self._running = _listens(_CONTROL)
            except OSError as error:  # no descriptor is free, for one
                raise Unreadable(_CONTROL, (error.strerror or str(error)).lower()) from None
        return self._running

    def properties(self, syspath: str) -> Mapping[str, str] | None:
        """Return all properties of the device at ``syspath``; ``None`` where libudev cannot tell."""
        device = self._device(syspath)
        return None if device is None else dict(_properties(device))

    def tags(self, syspath: str) -> frozenset[str]:
        """Return udev's tags of the device at ``syspath``."""
        device = self._device(syspath)
        return frozenset() if device is None else frozenset(device.tags)

    def owes(self, syspath: str, node_changed: float) -> bool:
        """Tell whether udevd will still work on a device, so that it is too early to look at it.

        A device that udevd never saw is not waited for: it was there before udevd, and nobody triggered it. Somebody
        may have touched its node since, so the wait for one that is young ends where udevd itself would give up.
        """
        if not self.running or not self.available:
            return False
        device = self._device(syspath)
        if device is not None and device.is_initialized:
            return False
        young = time.time() - node_changed < _GIVEN_UP
        return os.path.exists(_QUEUE) or (young and node_changed > _modified(_CONTROL))

    def _device(self, syspath: str) -> Any:
        if not self._has_data or not self.available:
            return None
        try:
            return self._library.Devices.from_sys_path(self._context, os.fsencode(syspath))  # any bytes are a name
        except self._library.DeviceNotFoundError:
            return None


def _properties(device: Any) -> Iterator[tuple[str, str]]:
    """Yield a device's properties but for those that are not UTF-8: a device may call itself anything."""
    for name in device.properties:
        with contextlib.suppress(UnicodeDecodeError, KeyError):
            yield name, device.properties[name]


def _listens(path: str) -> bool:
    """Tell whether somebody listens at a socket, without becoming a caller whom it must answer.

    udevd's queue of callers is short, so a real connection could turn another caller away. A connection of the
    wrong type is refused for its type where there is a listener, and for want of one where there is none.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        return probe.connect_ex(path) == errno.EPROTOTYPE


def _modified(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return float("inf")
