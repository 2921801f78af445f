"""Room in memory, asked for before what would not bear that there is none."""

from __future__ import annotations

import mmap

_THREAD = 16 * 1024 * 1024  # bytes that a thread may need to begin: twice its stack


def need_for_thread() -> None:
    """Raise `OSError` where memory is short: Python would wait for ever for a thread that has no room to begin."""
    mmap.mmap(-1, _THREAD, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
