"""``cdi-sync``: the agent in the foreground."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, TextIO

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


class _Journal(logging.StreamHandler[TextIO]):
    """Puts before each line the priority under which the journal files it; the journal takes that off again."""

    def format(self, record: logging.LogRecord) -> str:
        priority = next(priority for level, priority in _PRIORITIES if record.levelno >= level)
        return f"<{priority}>{super().format(record)}"


_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.NOTSET, 7))  # of syslog(3)


def _to_the_journal() -> bool:
    """Tell whether standard error leads to the journal itself, by the mark that systemd.exec(5) describes."""
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def serve(options: argparse.Namespace) -> int:
    """Run the agent until it is told to stop; returns the exit code."""
    lean.import_asyncio()
    lean.import_hashlib()
    from agent import daemon
    from agent.loading import Options

    handler = _Journal() if _to_the_journal() else logging.StreamHandler()
    handler.setFormatter(_OneLine())
    logging.raiseExceptions = False  # a log that cannot be written is no reason for a traceback there
    log = logging.getLogger("cdi-sync")
    log.addHandler(handler)
    log.setLevel(logging.ERROR if options.quiet else logging.DEBUG if options.verbose else logging.INFO)
    try:
        daemon.serve(Options(options.config, options.spec_dir, options.state_dir))
    except CDIError as error:
        raise ConfigError(*error.problems) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreError(Problem("the agent", f"has ended: {reason}", "see to the limits of this process")) from None
    return 0
