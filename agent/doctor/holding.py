"""Who holds the lock of a spec directory, without touching the lock: a try at it could turn an agent away."""

from __future__ import annotations

import os
from dataclasses import dataclass

from agent.store import LOCK_NAME


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that writes specs, and its command line, empty where that cannot be seen."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})" if self.command else f"process {self.pid}"


def holder(directory: str, proc: str = "/proc") -> Holder | None:
    """Return who has the lock of a spec directory; ``None`` where nobody has. Raises `OSError`."""
    try:
        inode = os.lstat(os.path.join(directory, LOCK_NAME)).st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None
    with open(f"{proc}/locks", encoding="ascii") as file:
        pid = holder_of(inode, file.read())
    return None if pid is None else Holder(pid, _command(pid, proc))


def holder_of(inode: int, locks: str) -> int | None:
    """Return the process that has a file locked with flock, out of the text of ``/proc/locks``.

    Only the inode is compared: the device that stands there is not always the one that ``stat`` tells (overlayfs).
    """
    for line in locks.splitlines():
        words = line.split()
        if len(words) >= 6 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
            return int(words[4])
    return None


def _command(pid: int, proc: str) -> str:
    try:
        with open(f"{proc}/{pid}/cmdline", "rb") as file:
            return file.read(160).replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""
