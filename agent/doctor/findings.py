"""What a check finds: a verdict on one thing, the fact, and what to do."""

from __future__ import annotations

import os
import shlex
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cdi.errors import Problem

Verdict: TypeAlias = Literal["ok", "warn", "fail"]

_NAMED = 3  # of many things of one kind


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what it is about, a verdict, the fact; and, unless it is ``ok``, what to do.

    ``hidden``: nothing is known of it, because this user may not look.
    """

    subject: str
    verdict: Verdict
    fact: str
    advice: str = ""
    hidden: bool = False


def ok(subject: str, fact: str) -> Finding:
    """Say that something is as it should be, or that it is not here and need not be."""
    return Finding(subject, "ok", fact)


def warn(subject: str, fact: str, advice: str) -> Finding:
    """Say that something may cause trouble, or could not be looked at."""
    return Finding(subject, "warn", fact, advice)


def fail(subject: str, fact: str, advice: str) -> Finding:
    """Say that something is wrong: containers do without a device, or get what they should not."""
    return Finding(subject, "fail", fact, advice)


def unseen(subject: str, error: OSError) -> Finding:
    """Say that something could not be looked at, which is never ``ok``."""
    reason = (error.strerror or str(error)).lower()
    if isinstance(error, PermissionError):
        return Finding(subject, "warn", f"could not be looked at: {reason}", "run this as root", hidden=True)
    return warn(subject, f"could not be looked at: {reason}", "see to the file system, and run this again")


def of_problem(problem: Problem, verdict: Verdict, advice: str) -> Finding:
    """Return a problem as a finding; ``advice`` stands in where it has none."""
    return Finding(problem.where, verdict, problem.message, problem.hint or advice)


def writers(path: str, status: os.stat_result, danger: str) -> Iterator[Finding]:
    """Name who but root, or who runs this, can write there, and what ``danger`` that is."""
    if status.st_uid not in (0, os.geteuid()):
        yield fail(path, f"belongs to user {status.st_uid}, who can {danger}", command("chown", "root", path))
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield fail(path, f"others can write it (mode {mode(status)}), and so {danger}", command("chmod", "go-w", path))


def mode(status: os.stat_result) -> str:
    """Return a file's mode as one writes it for chmod."""
    return f"{stat.S_IMODE(status.st_mode):04o}"


def command(*words: str) -> str:
    """Return a command to copy: names of files are somebody's word, and stay words in a shell."""
    return shlex.join(words)


def some(names: Iterable[str]) -> str:
    """Name a few of many."""
    found = list(names)
    more = len(found) - _NAMED
    return ", ".join(found[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def or_ok(findings: Iterable[Finding], subject: str, fact: str) -> Iterator[Finding]:
    """Yield findings; where there is none, say that all is well."""
    none = True
    for finding in findings:
        none = False
        yield finding
    if none:
        yield ok(subject, fact)
