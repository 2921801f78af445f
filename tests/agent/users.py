"""Being an ordinary user for a moment: root may read and write everything, and so sees no refusal."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOBODY = 65534


def as_nobody(action: Callable[[], str], place: Path) -> str:
    """Run ``action`` in a child that is nobody, and return what it says; nobody can pass through to ``place``."""
    open_to_all(place)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writer, action().encode())
        except BaseException:  # noqa: BLE001 - a child of a test must not go on as a second test run
            os.write(writer, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        said = answer.read().decode()
    os.waitpid(child, 0)
    assert not said.startswith("Traceback"), said
    return said


def open_to_all(place: Path) -> None:
    """Let everybody pass through the directories that pytest made for root alone."""
    for directory in (place, *place.parents):
        if directory.owner() == "root" and directory.name.startswith(("pytest-", "test_")):
            directory.chmod(directory.stat().st_mode | 0o055)
