"""``import``: a peer's configuration as one of ours, on standard output; what did not come along, as warnings."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from agent.cli.terminal import say
from agent.cli.verbs.ocifile import STDIN, standard_input
from agent.config.files import ConfigError
from agent.importers.formats import imported
from cdi.errors import CDIError, Problem
from cdi.specdirs import read_file

if TYPE_CHECKING:
    import argparse


def run(options: argparse.Namespace) -> int:
    """Print the configuration; returns the exit code."""
    result = imported(options.format, options.file if options.file != STDIN else "standard input", _data(options.file))
    if not options.quiet:
        for warning in result.warnings:
            say(f"warning: {warning}")
    sys.stdout.write(result.text)
    sys.stdout.flush()
    return 0


def _data(path: str) -> bytes:
    """Return a file's content; of what cannot be read, nothing is translated, which is an error of usage."""
    try:
        return standard_input() if path == STDIN else read_file(path)
    except CDIError as error:
        if isinstance(error.__cause__, PermissionError):
            raise _not_permitted(path) from None
        hint = "name its configuration, or - for standard input"
        problems = (Problem(one.where or path, one.message, one.hint or hint) for one in error.problems)
        raise ConfigError(*problems) from None


def _not_permitted(path: str) -> Exception:
    from agent.store import StoreError

    return StoreError(Problem(path, "cannot be read: permission denied", "run it as a user who may"), permitted=False)
