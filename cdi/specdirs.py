"""Spec directories into values: the one module of this library that touches the disk.

Files are read as runtimes do: names that end in ``.json`` or ``.yaml``, hidden ones too, links followed, no
sub-directories. Beyond that, nothing that could hang or swamp the reader is opened: only regular files, up to a size.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from cdi import codec, validation
from cdi.errors import CDIError, Problem
from cdi.hostnode import FileType, HostNode
from cdi.model import Spec
from cdi.registry import Changes, Registry, SpecFile, difference, index

DEFAULT_DIRECTORIES = ("/etc/cdi", "/var/run/cdi")
EXTENSIONS = (".json", ".yaml")

# Device, inode, size, times of change: a file with the same ones has the same content.
_Signature: TypeAlias = tuple[int, int, int, int, int]

# Which errors a spec has: validation.check, or validation.rejected for the runtimes' own verdict.
Check: TypeAlias = Callable[[Spec], tuple[Problem, ...]]

# Changes closer together than this may leave the same time on a file: the kernel's clock of files ticks.
_CLOCK_TICK = 50_000_000

_PART = 1024 * 1024

_TYPES: dict[int, FileType] = {
    stat.S_IFBLK: "b",
    stat.S_IFCHR: "c",
    stat.S_IFIFO: "p",
    stat.S_IFLNK: "link",
}


def load_file(path: str) -> Spec:
    """Return the spec that a file holds, as runtimes would load it.

    Raises:
        CDIError: the file cannot be read, or runtimes reject it, or it would crash one.
    """
    return _judged(read_file(path), path, validation.check)


def read_file(path: str) -> bytes:
    """Return the content of a spec file.

    Raises:
        CDIError: it is not a regular file, too large, or cannot be read.
    """
    return _read(path)[0]


def host_node(path: str) -> HostNode | None:
    """Return what the node has at ``path``, a link not followed; None where nothing can be seen."""
    try:
        seen = os.lstat(path)
    except (OSError, ValueError):
        return None
    return HostNode(
        type=_TYPES.get(stat.S_IFMT(seen.st_mode), "other"),
        major=os.major(seen.st_rdev),
        minor=os.minor(seen.st_rdev),
        mode=stat.S_IMODE(seen.st_mode),
    )


@dataclass(frozen=True, slots=True)
class _Look:
    signature: _Signature | None
    file: SpecFile


@dataclass(slots=True)
class SpecDirs:
    """A list of spec directories, in order of rising priority, and what they held when last looked at.

    :meth:`refresh` reads only the files that have changed since. Whoever wants to know when to call it watches the
    directories.
    """

    directories: Sequence[str] = DEFAULT_DIRECTORIES
    registry: Registry = field(default_factory=Registry)
    problems: dict[str, Problem] = field(default_factory=dict)
    check: Check = validation.check
    _seen: dict[str, _Look] = field(default_factory=dict)

    def refresh(self) -> Changes:
        """Look again; return what is other than the last time. ``problems`` are those of directories."""
        seen: dict[str, _Look] = {}
        self.problems = {}
        for priority, directory in enumerate(self.directories):
            for path in self._paths(directory):
                seen[path] = self._load(path, priority)
        self._seen = seen
        old, self.registry = self.registry, index(look.file for look in seen.values())
        return difference(old, self.registry)

    def _paths(self, directory: str) -> list[str]:
        try:
            with os.scandir(directory) as entries:
                names = [
                    entry.name for entry in entries if entry.name.endswith(EXTENSIONS) and not _is_directory(entry)
                ]
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            self.problems[directory] = Problem(directory, f"the directory cannot be read: {_reason(error)}")
            return []
        return [os.path.join(directory, name) for name in sorted(names, key=os.fsencode)]

    def _load(self, path: str, priority: int) -> _Look:
        known = self._seen.get(path)
        if (
            known
            and known.file.priority == priority
            and known.signature is not None
            and known.signature == _signature_at(path)
        ):
            return known
        try:
            data, signature = _read(path)
        except CDIError as error:
            return _Look(None, SpecFile(path, priority, problems=error.problems))
        try:
            return _Look(signature, SpecFile(path, priority, self._judged(data, path)))
        except CDIError as error:
            return _Look(signature, SpecFile(path, priority, problems=error.problems))

    def _judged(self, data: bytes, path: str) -> Spec:
        return _judged(data, path, self.check)


def load(directories: Sequence[str] = DEFAULT_DIRECTORIES) -> Registry:
    """Return what these directories offer now."""
    dirs = SpecDirs(directories)
    dirs.refresh()
    return dirs.registry


def _judged(data: bytes, path: str, check: Check) -> Spec:
    spec = codec.decode(data, path)
    if problems := check(spec):
        raise CDIError(*(problem.within(path) for problem in problems))
    return spec


def _read(path: str) -> tuple[bytes, _Signature | None]:
    try:
        # Looked at first, since opening some device nodes has effects. Not blocking, since it may be a FIFO by then.
        _require_regular(os.stat(path), path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            seen = os.fstat(descriptor)
            _require_regular(seen, path)
            return _content(descriptor, path), _signature(seen)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise CDIError(Problem(path, f"the file cannot be read: {_reason(error)}")) from error


def _require_regular(seen: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(seen.st_mode):
        raise CDIError(Problem(path, "this is not a regular file"))


def _content(descriptor: int, path: str) -> bytes:
    """Read up to the limit and a byte more: a size told beforehand is no promise (/proc, files that grow)."""
    parts = []
    left = codec.MAX_SIZE + 1
    while left and (part := os.read(descriptor, min(left, _PART))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise CDIError(Problem(path, f"the file has more than {codec.MAX_SIZE} bytes", "such files are not read"))
    return b"".join(parts)


def _signature(seen: os.stat_result) -> _Signature | None:
    """Return a file's signature, None while it is so young that another change would leave the same one."""
    if time.time_ns() - seen.st_ctime_ns < _CLOCK_TICK:
        return None
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def _signature_at(path: str) -> _Signature | None:
    try:
        return _signature(os.stat(path))
    except (OSError, ValueError):
        return None


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
