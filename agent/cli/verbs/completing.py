"""``completion``: a script for the shell, made once from the table of verbs; completing starts no Python."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from agent.cli.parser import parser

if TYPE_CHECKING:
    from collections.abc import Iterator


def completion(options: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    top = parser()
    for action in _actions(top):
        if action.metavar == "DIR":
            setattr(action, "complete", shtab.DIRECTORY)  # noqa: B010 - where shtab looks
        elif action.metavar in {"FILE", "DEVICE|FILE"}:
            setattr(action, "complete", shtab.FILE)  # noqa: B010
    sys.stdout.write(shtab.complete(top, options.shell))
    sys.stdout.flush()
    return 0


def _actions(one: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of all below it."""
    for action in one._actions:  # noqa: SLF001 - argparse tells of them nowhere else
        yield action
        for below in (action.choices or {}).values() if isinstance(action, argparse._SubParsersAction) else ():  # noqa: SLF001
            yield from _actions(below)
