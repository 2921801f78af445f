"""What is measured of a process, and how a figure is told."""

from __future__ import annotations

import os
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.agent.running import context_switches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MEMORY = Path("/sys/fs/cgroup/memory")  # version 1
_UNIFIED = Path("/sys/fs/cgroup")
# Where the rest of the machine sends no uevents and mounts nothing: a program's rest is to be measured, not theirs.
ALONE = ("unshare", "--user", "--map-root-user", "--net", "--mount")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: the median of ``runs`` values, with the smallest and the largest."""

    name: str
    unit: str
    median: float
    least: float
    most: float
    runs: int

    @classmethod
    def of(cls, name: str, unit: str, values: Sequence[float]) -> Figure:
        return cls(name, unit, statistics.median(values), min(values), max(values), len(values))


def memory(pid: int) -> dict[str, float]:
    """The sizes of a process in MiB, by the kernel's names; ``Private`` is what would be free if it ended."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {name: int(value.split()[0]) / 1024 for name, value in (line.split(":") for line in lines)}
    return {**sizes, "Private": sizes["Private_Clean"] + sizes["Private_Dirty"]}


def processor_time(pid: int) -> float:
    """Return the processor time that a process has used, in seconds, to the nanosecond where the kernel tells."""
    total = 0.0
    for task in os.listdir(f"/proc/{pid}/task"):
        total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0]) / 1e9
    return total


def resting(who: str, pid: int, seconds: int) -> Iterator[Figure]:
    """Measure a process that has nothing to do: its size, and its rest."""
    time.sleep(2)
    sizes = memory(pid)
    yield Figure.of(f"{who}, resident", "MiB", [sizes["Rss"]])
    yield Figure.of(f"{who}, proportional", "MiB", [sizes["Pss"]])
    yield Figure.of(f"{who}, private", "MiB", [sizes["Private"]])
    yield Figure.of(f"{who}, private and dirty", "MiB", [sizes["Private_Dirty"]])
    before, used = context_switches(pid), processor_time(pid)
    time.sleep(seconds)
    yield Figure.of(f"{who}, wake-ups in {seconds} idle seconds", "", [context_switches(pid) - before])
    idle = 1000 * (processor_time(pid) - used)
    yield Figure.of(f"{who}, processor time in {seconds} idle seconds", "ms", [idle])


class Group:
    """A control group that counts the memory of what runs in it; ``under`` is the command that enters it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.under = ("sh", "-c", f'echo $$ > {directory}/cgroup.procs && exec "$@"', "sh")

    def working_set(self) -> float:
        """What Kubernetes shows as its memory, in MiB: all that is charged but file pages that nobody uses."""
        version_1 = (self._directory / "memory.usage_in_bytes").exists()
        usage = "memory.usage_in_bytes" if version_1 else "memory.current"
        inactive = "total_inactive_file" if version_1 else "inactive_file"
        stat = dict(line.split() for line in (self._directory / "memory.stat").read_text().splitlines())
        return (int((self._directory / usage).read_text()) - int(stat[inactive])) / 2**20


@contextmanager
def group(name: str) -> Iterator[Group | None]:
    """Make a fresh control group, None where the machine lets us make none that counts memory."""
    directory = (_MEMORY if _MEMORY.is_dir() else _UNIFIED) / name
    try:
        directory.mkdir()
    except OSError:
        yield None
        return
    try:
        counts = any((directory / file).exists() for file in ("memory.usage_in_bytes", "memory.current"))
        yield Group(directory) if counts else None
    finally:
        directory.rmdir()
