"""Less of something than a process needs, for a while."""

from __future__ import annotations

import mmap
import resource
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_THREAD = int(8.01 * 2**20)  # bytes of a thread's stack


@contextmanager
def few_descriptors(limit: int = 3, pid: int = 0) -> Iterator[None]:
    """Let a process, without ``pid`` this one, open nothing with a number that is not below ``limit``."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def memory_for_a_stack() -> Iterator[None]:
    """Leave this process memory for the stack of a thread and for nothing else of it; no program for a test's own."""
    spare = mmap.mmap(-1, _THREAD)
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * mmap.PAGESIZE, -1))
    taken = []
    for size in (1 << 16, 1 << 12, 512, 256, 128, 64, 33):
        with suppress(MemoryError):
            while True:
                taken.append(bytes(size))
    spare.close()
    try:
        yield
    finally:
        taken.clear()
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
