"""The spec directories that a verb is about: read as runtimes do, with what is wrong in them said aloud."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.cli.terminal import say
from cdi.specdirs import DEFAULT_DIRECTORIES, SpecDirs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cdi.errors import Problem

DONE, FAILED, USAGE, NOT_PERMITTED = 0, 1, 2, 4

_MOST = 5  # problems of one file that are said where validating is not the question


def directories(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the spec directories in order of rising priority: those of ``--spec-dir``, or those that runtimes read."""
    given = options.spec_dir
    if not given:
        return DEFAULT_DIRECTORIES
    return (given,) if isinstance(given, str) else tuple(given)


def read(options: argparse.Namespace) -> SpecDirs:
    """Read the directories, and say what is wrong in them."""
    dirs = SpecDirs(directories(options))
    dirs.refresh()
    for problem in dirs.problems.values():
        say(f"error: {problem}")
    if not options.quiet:
        for path, problems in dirs.registry.problems.items():
            say_problems(path, problems)
    return dirs


def say_problems(path: str, problems: Sequence[Problem]) -> None:
    """Say the first few problems of a file."""
    for problem in problems[:_MOST]:
        say(f"warning: {problem}")
    if len(problems) > _MOST:
        say(f"warning: {path}: {len(problems) - _MOST} more problems; see cdi-sync validate {path}")


def outcome(dirs: SpecDirs) -> int:
    """Return the exit code of having read them.

    A broken file is an answer: no runtime has its devices. What could not be looked at leaves the answer unknown.
    """
    unseen = [*dirs.problems, *(path for path in dirs.registry.problems if is_hidden(path))]
    if not unseen:
        return DONE
    return NOT_PERMITTED if all(map(is_hidden, unseen)) else FAILED


def is_hidden(path: str) -> bool:
    """Tell whether something is there that another user could read."""
    return os.path.exists(path) and not os.access(path, os.R_OK)
