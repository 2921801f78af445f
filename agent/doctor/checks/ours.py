"""Our own specs: whether an agent keeps them, and whether they are true now."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from agent.discovery.udev import UdevDatabase
from agent.doctor.findings import Finding, fail, of_problem, ok, unseen, warn
from agent.doctor.node import ANSWER
from agent.plan import Write
from agent.status.asking import AskingError, ask
from agent.store import LOCK_NAME, SpecDirectory, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.config.settings import Settings
    from agent.doctor.node import Node
    from agent.holding import Holder
    from agent.plan import Change

_PATIENCE = 2.0  # seconds that a running agent has to write what has just become so
_STEP = 0.2
_START = "systemctl enable --now cdi-sync"


def agent(node: Node) -> Iterator[Finding]:
    """Tell whether an agent runs, which process it is, and whether it still answers."""
    if node.holder is not None:
        yield _of_agent(node, node.holder)
    elif node.settings and not any(one.selects for one in node.settings.classes):
        yield ok("agent", "does not run, and nothing here comes and goes: all devices are declared")
    else:
        yield warn("agent", "does not run: nothing keeps the specs true when devices come and go",
                   f"{_START}; without systemd, have cdi-sync run by what starts services here")  # fmt: skip
    lock = os.path.join(node.spec_dir, LOCK_NAME)
    if node.holder is None and os.path.lexists(lock):
        yield warn(lock, "is of an agent that was killed, or of one in a container, which cannot be seen from here",
                   "start the agent, which takes it over; or leave it, it is in nobody's way")  # fmt: skip


def _of_agent(node: Node, holder: Holder) -> Finding:
    node.reach(node.state_dir)
    try:
        ask(node.state_dir, ANSWER)  # where nobody answers, it may have another state directory
    except AskingError as error:
        if error.permitted:
            (problem,) = error.problems
            return fail("agent", f"is {holder}, and {problem.message}", problem.hint)
    return ok("agent", f"is {holder}")


def sync(node: Node) -> Iterator[Finding]:
    """Tell whether our specs are as a pass would make them now; a running agent gets the time to do it."""
    if node.settings is None:
        return
    try:
        changes = _changes(node, node.settings)
    except StoreError as error:
        yield of_problem(error.problem, "fail" if error.permitted else "warn", "see to the directory")
        return
    for change in changes:
        yield _of_change(change, node)
    if not changes:
        yield ok("specs", "are as the devices are")


def _changes(node: Node, settings: Settings) -> tuple[Change, ...]:
    from agent.reconcile import Reconciler

    changes = node.outcome.changes if node.outcome else ()
    end = time.monotonic() + (_PATIENCE if node.holder else 0)
    while changes and time.monotonic() < end:
        time.sleep(_STEP)
        changes = Reconciler(SpecDirectory(settings.spec_dir), UdevDatabase()).run(settings, None).changes
    return changes


def _of_change(change: Change, node: Node) -> Finding:
    path = os.path.join(node.spec_dir, change.name)
    if not isinstance(change, Write):
        fact = "no class has such devices, and it is still there"
    else:
        fact = "is not there" if change.before is None else "is not as the devices are"
    if node.holder:
        return fail(path, f"{fact}, though an agent runs", "see the agent's log; where it is silent, restart it")
    return fail(path, fact, f"run {node.command('--once')}, or {_START}")


def boot(node: Node) -> Iterator[Finding]:
    """Name our specs that are from before this boot while no agent runs: kernel names may stand for other devices."""
    if node.holder is not None or node.outcome is None:
        return
    if not node.boot_time:
        yield warn("specs", "may be from an earlier boot: /proc/stat does not tell when this one began",
                   f"run {node.command('--once')}, which makes them true")  # fmt: skip
        return
    outdated = {change.name for change in node.outcome.changes}
    old = []
    for one in node.outcome.classes:
        path = os.path.join(node.spec_dir, one.file_name)
        try:
            status = os.stat(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield unseen(path, error)
            continue
        if status.st_mtime < node.boot_time:
            old.append(path)
            if one.file_name in outdated or one.held:
                yield warn(path, "is from an earlier boot, and its nodes may be other devices now",
                           f"run {node.command('--once')}, or {_START}")  # fmt: skip
            else:
                yield ok(path, "is from an earlier boot, and true to the devices as they are now")
    if node.outcome.classes and not old:
        yield ok("specs", "none is from an earlier boot")
