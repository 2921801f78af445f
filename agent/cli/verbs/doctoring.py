"""``doctor``: check a node from kernel to kubelet, and say what to do."""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import TYPE_CHECKING

from agent.cli.terminal import harmless, say, table
from agent.cli.verbs import documents
from agent.doctor.examination import examine, leave_nothing_running
from agent.doctor.node import Asked, Node

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from agent.cli.verbs.documents import Document
    from agent.doctor.examination import Line

DONE, FAILED, USAGE, NOT_PERMITTED = 0, 1, 2, 4
_WIDEST = 160  # characters of a subject in the table, which is as wide in all its lines; JSON has the whole


def doctor(options: argparse.Namespace) -> int:
    """Examine this node; returns the exit code."""
    given = options.spec_dir or ()
    asked = Asked(
        config=options.config,
        spec_dirs=tuple(map(os.path.abspath, (given,) if isinstance(given, str) else given)),
        state_dir=os.path.abspath(options.state_dir) if options.state_dir else None,
    )
    try:
        lines = list(examine(Node(asked), begin=_progress if _shows_progress(options) else lambda _: None))
    finally:
        leave_nothing_running()
        if _shows_progress(options):
            _progress("")
    if options.output == "json":
        documents.show({"findings": list(map(_document, lines))}, "json")
    else:
        shown = [line for line in lines if not options.quiet or line.finding.verdict == "fail"]
        if shown:
            table(("VERDICT", "CHECK", "SUBJECT", "FACT"), list(map(_row, shown)))
            sys.stdout.flush()
    if not options.quiet:
        say(_summary(lines))
    return _exit_code(lines)


def _shows_progress(options: argparse.Namespace) -> bool:
    return not options.quiet and sys.stderr.isatty() and sys.stdout.isatty()


def _progress(name: str) -> None:
    """Say on a terminal what is being looked at, in a line that the next one takes the place of."""
    print(f"\r\033[K{name}", end="", file=sys.stderr, flush=True)


def _row(line: Line) -> tuple[str, ...]:
    finding = line.finding
    fact = f"{finding.fact}; {finding.advice}" if finding.advice else finding.fact
    return finding.verdict, line.check, harmless(finding.subject, _WIDEST), fact


def _document(line: Line) -> Document:
    finding = line.finding
    return {
        "check": line.check,
        "subject": finding.subject,
        "verdict": finding.verdict,
        "fact": finding.fact,
        "advice": finding.advice,
    }


def _summary(lines: Sequence[Line]) -> str:
    counts = Counter(line.finding.verdict for line in lines)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("ok", "warn", "fail"))


def _exit_code(lines: Sequence[Line]) -> int:
    """Return 1 for a failure, 2 where that is the configuration's, 4 where this user may not look at everything."""
    failed = {line.check for line in lines if line.finding.verdict == "fail"}
    if failed:
        return USAGE if "configuration" in failed else FAILED
    return NOT_PERMITTED if any(line.finding.hidden for line in lines) else DONE
