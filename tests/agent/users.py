"""Being an ordinary user for a moment: root may read and write everything, and so sees no refusal."""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil
import traceback
from typing import TYPE_CHECKING

import agent
import cdi

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOBODY = 65534


def as_nobody(action: Callable[[], str], place: Path) -> str:
    """Run ``action`` in a child that is nobody, and return what it says; nobody can pass through to ``place``."""
    open_to_all(place)
    _import_everything()
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


@functools.cache
def _import_everything() -> None:
    """Import what is imported late: nobody may not be let into the directory that this project lies in."""
    for package in (agent, cdi):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in ("encodings.utf_8_sig", "jsonschema", "pydantic", "rich.table", "yaml"):
        importlib.import_module(name)


def open_to_all(place: Path) -> None:
    """Let everybody pass through the directories that pytest made for root alone."""
    for directory in (place, *place.parents):
        if directory.owner() == "root" and directory.name.startswith(("pytest-", "test_")):
            directory.chmod(directory.stat().st_mode | 0o055)
