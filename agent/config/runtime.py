"""Which CDI version the container runtime of this node reads: what ``max_cdi_version = "auto"`` stands for."""

from __future__ import annotations

import re
import shutil
import subprocess

from cdi.versions import RUNTIMES

_SECONDS = 5.0
_VERSION = re.compile(r"\bv?(\d+)\.(\d+)")


def limit() -> str | None:
    """Ask the installed containerd; returns the newest version it reads, ``None`` where nothing is known to limit it.

    Without containerd nothing is: other runtimes are not asked.
    """
    program = shutil.which("containerd")
    if program is None:
        return None
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=_SECONDS)  # noqa: S603
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return limit_of(done.stdout)


def limit_of(answer: str) -> str | None:
    """Return the newest CDI version that a containerd reads which says this of its version.

    It is that of the newest release known to be no newer; one older than all of them (1.6, which has no CDI) has none.
    """
    found = _VERSION.search(answer)
    if found is None:
        return None
    version = int(found[1]), int(found[2])
    known = {_release(name): newest for name, newest in RUNTIMES.items() if name.startswith("containerd ")}
    older = [release for release in known if release <= version]
    return known[max(older)] if older else None


def _release(name: str) -> tuple[int, int]:
    major, minor = name.rpartition(" ")[2].split(".")
    return int(major), int(minor)
