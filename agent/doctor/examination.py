"""Runs the checks one after the other, each within a time, whatever the node does."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import threading
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from agent.doctor.checks import CHECKS
from agent.doctor.findings import Finding, fail, unseen, warn
from agent.doctor.once import UnfinishedError
from agent.store import StoreError
from cdi.errors import MOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.doctor.checks import Check
    from agent.doctor.node import Node

SECONDS = 20.0
"""How long one check may take: asking a daemon takes at most five, and a slow disk is no fault."""
_MOST = 20  # findings of one check that are told
_THREAD = "check "


@dataclass(frozen=True, slots=True)
class Line:
    """A finding and the name of the check that made it."""

    check: str
    finding: Finding


def examine(
    node: Node,
    checks: Sequence[Check] = CHECKS,
    begin: Callable[[str], None] = lambda _: None,
    seconds: float = SECONDS,
) -> Iterator[Line]:
    """Yield what all checks find; ``begin`` is told the name of each before it runs.

    A check that takes longer than ``seconds`` is left behind, and a fact that it was waiting for is not asked for
    again. What a check found before it hung, or came upon an error, is told all the same.
    """
    for check in checks:
        begin(check.name)
        for finding in _told(_in_time(check, node, seconds)):
            yield Line(check.name, finding)


def _told(findings: list[Finding]) -> Iterator[Finding]:
    """Yield the worst first few of many."""
    rank = {"fail": 0, "warn": 1, "ok": 2}
    ordered = sorted(findings, key=lambda one: rank[one.verdict]) if len(findings) > _MOST else findings
    yield from ordered[:_MOST]
    if more := ordered[_MOST:]:
        yield dataclasses.replace(more[0], subject=f"{len(more)} more", fact="of the same kind")


def _in_time(check: Check, node: Node, seconds: float) -> list[Finding]:
    """Run a check in a thread that may be left behind: a system call on a dead file system cannot be called off."""
    findings: list[Finding] = []
    runner = threading.Thread(target=lambda: _run(check, node, findings), name=f"{_THREAD}{check.name}", daemon=True)
    runner.start()
    runner.join(seconds)
    if runner.is_alive():
        hangs = warn(check.name, f"no answer within {seconds:.0f} s: a file system or a daemon hangs",
                     "see findmnt and the daemons' logs; what hangs is in ps -eo pid,stat,wchan,cmd")  # fmt: skip
        return [*findings, hangs]
    return findings


def _run(check: Check, node: Node, findings: list[Finding]) -> None:
    """Add what a check finds, one by one; an error is the last of it."""
    try:
        for finding in islice(check.run(node), MOST):
            findings.append(finding)  # noqa: PERF402 - what stands before an error is to stay
    except UnfinishedError:
        findings.append(
            warn(check.name, "could not be looked at: an earlier check still waits", "see to that one first")
        )
    except StoreError as error:
        findings.append(_of_store(error))
    except OSError as error:
        findings.append(unseen(error.filename or check.name, error))
    except Exception as error:  # noqa: BLE001 - one check's fault must not cost the others
        findings.append(fail(check.name, f"could not be looked at: {type(error).__name__}: {error}",
                             "a fault of cdi-sync: report it"))  # fmt: skip


def _of_store(error: StoreError) -> Finding:
    """Return what is left of a check that needs a pass; that there can be none is for the check `sync` to fail."""
    problem = error.problem
    hidden = not error.permitted and os.geteuid() != 0
    return Finding(problem.where, "warn", f"could not be looked at: {problem.message}", problem.hint, hidden=hidden)


def leave_nothing_running() -> None:
    """End the programs that checks started and were left behind waiting for."""
    for thread in threading.enumerate():
        if thread.name.startswith(_THREAD):
            path = f"/proc/self/task/{thread.native_id}/children"
            with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
                for child in file.read().split():
                    os.kill(int(child), signal.SIGKILL)
