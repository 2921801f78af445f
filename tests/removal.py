"""Directories removed while others write in them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def remove(directory: Path) -> None:
    """Remove a directory and all in it, whatever comes and goes there meanwhile."""
    while True:
        try:
            shutil.rmtree(directory)
        except OSError:
            if not directory.exists():
                return
        else:
            return
