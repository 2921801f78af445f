"""Directories with short names that never outlive their run for long.

A unix socket's path must fit in 107 bytes, so these lie below one fixed directory wherever the checkout is.
Each is locked by the run that uses it; what a killed run left behind is removed by the next one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = Path("/var/tmp/cdi-sync-tests")
_CGROUPS = "cdi-sync-tests"


@contextmanager
def scratch() -> Iterator[Path]:
    """A new directory below `BASE`, removed afterwards with the control groups that bear its name."""
    with base_lock():
        _sweep()
        path = Path(tempfile.mkdtemp(dir=BASE, prefix="r-"))
        lock = _lock(path / "lock", fcntl.LOCK_EX)
    try:
        yield path
    finally:
        _discard_cgroups(path)
        # Whoever sweeps must not meet a directory that is half gone.
        with base_lock():
            shutil.rmtree(path)
        os.close(lock)


@contextmanager
def base_lock() -> Iterator[None]:
    """Held while directories below `BASE` come and go."""
    BASE.mkdir(mode=0o700, exist_ok=True)
    if BASE.is_symlink() or BASE.stat().st_uid != os.getuid():
        raise PermissionError(f"{BASE} is not ours")
    lock = _lock(BASE / "lock", fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)


def cgroup_parent(path: Path) -> str:
    """The control group for whatever runs on behalf of the scratch directory `path`."""
    # Not below a common one: its removal would race with runc, which makes one level after the other.
    return f"/{_CGROUPS}-{path.name}"


def _sweep() -> None:
    for path in BASE.glob("r-*"):
        with suppress(BlockingIOError, FileNotFoundError):
            os.close(_lock(path / "lock", fcntl.LOCK_EX | fcntl.LOCK_NB))
            _discard_cgroups(path)
            shutil.rmtree(path)


def _discard_cgroups(path: Path) -> None:
    for controller in _cgroup_roots():
        _remove_cgroups(controller / cgroup_parent(path).lstrip("/"))


def _cgroup_roots() -> list[Path]:
    top = Path("/sys/fs/cgroup")
    return [top, *(path for path in top.glob("*") if path.is_dir() and not path.is_symlink())]


def _remove_cgroups(top: Path) -> None:
    if not top.is_dir():
        return
    for path, _, _ in os.walk(top, topdown=False):
        _rmdir_patiently(path)


def _rmdir_patiently(path: str, seconds: float = 5) -> None:
    """A control group stays busy for a moment after its last process is gone."""
    end = time.monotonic() + seconds
    while True:
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


def _lock(path: Path, how: int) -> int:
    """Open and lock `path`; the lock ends with the descriptor, and so with the process."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, how)
    except BaseException:
        os.close(fd)
        raise
    return fd
