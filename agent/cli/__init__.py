"""The command line: parse, call, print, exit code. Nothing is decided here, nothing heavy imported early."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from agent.cli.parser import parser
from agent.cli.terminal import say

if TYPE_CHECKING:
    from collections.abc import Sequence

DONE, FAILED, USAGE, DRIFT, NOT_PERMITTED = range(5)


def entry() -> None:
    """Run the program ``cdi-sync``."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run a command line.

    Returns the exit code: 0 done, 1 some of the work failed, 2 usage or configuration, 3 drift, 4 not permitted.
    """
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # noqa: BLE001 - the one place where nothing may escape
        return _failure(error, verbose=options.verbose)


def _failure(error: Exception, *, verbose: bool) -> int:
    from agent.config.files import ConfigError
    from agent.store import StoreError
    from cdi.errors import CDIError

    if isinstance(error, CDIError):
        for problem in error.problems:
            say(f"error: {problem}")
        return USAGE if isinstance(error, ConfigError) else FAILED
    if isinstance(error, StoreError):
        say(f"error: {error}")
        return FAILED if error.permitted else NOT_PERMITTED
    if verbose:
        import traceback

        traceback.print_exc()
    say(f"error: {type(error).__name__}: {error}; a fault of cdi-sync: report it with what --verbose prints")
    return FAILED
