"""``cdi-sync``: the agent in the foreground."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from agent import lean
from agent.cli.terminal import harmless
from agent.config.files import ConfigError
from agent.store import StoreError
from cdi.errors import CDIError, Problem

if TYPE_CHECKING:
    import argparse


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return harmless(f"{level}{record.getMessage()}")


def serve(options: argparse.Namespace) -> int:
    """Run the agent until it is told to stop; returns the exit code."""
    lean.import_asyncio()
    from agent import daemon

    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    logging.raiseExceptions = False  # a log that cannot be written is no reason for a traceback there
    log = logging.getLogger("cdi-sync")
    log.addHandler(handler)
    log.setLevel(logging.ERROR if options.quiet else logging.DEBUG if options.verbose else logging.INFO)
    try:
        daemon.serve(daemon.Options(options.config, options.spec_dir, options.state_dir))
    except CDIError as error:
        raise ConfigError(*error.problems) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreError(Problem("the agent", f"has ended: {reason}", "see to the limits of this process")) from None
    return 0
