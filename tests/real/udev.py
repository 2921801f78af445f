"""The real udevd: Debian's, started by hand where none runs, so that udev's database and events are there.

    with Udevd('KERNEL=="zram*", ENV{ACME}="1", SYMLINK+="acme/%k"') as udevd, kernel() as k:
        disk = k.zram()
        udevd.settle()

Where the machine has a udevd of its own, that one is used, with the test's rules added. Where it has none, it has
none afterwards: the database, the links and the modes of nodes in /dev are as they were, even when the test was
killed; then the next test run sees to it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.real import parts
from tests.real.cell import Cell, Result, inside
from tests.real.devices import machine
from tests.real.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_RUN = Path("/run/udev")
_CONTROL = _RUN / "control"
_RULES = _RUN / "rules.d" / "99-cdi-sync-tests.rules"
# That the directory is ours, and how /dev was before.
_MARK = _RUN / "cdi-sync-tests.json"
_SECONDS = 20.0


class UdevError(Exception):
    """udevd did not start or refused; with its own words."""


class Udevd:
    """A context in which udevd runs, `machine()` held.

    Args:
        rules: udev rules, applied after all others.
    """

    def __init__(self, rules: str = "") -> None:
        self._rules = rules
        self._stack = ExitStack()
        self._daemon: subprocess.Popen[bytes] | None = None
        self._cell: Cell | None = None
        self._program: str | Path = "udevadm"
        self._environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        parts.need("root", "devtmpfs")
        with ExitStack() as stack:
            stack.enter_context(machine())
            clean_up()
            if _listening():
                stack.callback(self._withdraw)
                self.set_rules(self._rules)
            else:
                self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def pid(self) -> int:
        """The process id of the udevd started here."""
        assert self._daemon is not None, "the machine's own udevd is used"
        return inside(self._daemon)

    def set_rules(self, rules: str) -> None:
        """Replace the test's rules, for events from now on."""
        _write_rules(rules)
        if self._daemon is None:
            self.udevadm("control", "--reload")
        else:
            # A message may be lost: where udevd is about to accept the connection it can come without its
            # sender's identity, and is ignored. The signal is not, and a ping is answered after it.
            os.kill(self.pid, signal.SIGHUP)
            self.udevadm("control", "--ping")

    def trigger(self, *sysfs: Path, action: str = "change") -> None:
        """Replay the events of devices, given by their sysfs directories, and wait until they are handled."""
        self.udevadm("trigger", "--settle", f"--action={action}", *sysfs)

    def settle(self) -> None:
        """Wait until all events are handled."""
        self.udevadm("settle", "--timeout=30")

    def properties(self, sysfs: Path) -> dict[str, str]:
        """What udev's database says of a device."""
        lines = self.udevadm("info", "--query=property", f"--path={sysfs}").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def udevadm(self, *arguments: str | Path) -> str:
        """The output of `udevadm`.

        Raises:
            UdevError: it failed.
        """
        done = self._run([self._program, *arguments])
        if done.exit_code:
            raise UdevError(f"udevadm {' '.join(map(str, arguments))}: {done.output}")
        return done.output

    def _run(self, command: list[str | Path]) -> Result:
        if self._cell is not None:
            # udevd turns away whoever is not of its own process namespace.
            return self._cell.run(command, env=self._environment)
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return Result(done.returncode, done.stdout)

    def _start(self, stack: ExitStack) -> None:
        parts.need("namespaces", "udev")
        self._program, self._environment = parts.program("udev", "udevadm"), parts.environment("udev")
        stack.enter_context(_borrowed_run())
        _write_rules(self._rules)
        directory = stack.enter_context(scratch())
        rules = Path("/lib/udev").resolve()
        cell = Cell(private=[Path("/etc/udev")], binds={rules: parts.tree("udev") / "lib/udev"})
        self._cell = stack.enter_context(cell)
        # The name by which it is called tells udevadm what it is to be.
        program = directory / "systemd-udevd"
        program.symlink_to(self._program)
        with (directory / "log").open("wb") as log:
            self._daemon = cell.popen([program], env=self._environment, stdout=log, stderr=log)
        stack.callback(self._stop)
        self._wait_serving(directory / "log")

    def _wait_serving(self, log: Path) -> None:
        assert self._daemon is not None
        end = time.monotonic() + _SECONDS
        while True:
            try:
                self.udevadm("control", "--ping")
            except UdevError:
                if self._daemon.poll() is not None or time.monotonic() > end:
                    raise UdevError(log.read_text()) from None
                time.sleep(0.01)
            else:
                return

    def _stop(self) -> None:
        """Let it end by itself, so that no event is left half handled."""
        assert self._daemon is not None
        if self._daemon.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._daemon.wait(10)

    def _withdraw(self) -> None:
        _RULES.unlink(missing_ok=True)
        self.udevadm("control", "--reload")


def _write_rules(rules: str) -> None:
    """Replace the file as a whole: udevd reads a file again when its inode, size or time is another."""
    _RULES.parent.mkdir(exist_ok=True)
    new = _RULES.with_suffix(".new")
    new.write_text(rules + "\n")
    new.rename(_RULES)


def clean_up_after_kill() -> None:
    """Wait for a udevd that another test run has going, and undo what a killed one left."""
    if _MARK.exists():
        with machine():
            clean_up()


def clean_up() -> None:
    """Undo what a udevd started here left, if it did. Needs `machine()`."""
    if not _MARK.exists():
        return
    # We have the machine to ourselves, so that one is not in use: a killed one is just about to go.
    end = time.monotonic() + _SECONDS
    while _listening():
        if time.monotonic() > end:
            raise UdevError("the udevd of another test run does not end")
        time.sleep(0.01)
    before = json.loads(_MARK.read_text())
    now = _dev()
    for link in set(now["links"]).difference(before["links"]):
        os.unlink(link)
    for directory in sorted(set(now["directories"]).difference(before["directories"]), reverse=True):
        with suppress(OSError):
            os.rmdir(directory)
    for path, facts in before["nodes"].items():
        with suppress(FileNotFoundError):
            _restore(path, *facts)
    shutil.rmtree(_RUN)


@contextmanager
def _borrowed_run() -> Iterator[None]:
    """Make /run/udev, marked as ours, and undo everything afterwards."""
    if _RUN.exists():
        raise parts.MissingPartError(f"udev: there is a {_RUN}, but no udevd that answers")
    mark = json.dumps(_dev())
    _RUN.mkdir()
    _MARK.write_text(mark)
    try:
        yield
    finally:
        clean_up()


def _dev() -> dict[str, Any]:
    """The directories and links in /dev, and each node's mode, owner, group and number."""
    directories, links, nodes = [], [], {}
    for top, children, names in os.walk("/dev"):
        directories.append(top)
        for path in (f"{top}/{name}" for name in (*children, *names)):
            with suppress(FileNotFoundError):
                node = os.lstat(path)
                if stat.S_ISLNK(node.st_mode):
                    links.append(path)
                elif node.st_rdev:
                    nodes[path] = stat.S_IMODE(node.st_mode), node.st_uid, node.st_gid, node.st_rdev
    return {"directories": directories, "links": links, "nodes": nodes}


def _restore(path: str, mode: int, uid: int, gid: int, number: int) -> None:
    node = os.lstat(path)
    if node.st_rdev == number and (stat.S_IMODE(node.st_mode), node.st_uid, node.st_gid) != (mode, uid, gid):
        os.chown(path, uid, gid)
        os.chmod(path, mode)


def _listening() -> bool:
    """Whether a udevd, or systemd on behalf of one, waits at its control socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        return client.connect_ex(str(_CONTROL)) == 0


def without_libudev() -> tuple[str, ...]:
    """Return the command under which a program finds no libudev.

    Raises:
        MissingPartError: there is none to be hidden.
    """
    parts.need("root", "namespaces")
    library = next(Path("/usr/lib").glob("*/libudev.so.1.*"), None)
    if library is None:
        raise parts.MissingPartError("libudev (libudev1 is not installed)")
    return "unshare", "--mount", "sh", "-c", f'mount --bind /dev/null {library} && exec "$@"', "sh"
