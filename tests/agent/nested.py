"""Directories in directories in directories."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def nested(top: Path, depth: int) -> Iterator[None]:
    """Have so many directories named ``a`` one in the other; no path of theirs needs to be short enough for a call."""
    at = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("a", dir_fd=at)
        below = os.open("a", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    try:
        yield
    finally:
        subprocess.run(["rm", "-rf", str(top / "a")], check=True)  # Python's own would recurse
