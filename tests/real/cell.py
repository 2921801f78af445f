"""Processes that cannot outlive the test: a process and mount namespace of their own.

The first process of the namespace waits for the end of a pipe whose other end this process holds. When the
test ends, fails or is killed, the pipe closes, that process exits, and the kernel kills everything else in
the namespace and drops its mounts. Nothing has to be found and cleaned up.

Mounts made by the test after the cell was entered are seen inside only where the machine's mounts are shared.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from tests.real.scratch import BASE, base_lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

_UNSHARE = ["unshare", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child", "--mount-proc"]
_FIRST_PROCESS = r"""
set -e
exec 3<&0
while [ $# -gt 0 ]; do
    if [ "$1" = tmpfs ]; then mount -t tmpfs -o mode=755 tmpfs "$2"; else mount --rbind "$1" "$2"; fi
    shift 2
done
echo ready
cat <&3 >/dev/null &
wait $!
"""


@dataclass(frozen=True, slots=True)
class Result:
    """How a process ended, and what it wrote to both its outputs."""

    exit_code: int
    output: str


class Cell:
    """A context in which `popen` and `run` start processes that die with it.

    Args:
        private: directories that are empty inside, and where nothing written reaches the machine.
        binds: what is seen inside: place -> directory or file of the machine.
    """

    def __init__(self, *, private: Sequence[Path] = (), binds: Mapping[Path, Path] | None = None) -> None:
        self._private = private
        self._binds = binds or {}
        self._stack = ExitStack()
        self._first: subprocess.Popen[bytes] | None = None
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(_mount_points([*self._private, *self._binds]))
            self._first = stack.enter_context(self._start())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextmanager
    def _start(self) -> Iterator[subprocess.Popen[bytes]]:
        mounts = [word for path in self._private for word in ("tmpfs", str(path))]
        mounts += [word for place, source in self._binds.items() for word in (str(source), str(place))]
        with subprocess.Popen(
            [*_UNSHARE, "sh", "-c", _FIRST_PROCESS, "cell", *mounts],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as first:
            assert first.stdout is not None
            if first.stdout.readline() != b"ready\n":
                raise RuntimeError("no namespace of our own: see the message of unshare or mount above")
            yield first
        for process in self._processes:
            process.wait()

    def popen(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        stdout: IO[bytes] | int | None = None,
        stderr: IO[bytes] | int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start `argv` inside. The object stands for it, but signals go to `inside(process)`."""
        assert self._first is not None
        enter = ["nsenter", "-t", str(child_of(self._first.pid)), "-m", "-p", "--"]
        process = subprocess.Popen([*enter, *argv], env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        self._processes.append(process)
        return process

    def run(self, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> Result:
        """Run `argv` inside to its end."""
        process = self.popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = process.communicate()
        return Result(process.returncode, output.decode(errors="replace"))


def inside(process: subprocess.Popen[bytes]) -> int:
    """The process id, as this machine counts, of what a cell's `popen` started."""
    return child_of(process.pid)


def child_of(pid: int) -> int:
    """The one child of `pid`."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@contextmanager
def _mount_points(paths: Sequence[Path]) -> Iterator[None]:
    """Make the directories that are missing, and remove those with the last cell that could use them."""
    users = os.open(_users(), os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with base_lock():
            fcntl.flock(users, fcntl.LOCK_SH)
            made = [str(path) for path in _missing(paths)]
            os.write(users, "".join(f"{path}\n" for path in made).encode())
            for path in made:
                os.mkdir(path, 0o755)
        yield
    finally:
        with base_lock(), suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for path in reversed(_users().read_text().split()):
                with suppress(OSError):
                    os.rmdir(path)
            os.truncate(users, 0)
        os.close(users)


def _users() -> Path:
    BASE.mkdir(mode=0o700, exist_ok=True)
    return BASE / "mount-points"


def _missing(paths: Sequence[Path]) -> list[Path]:
    """The given directories and their parents that do not exist, parents first."""
    wanted = {ancestor for path in paths for ancestor in (path, *path.parents)}
    return sorted(path for path in wanted if not path.exists())
