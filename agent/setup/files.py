"""Files of others: read whole, replaced atomically and durably, with owner, mode, labels and link targets kept."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from agent import image
from cdi.errors import Problem

SIZE_LIMIT = 4 * 1024 * 1024
_HINTS = {
    errno.EROFS: "mount it writable, or change the image that it comes from (--root)",
    errno.ENOSPC: "free some space and run it again",
    errno.EDQUOT: "raise the quota or free some space, and run it again",
    errno.EBUSY: "it may be a mount of its own: change what is mounted there instead",
    errno.ENOTDIR: "name a file",
    errno.ELOOP: "see to the links on the way to it",
}


class FileError(Exception):
    """A file cannot be read or replaced; nothing was changed in it. ``permitted``: another user could not either."""

    def __init__(self, problem: Problem, *, permitted: bool = True) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.permitted = permitted


def real(path: str, root: str | None = None) -> str:
    """Return where a path ends when all links are followed, those of an image inside it."""
    try:
        return image.inside(root, path) if root else os.path.realpath(path)
    except OSError as error:
        raise failure(path, "followed", error) from None


def read(path: str) -> bytes | None:
    """Return what a file holds, ``None`` where it does not exist; raises `FileError`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure(path, "read", error) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileError(Problem(path, "is not a regular file", "name a file"))
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise failure(path, "read", error) from None
    finally:
        os.close(descriptor)
    if len(data) > SIZE_LIMIT:
        raise FileError(Problem(path, "is larger than 4 MiB", "this is hardly a configuration; name another file"))
    return data


def replace(path: str, data: bytes, before: bytes | None, mode: int = 0o644) -> None:
    """Make a file hold these bytes: at every instant it is the old one or the new one, whole.

    ``before`` is what it must hold now (``None``: it must not exist); ``mode`` is a new file's. Missing directories
    are made. Raises `FileError`.
    """
    _make(missing_directories(path))
    temporary = _temporary(path)
    try:
        model = _model(path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # left by one that was killed
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            _dress(file.fileno(), path, model, mode)
            os.fsync(file.fileno())
        if read(path) != before:
            raise FileError(Problem(path, "was changed by someone else at this moment", "run it again"))
        os.rename(temporary, path)
        _sync(os.path.dirname(path))
    except OSError as error:
        raise failure(path, "written", error) from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def sweep(path: str, directories: list[str]) -> None:
    """Remove what a killed run left beside a file that it did not come to write, and those directories, if empty."""
    with contextlib.suppress(OSError):
        os.unlink(_temporary(path))
    for directory in reversed(directories):
        with contextlib.suppress(OSError):
            os.rmdir(directory)


def remove(path: str, directories: list[str]) -> None:
    """Remove a file, and those of these directories that are empty then; raises `FileError`."""
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
            _sync(os.path.dirname(path))
    except OSError as error:
        raise failure(path, "removed", error) from None
    sweep(path, directories)


def failure(path: str, done: str, error: OSError) -> FileError:
    """Return the error of a system call on a file, in words."""
    reason = (error.strerror or str(error)).lower()
    if isinstance(error, PermissionError):
        if os.geteuid() == 0:
            hint = "it may be immutable: see lsattr, and take that away with chattr -i"
            return FileError(Problem(path, f"cannot be {done}: {reason}", hint), permitted=False)
        return FileError(Problem(path, f"cannot be {done}: {reason}", "run it as root"), permitted=False)
    hint = _HINTS.get(error.errno or 0, "see to the file and its disk")
    return FileError(Problem(path, f"cannot be {done}: {reason}", hint))


def _temporary(path: str) -> str:
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.cdi-sync.tmp")


def _model(path: str) -> os.stat_result | None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if status.st_nlink > 1:
        raise FileError(
            Problem(path, f"has {status.st_nlink} names (hard links), which replacing it would part",
                    "make it a file of its own: cp -p it and mv the copy over it")
        )  # fmt: skip
    return status


def _dress(descriptor: int, path: str, model: os.stat_result | None, mode: int) -> None:
    """Give a new file owner, mode and extended attributes (the SELinux label is one) of what it replaces."""
    if model is None:
        os.fchmod(descriptor, mode)
        return
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) != (model.st_uid, model.st_gid):
        os.fchown(descriptor, model.st_uid, model.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(model.st_mode))
    try:
        names = os.listxattr(path)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return
        raise
    for name in names:
        value = os.getxattr(path, name)
        with contextlib.suppress(OSError):
            if os.getxattr(descriptor, name) == value:
                continue
        os.setxattr(descriptor, name, value)


def missing_directories(path: str) -> list[str]:
    """Return the directories that a file's path lacks, the innermost last."""
    missing = []
    directory = os.path.dirname(path)
    while directory and not os.path.lexists(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    return missing[::-1]


def _make(directories: list[str]) -> None:
    try:
        for directory in directories:
            os.mkdir(directory)
            os.chmod(directory, 0o755)  # noqa: S103 - whatever the umask
            _sync(os.path.dirname(directory))
    except OSError as error:
        raise failure(directories[-1], "made", error) from None


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
