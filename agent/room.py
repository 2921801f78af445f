"""Room in memory and for descriptors: asked for before what would not bear that there is none, and the lack of it."""

from __future__ import annotations

import contextlib
import mmap
import os

_THREAD = 16 * 1024 * 1024  # bytes that a thread may need to begin: twice its stack
_DESCRIPTORS = 8  # of which a look at the node has open at a time, in libudev and out of it


def lack(error: BaseException) -> str:
    """Say in lower case what an `OSError`, a `MemoryError` or an `ImportError` complains of."""
    return (getattr(error, "strerror", None) or str(error) or "out of memory").lower()


def need_for_thread() -> None:
    """Raise `OSError` where memory is short: Python would wait for ever for a thread that has no room to begin."""
    mmap.mmap(-1, _THREAD, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()


def need_for_look() -> None:
    """Raise `OSError` where hardly a descriptor is free: libudev would know nothing of a device, and not say why."""
    need_for_descriptors(_DESCRIPTORS)


def need_for_descriptors(count: int) -> None:
    """Raise `OSError` where fewer than ``count`` descriptors are free."""
    with contextlib.ExitStack() as taken:
        for _ in range(count):
            taken.callback(os.close, os.open("/", os.O_PATH | os.O_CLOEXEC))
