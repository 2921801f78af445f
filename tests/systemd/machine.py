"""A whole Debian, booted by systemd-nspawn for a test, with this project in /opt/cdi-sync and its units enabled.

Nothing written inside reaches this machine, it has no network, and it cannot outlive the test.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.real import parts
from tests.real.cell import Cell, Result, child_of, inside
from tests.real.scratch import cgroup_parent, scratch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

UNITS = parts.REPOSITORY / "contrib" / "systemd"
_BOOT_SECONDS = 60.0
_PROGRAM = "#!/opt/cdi-sync/bin/python3\nimport sys\nfrom agent.cli import entry\nsys.exit(entry())\n"
_ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
}

# $1: Debian, $2: an empty directory, $3: what is laid over Debian, $4: the name of the control groups.
_BOOT = r"""
set -e
mount -t tmpfs -o mode=755 tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
cp -a "$3/." "$2/upper/"
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
while read -r _ _ _ top place _ rest; do
    case " $rest" in *" - cgroup"*) ;; *) continue ;; esac
    test "$top" = / && mkdir "$place/$4" && echo $$ > "$place/$4/cgroup.procs" || true
done < /proc/self/mountinfo
exec systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --console=pipe --link-journal=no \
    --capability=CAP_BPF --system-call-filter=bpf --directory="$2/root"
"""


class Machine:
    """A context in which Debian runs.

    Args:
        files: laid over Debian: path -> text. A text that begins with `#!` is made executable, `-> TARGET` a link.
        enabled: units of this project or of `files` that start at boot.
    """

    def __init__(self, files: Mapping[str, str], enabled: Sequence[str] = ("cdi-sync.service",)) -> None:
        self._files = dict(files)
        self._enabled = enabled
        self._stack = ExitStack()
        self._leader = 0

    def __enter__(self) -> Self:
        if reason := _obstacle():
            raise parts.MissingPartError(f"systemd-nspawn ({reason})")
        with ExitStack() as stack:
            directory = stack.enter_context(scratch())
            log = stack.enter_context((directory / "console").open("wb"))
            over, room = directory / "over", directory / "room"
            room.mkdir()
            self._lay(over)
            cell = stack.enter_context(Cell())
            argv: list[str | Path] = ["sh", "-c", _BOOT, "boot"]
            argv += [parts.tree("debian"), room, over, cgroup_parent(directory).lstrip("/")]
            process = cell.popen(argv, env=_nspawn_environment(), stdout=log, stderr=subprocess.STDOUT)
            self._await_boot(process, directory / "console")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _lay(self, over: Path) -> None:
        """Make the tree that is laid over Debian."""
        site = over / "opt/cdi-sync/lib/python3.11/site-packages"
        shutil.copytree(parts.tree("dependencies"), site, symlinks=True)
        for package in ("agent", "cdi"):
            shutil.copytree(parts.REPOSITORY / package, site / package)
        files = {
            "/opt/cdi-sync/pyvenv.cfg": "home = /usr/bin\ninclude-system-site-packages = false\n",
            "/opt/cdi-sync/bin/python3": "-> /usr/bin/python3",
            "/opt/cdi-sync/bin/cdi-sync": _PROGRAM,
            **{f"/etc/systemd/system/{unit.name}": unit.read_text() for unit in UNITS.glob("*.service")},
            **self._files,
            **{f"/etc/systemd/system/multi-user.target.wants/{unit}": f"-> ../{unit}" for unit in self._enabled},
        }
        for path, text in files.items():
            _make(over / path.lstrip("/"), text)

    def _await_boot(self, process: subprocess.Popen[bytes], console: Path) -> None:
        """Wait until systemd takes orders; whether all units have started is another thing."""
        end = time.monotonic() + _BOOT_SECONDS
        while time.monotonic() < end and process.poll() is None:
            with suppress(IndexError, FileNotFoundError, ProcessLookupError):
                self._leader = child_of(inside(process))
                if self.run("systemctl", "list-jobs").exit_code == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"Debian does not boot: {console.read_text(errors='replace')}")

    def run(self, *argv: str) -> Result:
        """Run a command inside to its end."""
        enter = ["nsenter", f"--target={self._leader}", "--all", "--wdns=/", "--"]
        clean = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            "SYSTEMD_PAGER": "",
            "SYSTEMD_COLORS": "0",
        }
        done = subprocess.run(
            [*enter, *argv], check=False, env=clean, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=120,
        )  # fmt: skip
        return Result(done.returncode, done.stdout)

    def shell(self, script: str) -> str:
        """Run a script of the shell inside, and return what it prints; a failure is one of the test."""
        result = self.run("sh", "-ec", script)
        assert result.exit_code == 0, f"{script}: {result.output}"
        return result.output.strip()

    def property(self, unit: str, name: str) -> str:
        """What systemd says of a unit."""
        return self.shell(f"systemctl show --value --property={name} {unit}")

    def read(self, path: str) -> str:
        """The text of a file inside."""
        return Path(f"/proc/{self._leader}/root{path}").read_text()

    def write(self, path: str, text: str) -> None:
        """Replace a file inside."""
        _make(Path(f"/proc/{self._leader}/root{path}"), text)

    def journal(self, *arguments: str) -> str:
        """What was logged in this boot."""
        return self.shell(f"journalctl --no-pager --output=cat {' '.join(arguments)}")


def _nspawn_environment() -> dict[str, str]:
    # As on today's nodes, whatever this machine has: only there a unit's device policy holds in a container.
    return {**parts.environment("nspawn"), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}


@functools.cache
def _obstacle() -> str:
    """Why this machine runs no such container; empty when it does."""
    argv = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--volatile=overlay"]
    with Cell() as cell:
        result = cell.run([*argv, f"--directory={parts.tree('debian')}", "true"], env=_nspawn_environment())
    return "" if result.exit_code == 0 else result.output.strip().splitlines()[-1]


def _make(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if text.startswith("-> "):
        path.symlink_to(text.removeprefix("-> "))
        return
    path.write_text(text)
    os.chmod(path, 0o755 if text.startswith("#!") else 0o644)
