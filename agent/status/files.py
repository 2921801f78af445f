"""Our spec files as they stand on disk, whether an agent runs or not."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from agent.status.state import SpecFile
from agent.store import itself, kind_of, ours
from cdi import codec
from cdi.errors import CDIError

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from cdi.model import Spec

_LIMIT = 64 * 1024 * 1024  # bytes of one spec; ours of ten thousand devices has two million


def spec_files(
    directory: str, known: Mapping[str, Spec] | None = None, holding: Set[str] = frozenset(), proc: str = "/proc"
) -> tuple[SpecFile, ...]:
    """Return our specs in a directory, by name; none where it is missing.

    Args:
        directory: the spec directory.
        known: specs by file name that need not be read.
        holding: the names of those that stay for pods.
        proc: where the kernel tells when it was started.

    Raises:
        OSError: the directory cannot be read.
    """
    booted = boot_time(proc)
    found = []
    for name in sorted(filter(ours, _names(directory))):
        path = os.path.join(directory, name)
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue
        spec = (known or {}).get(name) or _read(path, status)
        found.append(
            SpecFile(
                file_name=name,
                kind=kind_of(name),
                version=spec.version if spec else None,
                devices=len(spec.devices) if spec else 0,
                written=status.st_mtime,
                earlier_boot=status.st_mtime < booted,
                held=name in holding,
            )
        )
    return tuple(found)


def boot_time(proc: str = "/proc") -> float:
    """Return when the kernel was started, in seconds since the epoch; 0 where nothing tells."""
    try:
        with open(f"{proc}/stat", encoding="ascii") as file:
            return next((float(line.split()[1]) for line in file if line.startswith("btime ")), 0.0)
    except (OSError, ValueError, IndexError):
        return 0.0


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read(path: str, status: os.stat_result) -> Spec | None:
    """Read a spec that may have been put there by anyone; ``None`` where it is none."""
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LIMIT:
        return None
    try:
        with open(path, "rb", opener=itself) as file:
            return codec.decode(file.read(_LIMIT))
    except (OSError, CDIError):
        return None
