"""What a planner is told and what it answers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.plan import Write
    from cdi.errors import Problem

Version: TypeAlias = "tuple[int, int]"
Place = Literal["auto", "in-place", "drop-in"]
DEFAULT_SPEC_DIRS = ("/etc/cdi", "/var/run/cdi")


@dataclass(frozen=True, slots=True)
class Source:
    """A configuration file that the runtime loads, and what it holds."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted: CDI on, and ``spec_dir`` among the directories.

    ``overrule``: also where somebody switched it off on purpose, as a command does and the agent does not.
    """

    spec_dir: str
    place: Place = "auto"
    overrule: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a setting, what it is, and, unless it stays so, what it becomes and why."""

    what: str
    now: str
    will: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class KeyChange:
    """One key that is changed in one file, so that exactly this can be taken back.

    ``before`` is the old value as it was written (``None``: there was none); ``added`` is an item put into a list;
    ``text`` is what stands in the file now that did not before.
    """

    path: tuple[str, ...]
    after: str
    before: str | None = None
    added: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file to be written, and the keys by which it differs from what it was."""

    write: Write
    keys: tuple[KeyChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What is, what to change in order, what is left to do; ``blocked`` says why CDI cannot be switched on."""

    rows: tuple[Row, ...]
    changes: tuple[FileChange, ...] = ()
    notes: tuple[str, ...] = ()
    blocked: Problem | None = None


def lists(spec_dirs: Iterable[str], wanted: str) -> bool:
    """Tell whether a directory is among others, ``/run`` and ``/var/run`` being one."""
    return _normal(wanted) in map(_normal, spec_dirs)


def _normal(path: str) -> str:
    clean = os.path.normpath(path)
    return clean.removeprefix("/var") if clean.startswith("/var/run/") else clean
