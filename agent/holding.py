"""Who holds a lock, as far as the kernel tells, without a try at the lock: that could turn its next holder away."""

from __future__ import annotations

import os
from dataclasses import dataclass

_SHOWN = 160  # bytes of a command line


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a lock, and its command line, empty where that cannot be seen."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})" if self.command else f"process {self.pid}"


def process(pid: int, proc: str = "/proc") -> Holder:
    """Return a process with its command line."""
    try:
        with open(f"{proc}/{pid}/cmdline", "rb") as file:
            command = file.read(_SHOWN).replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        command = ""
    return Holder(pid, command)


def holder(locked: os.stat_result, proc: str = "/proc") -> Holder | None:
    """Return who has a file locked with flock, by what ``stat`` says of the file; ``None`` where nobody does.

    Raises `OSError` where the kernel's list of locks cannot be read.
    """
    with open(f"{proc}/locks", encoding="ascii") as file:
        pid = holder_of(locked.st_dev, locked.st_ino, file.read())
    return None if pid is None else process(pid, proc)


def holder_of(device: int, inode: int, locks: str) -> int | None:
    """Return the process that has a file locked with flock, out of the text of ``/proc/locks``.

    The device that stands there is not always the one that ``stat`` tells (overlayfs): where no line has it, the
    inode alone decides.
    """
    exact = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    found = None
    for line in locks.splitlines():
        words = line.split()
        if len(words) < 6 or words[1] != "FLOCK":
            continue
        if words[5] == exact:
            return int(words[4])
        if found is None and words[5].rpartition(":")[2] == str(inode):
            found = int(words[4])
    return found
