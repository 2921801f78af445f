"""What the log says of passes: a fact is told once, and once more when it ends."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING

from agent.loading import LoadError
from agent.plan import Remove

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.plan import Change
    from agent.reconcile import Outcome
    from agent.store import StoreError
    from cdi.errors import CDIError, Problem

_log = logging.getLogger("cdi-sync")
_AT_ONCE = 50  # problems told of one pass


class Told:
    """What the log has said already: a fact is told once, and once more when it ends."""

    def __init__(self) -> None:
        self.pending: frozenset[str] = frozenset()
        self._spoke = False
        self._problems: frozenset[Problem] = frozenset()
        self._failures: frozenset[str] = frozenset()
        self.refused: tuple[Problem, ...] = ()
        self._sentence = ""

    @property
    def state(self) -> str:
        """How things stand, in one line: what the last pass did, or why it could not, and what else is wrong."""
        wrong = [f"the configuration is refused: {problem}" for problem in self.refused[:1]]
        return "; ".join(filter(None, [*wrong, *sorted(self._failures)[:1], self._sentence]))

    def refusal(self, error: CDIError) -> None:
        """Tell that a configuration cannot be used; what was only not read is tried again, and told once."""
        if not isinstance(error, LoadError) or error.problems != self.refused:
            for problem in error.problems:
                _log.error("%s", problem)
            _log.error("the configuration is refused; the last good one stays in force")
        self.refused = error.problems

    def outcome(self, outcome: Outcome, directory: str, notes: tuple[Problem, ...] = ()) -> None:
        """Tell what a pass did and what is newly wrong."""
        for change in outcome.changes:
            _log.info("%s %s/%s", _done(change), directory, change.name)
        self._tell(notes + outcome.problems + outcome.warnings)
        self.failures(outcome.failures)
        self._sentence = outcome.sentence
        if outcome.changes or not self._spoke:
            _log.info("%s", outcome.sentence)
        self._spoke = True

    def failures(self, errors: Iterable[StoreError]) -> None:
        """Tell of failures once, and once when they are over."""
        now = frozenset(str(error) for error in errors)
        for text in sorted(now - self._failures):
            _log.error("%s", text)
        if self._failures and not now:
            _log.info("recovered: %s", "; ".join(sorted(text.partition(";")[0] for text in self._failures)))
        self._failures = now

    def _tell(self, problems: tuple[Problem, ...]) -> None:
        now = frozenset(problems)
        new = sorted(now - self._problems)
        for problem in new[:_AT_ONCE]:
            _log.warning("%s", problem)
        if len(new) > _AT_ONCE:
            _log.warning("and %d more; cdi-sync --once --check tells all", len(new) - _AT_ONCE)
        self._problems = now


def _done(change: Change) -> str:
    if isinstance(change, Remove):
        return "removed"
    return "wrote" if change.before is None else "rewrote"


class JsonLines(logging.Formatter):
    """One JSON object a line: time (seconds since the epoch), level, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return json.dumps(
            {"time": round(time.time(), 3), "level": record.levelname.lower(), "message": record.getMessage()}
        )
