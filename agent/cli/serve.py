"""``cdi-sync``: the agent in the foreground."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from agent import daemon
from agent.cli.terminal import harmless
from agent.config.files import ConfigError
from cdi.errors import CDIError

if TYPE_CHECKING:
    import argparse


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return harmless(f"{level}{record.getMessage()}")


def serve(options: argparse.Namespace) -> int:
    """Run the agent until it is told to stop; returns the exit code."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    log = logging.getLogger("cdi-sync")
    log.addHandler(handler)
    log.setLevel(logging.ERROR if options.quiet else logging.DEBUG if options.verbose else logging.INFO)
    try:
        daemon.serve(daemon.Options(options.config, options.spec_dir, options.state_dir))
    except CDIError as error:
        raise ConfigError(*error.problems) from None
    return 0
