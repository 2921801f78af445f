"""What the real tests stand on: which parts there are, where they lie, and why one is missing.

A part is either fetched by `python -m tests.real.provision`, from Debian's archive or from the index of Python
packages, or a quality of the machine.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REPOSITORY = Path(__file__).resolve().parents[2]

# Bookworm's packages still say /bin and /lib.
_PROGRAMS = ("usr/bin", "usr/sbin", "bin", "sbin")
_LIBRARIES = ("usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib/*-linux-gnu*/systemd")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Packages of one Debian suite, unpacked side by side into a directory of their own."""

    suite: str
    packages: tuple[str, ...]

    @property
    def recipe(self) -> str:
        """What a complete part bears as its stamp; another recipe makes it incomplete again."""
        return f"{self.suite}: {' '.join(self.packages)}\n"


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """A minimal Debian of one suite with these packages installed, which can be booted."""

    suite: str
    packages: tuple[str, ...]

    @property
    def recipe(self) -> str:
        """As of `Unpacked`."""
        return f"bootstrapped {self.suite}: {' '.join(self.packages)}\n"


@dataclass(frozen=True, slots=True)
class Installed:
    """What this project depends on, for another Python of this machine's kind than the one that runs the tests."""

    python: str

    @property
    def requirements(self) -> tuple[str, ...]:
        """The dependencies as the project declares them."""
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
        return tuple(project["project"]["dependencies"])

    @property
    def recipe(self) -> str:
        """As of `Unpacked`."""
        return f"for {self.python}: {' '.join(self.requirements)}\n"


# Libraries are listed where a minimal Debian lacks them; those of the base system are as new or newer.
UNPACKED = {
    "containerd-1.6": Unpacked("bookworm", ("containerd",)),
    "containerd-1.7": Unpacked("trixie", ("containerd",)),
    "containerd-2": Unpacked("sid", ("containerd",)),
    "runc": Unpacked("bookworm", ("runc", "libseccomp2")),
    "busybox": Unpacked("bookworm", ("busybox-static",)),
    "podman": Unpacked(
        "bookworm",
        (
            *("podman", "conmon", "golang-github-containers-common", "golang-github-containers-image"),
            *("libassuan0", "libdevmapper1.02.1", "libglib2.0-0", "libgpgme11", "libseccomp2", "libsubid4"),
        ),
    ),
    "udev": Unpacked("bookworm", ("udev", "libkmod2")),
    "faketime": Unpacked("bookworm", ("libfaketime",)),
    "prometheus": Unpacked("bookworm", ("prometheus",)),
    "debootstrap": Unpacked("bookworm", ("debootstrap", "libpsl5", "wget")),
    "nspawn": Unpacked(
        "bookworm",
        ("systemd-container", "libsystemd-shared", "libip4tc2", "libkmod2", "libseccomp2", "libssl3"),
    ),
}
FETCHED: dict[str, Unpacked | Bootstrapped | Installed] = {
    **UNPACKED,
    "debian": Bootstrapped("bookworm", ("systemd-sysv", "dbus", "udev", "procps", "python3", "libudev1")),
    "dependencies": Installed("3.11"),
}


class MissingPartError(Exception):
    """A real part that this machine lacks; the pytest plugin makes a skip of it, or in CI a failure."""


def cache() -> Path:
    """Where fetched parts lie."""
    return Path(os.environ.get("CDI_SYNC_TEST_CACHE") or REPOSITORY / ".cache" / "real").absolute()


def need(*names: str) -> None:
    """Return if all these parts are here.

    Raises:
        MissingPartError: naming each that is not, and why.
    """
    absent = {name: reason for name in names if (reason := missing(name))}
    if absent:
        raise MissingPartError(in_words(absent))


def in_words(absent: Mapping[str, str]) -> str:
    """Missing parts with their reasons; those with one reason are named together."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in absent.items():
        by_reason.setdefault(reason, []).append(name)
    return "; ".join(f"{', '.join(names)} ({reason})" for reason, names in by_reason.items())


def tree(name: str) -> Path:
    """The directory of a fetched part (an unpacked one has `usr/bin` and so on).

    Raises:
        MissingPartError: when it is not here.
    """
    need(name)
    return cache() / name


def program(part: str, name: str) -> Path:
    """An executable of an unpacked part.

    Raises:
        MissingPartError: when the part is not here.
    """
    top = tree(part)
    return next(path for place in _PROGRAMS if (path := top / place / name).exists())


def environment(*names: str) -> dict[str, str]:
    """This process's environment, with the programs and libraries of these unpacked parts first.

    Raises:
        MissingPartError: when one is not here.
    """
    need(*names)
    programs = [str(tree(name) / place) for name in names for place in _PROGRAMS]
    libraries = [str(path) for name in names for place in _LIBRARIES for path in tree(name).glob(place)]
    path = ":".join([*programs, os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "LD_LIBRARY_PATH": ":".join(libraries)}


def missing(name: str) -> str:
    """Why this part is missing; empty when it is there."""
    if name in FETCHED:
        return "" if complete(name) else _reasons().get(name, "run python -m tests.real.provision")
    return MACHINE[name]()


def complete(name: str) -> bool:
    """Whether the part was fetched to the end, by its present recipe."""
    try:
        return (cache() / name / ".recipe").read_text() == FETCHED[name].recipe
    except OSError:
        return False


def record(reasons: dict[str, str]) -> None:
    """Remember for later test runs why parts could not be had."""
    (cache() / "missing.json").write_text(json.dumps(reasons))


def _reasons() -> dict[str, str]:
    try:
        reasons: dict[str, str] = json.loads((cache() / "missing.json").read_text())
    except (OSError, ValueError):
        return {}
    return reasons


def _root() -> str:
    return "" if os.geteuid() == 0 else "not root"


@functools.cache
def _namespaces() -> str:
    command = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        return str(error)
    return done.stderr.strip()


def _devtmpfs() -> str:
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    kinds = [line.split()[2] for line in mounts if line.split()[1] == "/dev"]
    return "" if kinds[-1:] == ["devtmpfs"] else "/dev is no devtmpfs, so new devices do not show there"


def _kernel_device(path: str, module: str) -> Callable[[], str]:
    @functools.cache
    def check() -> str:
        if not Path(path).exists():
            with suppress(FileNotFoundError):
                subprocess.run(["modprobe", module], check=False, capture_output=True)
        return "" if Path(path).exists() else f"the kernel has no {module} module here"

    return check


# In the order in which they explain each other: without root nothing else is worth naming.
MACHINE: dict[str, Callable[[], str]] = {
    "root": _root,
    "namespaces": _namespaces,
    "devtmpfs": _devtmpfs,
    "zram": _kernel_device("/sys/class/zram-control", "zram"),
    "loop": _kernel_device("/dev/loop-control", "loop"),
    "fuse": _kernel_device("/dev/fuse", "fuse"),
}
