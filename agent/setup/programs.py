"""Programs of a container runtime: which are installed, which run and how, what they answer, how to restart them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.runtimes.answers import Version

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_VERSION = re.compile(r"(?<![\w.])v?(\d{1,4})\.(\d{1,4})(?:\.\d+)?")
SECONDS = 60.0


class ProgramError(Exception):
    """A program could not be run or failed; the message is its own last word."""


@dataclass(frozen=True, slots=True)
class Process:
    """A running daemon: its executable, and its command line without that."""

    pid: int
    executable: str
    arguments: tuple[str, ...]

    def option(self, *names: str) -> str | None:
        """Return the value of an option, given as ``--name value`` or ``--name=value``."""
        for index, word in enumerate(self.arguments):
            name, equals, value = word.partition("=")
            if name in names:
                return value if equals else next(iter(self.arguments[index + 1 :]), None)
        return None


def find(name: str) -> str | None:
    """Return the path of an installed program."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_PATH}")


def processes(name: str) -> Iterator[Process]:
    """Yield the running processes of a program."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().decode("utf-8", "surrogateescape").split("\0")
            if os.path.basename(words[0]) == name:
                yield Process(int(entry), os.readlink(f"/proc/{entry}/exe"), tuple(words[1:-1]))
        except OSError:
            continue


def run(argv: Sequence[str], seconds: float = SECONDS) -> str:
    """Run a program to its end and return its standard output; raises `ProgramError`."""
    try:
        done = subprocess.run(  # noqa: S603 - the runtime's own program, or what the user told us to run
            argv, check=False, capture_output=True, text=True, errors="replace", timeout=seconds,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ProgramError(f"{argv[0]} does not end within {seconds:.0f} s") from None
    except (OSError, ValueError) as error:
        raise ProgramError(f"{argv[0]} cannot be run: {getattr(error, 'strerror', None) or error}") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or done.stdout.strip().splitlines()
        raise ProgramError(f"{argv[0]}: {lines[-1] if lines else f'exit code {done.returncode}'}")
    return done.stdout


def version(text: str) -> Version | None:
    """Return major and minor out of what ``--version`` prints, or out of what a user typed."""
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else None


def installed_version(binary: str) -> Version | None:
    """Ask a program for its version; ``None`` where it does not tell."""
    try:
        return version(run([binary, "--version"]))
    except ProgramError:
        return None


def restart_command(given: str | None, unit: str) -> list[str] | None:
    """Return the command that restarts a daemon; ``None`` where there is no systemd and none was given."""
    if given:
        return shlex.split(given)
    if os.path.isdir("/run/systemd/system") and (systemctl := find("systemctl")):
        return [systemctl, "restart", unit]
    return None
