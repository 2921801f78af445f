"""The command line: parse, call, print, exit code. Nothing is decided here, nothing heavy imported early."""

from __future__ import annotations

import io
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
    for stream in (sys.stdout, sys.stderr):  # what an encoding cannot say is escaped
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:  # closed by who started us
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run a command line.

    Returns the exit code: 0 done, 1 some of the work failed, 2 usage or configuration, 3 drift, 4 not permitted.
    """
    options = parser(arguments).parse_args(arguments)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - the one place where nothing may escape
        return _failure(error, verbose=options.verbose)
    except KeyboardInterrupt:
        return 130
    return code


def _discard_output() -> None:
    """Let what is still to be written go nowhere, so that the interpreter does not stumble over it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failure(error: Exception, *, verbose: bool) -> int:
    if isinstance(error, MemoryError):  # nothing more can be imported
        say("error: there is not enough memory; raise the limit of this process")
        return FAILED
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
    if isinstance(error, BrokenPipeError):  # whoever read our output has enough
        _discard_output()
        return DONE
    if isinstance(error, OSError) and error.filename is None:  # all files are spoken of by name; this is our output
        _discard_output()
        say(f"error: the output cannot be written: {(error.strerror or str(error)).lower()}; send it elsewhere")
        return FAILED
    if verbose:
        import traceback

        traceback.print_exc()
    say(f"error: {type(error).__name__}: {error}; a fault of cdi-sync: report it with what --verbose prints")
    return FAILED
