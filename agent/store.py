"""The spec directory: the one place that writes there, atomically and durably, and only files of ours."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from agent import durable, holding
from agent.config.settings import SPEC_PREFIX, SPEC_SUFFIX
from agent.plan import Change, Write
from cdi.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from agent.holding import Holder

LOCK_NAME = ".cdi-sync.lock"
_TEMPORARY = ".tmp"  # runtimes read hidden files too, but only *.json and *.yaml
_OURS = re.compile(rf"{re.escape(SPEC_PREFIX)}[A-Za-z0-9_.-]+\+[A-Za-z0-9_.-]+{re.escape(SPEC_SUFFIX)}")
_MODE = 0o644
_CLOCK_TICK = 50_000_000  # nanoseconds; changes closer together than this may leave the same times on a file
_HINTS = {
    errno.ENOSPC: "free some space; it is tried again",
    errno.EDQUOT: "raise the quota or free some space; it is tried again",
    errno.EROFS: "mount it writable; it is tried again",
    errno.ENOENT: "make it again, mode 0755; it is picked up when it is back",
    errno.ENOTDIR: "name a directory",
    errno.EEXIST: "move away what is in its place, a file or a link that leads nowhere; it is tried again",
    errno.ENAMETOOLONG: "name a directory",
}


class StoreError(Exception):
    """The spec directory cannot be used as it is; ``problem`` says why.

    ``permitted`` is false where another user could, ``busy`` is true where another process has it.
    """

    def __init__(self, problem: Problem, *, permitted: bool = True, busy: bool = False) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.permitted = permitted
        self.busy = busy


@dataclass(frozen=True, slots=True)
class Signature:
    """What tells that a file is still the one that was read: device, inode, times and size."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """Take it from what ``stat`` says."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class _Known:
    """What a file held (``None``: it is no plain file); ``lasting``: any change since must show in its signature."""

    signature: Signature
    data: bytes | None
    lasting: bool

    @classmethod
    def of(cls, status: os.stat_result, data: bytes | None) -> Self:
        return cls(Signature.of(status), data, time.time_ns() - status.st_ctime_ns > _CLOCK_TICK)


def ours(name: str) -> bool:
    """Tell whether a file name in a spec directory is one of our specs."""
    return _OURS.fullmatch(name) is not None


def kind_of(name: str) -> str:
    """Return the kind that one of our specs is of, by its file name."""
    return name.removeprefix(SPEC_PREFIX).removesuffix(SPEC_SUFFIX).replace("+", "/")


def passing(name: str) -> bool:
    """Tell whether a file is of our own housekeeping: the lock, or a file being written."""
    return name == LOCK_NAME or _is_temporary(name)


def holder(directory: str, proc: str = "/proc") -> Holder | None:
    """Return who has the lock of a spec directory; ``None`` where nobody has. Raises `OSError`."""
    try:
        lock = os.lstat(os.path.join(directory, LOCK_NAME))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return holding.holder(lock, proc)


def _is_temporary(name: str) -> bool:
    return name.startswith("." + SPEC_PREFIX) and name.endswith(_TEMPORARY)


class SpecDirectory:
    """A directory of specs. Reading needs nothing; writing needs the lock."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._cache: dict[str, _Known] = {}

    def present(self) -> Mapping[str, bytes | None]:
        """Return our specs by file name; ``None`` for what is not a plain file of mode 0644, and so not as we leave it.

        A file is read again only when it changed. Raises `StoreError` where the directory cannot be read; one that
        is not there is empty.
        """
        try:
            names = [name for name in os.listdir(self.path) if ours(name)]
        except FileNotFoundError:
            names = []
        except OSError as error:
            raise _store_error(self.path, "listed", error) from None
        self._cache = {name: found for name in names if (found := self._read(name))}
        return {name: known.data for name, known in self._cache.items()}

    def others(self) -> tuple[str, ...]:
        """Return the paths of the specs that are not ours, sorted."""
        try:
            names = os.listdir(self.path)
        except OSError:
            return ()
        return tuple(
            os.path.join(self.path, name)
            for name in sorted(names)
            if name.endswith((".json", ".yaml")) and not ours(name)
        )

    def as_left(self, name: str) -> bool:
        """Tell whether a file of ours is just as this process last saw or wrote it; it is read only if it is young."""
        known = self._cache.get(name)
        try:
            now = known and self._read(name)
        except StoreError:
            return False
        if known is None or now is None or (known.signature, known.data) != (now.signature, now.data):
            return False
        self._cache[name] = now
        return True

    def known(self, name: str) -> bytes | None:
        """Return what a file of ours held when this process last saw or wrote it."""
        return self._cache[name].data if name in self._cache else None

    def note(self, name: str, data: bytes) -> None:
        """Remember a file as it was just written."""
        with contextlib.suppress(OSError):
            self._cache[name] = _Known.of(os.lstat(os.path.join(self.path, name)), data)

    def _read(self, name: str) -> _Known | None:
        path = os.path.join(self.path, name)
        try:
            status = os.lstat(path)
            known = self._cache.get(name)
            if known and known.lasting and known.signature == Signature.of(status):
                return known
            if not stat.S_ISREG(status.st_mode) or stat.S_IMODE(status.st_mode) != _MODE:
                return _Known.of(status, None)
            with open(path, "rb", opener=itself) as file:
                return _Known.of(status, file.read())
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return _Known.of(status, None)
            raise _store_error(path, "read", error) from None


class Writer:
    """The right to write to a spec directory: its lock, held until `close`."""

    def __init__(self, directory: SpecDirectory, *, create: bool) -> None:
        """Take the lock.

        ``create``: make the directory where it is missing. Raises `StoreError` where it cannot be used, or where
        another process has it (naming it).
        """
        self.directory = directory
        if create:
            self._create()
        self._lock = self._take()
        self._owing = True  # whoever was killed here may have renamed files, and not made that last

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the lock back, and leave nothing behind. See `_take` for why its file can go."""
        if self.valid:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self.directory.path, LOCK_NAME))
        os.close(self._lock)

    @property
    def valid(self) -> bool:
        """Whether the lock is still the directory's: false once the directory was removed or replaced."""
        try:
            now = os.stat(os.path.join(self.directory.path, LOCK_NAME), follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(os.fstat(self._lock), now)

    def _create(self) -> None:
        path = self.directory.path
        try:
            if not os.path.isdir(path):
                os.makedirs(path, exist_ok=True)  # another may be making it just now
                os.chmod(path, 0o755)  # noqa: S103 - whatever the umask: rootless runtimes read here too
        except OSError as error:
            raise _store_error(path, "made", error) from None

    def _take(self) -> int:
        path = os.path.join(self.directory.path, LOCK_NAME)
        while True:
            lock = self._lock_file(path)
            with contextlib.ExitStack() as given_back:
                given_back.callback(os.close, lock)
                # Whoever had it before may have removed the file between our opening and our locking it: then this is
                # the lock of nothing, and another may hold the real one.
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(lock), os.lstat(path)):
                        self._sign(path)
                        self._sweep()
                        given_back.pop_all()
                        return lock

    def _lock_file(self, path: str) -> int:
        try:
            # Open for reading only: a file that is open for writing keeps its file system from being remounted.
            lock = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        except OSError as error:
            raise _store_error(self.directory.path, "written", error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(lock, 200, 0).decode("utf-8", "replace").strip()
            os.close(lock)
            if error.errno != errno.EWOULDBLOCK:
                raise _store_error(self.directory.path, "locked", error) from None
            raise _busy(self.directory.path, holder) from None
        return lock

    @staticmethod
    def _sign(path: str) -> None:
        """Write into the lock who holds it. On a full disk that fails, and the lock works all the same."""
        with contextlib.suppress(OSError), open(path, "r+b", opener=itself) as file:
            file.truncate()
            file.write(f"{holding.process(os.getpid())}\n".encode())

    def apply(self, changes: Iterable[Change]) -> list[StoreError]:
        """Make the changes, each atomic and durable; what fails is returned, and leaves the old file whole."""
        failures: list[StoreError] = []
        done = False
        for change in changes:
            try:
                self._write(change) if isinstance(change, Write) else self._remove(change.name)
                done = True
            except OSError as error:
                path = os.path.join(self.directory.path, change.name)
                failures.append(_store_error(path, "written" if isinstance(change, Write) else "removed", error))
        if done or (self._owing and not failures):
            self._sync_directory(failures)
        return failures

    def _sweep(self) -> None:
        """Remove temporary files that an earlier process left when it was killed."""
        with contextlib.suppress(OSError):
            for name in filter(_is_temporary, os.listdir(self.directory.path)):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(self.directory.path, name))

    def _write(self, change: Write) -> None:
        temporary = os.path.join(self.directory.path, f".{change.name}{_TEMPORARY}")
        durable.replace(os.path.join(self.directory.path, change.name), temporary, change.data, _MODE)
        self.directory.note(change.name, change.data)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.directory.path, name))

    def _sync_directory(self, failures: list[StoreError]) -> None:
        self._owing = True
        try:
            durable.sync(self.directory.path)
            self._owing = False
        except OSError as error:
            failures.append(_store_error(self.directory.path, "synced", error))


def itself(path: str, flags: int) -> int:
    """Open for `open` what was just seen at a path; what took its place meanwhile is not followed or waited for."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _busy(path: str, holder: str) -> StoreError:
    who = holder or "another process"
    problem = Problem(
        path, f"is kept by {who}", "stop that one first, or use --dry-run or --check, which change nothing"
    )
    return StoreError(problem, busy=True)


def _store_error(path: str, done: str, error: OSError) -> StoreError:
    permitted = not isinstance(error, PermissionError)
    hint = _HINTS.get(error.errno or 0, "see to the file system; it is tried again")
    if not permitted:
        hint = "run it as root, or choose a directory of your own with --spec-dir"
        if os.geteuid() == 0:
            hint = "see what forbids it even to root: an immutable file, a security policy, a capability taken away"
    return StoreError(
        Problem(path, f"cannot be {done}: {(error.strerror or str(error)).lower()}", hint),
        permitted=permitted,
    )
