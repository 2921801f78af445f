"""Container runtimes: whether their files switch CDI on for our specs, and whether their daemons run with that."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.doctor.findings import Finding, fail, ok, warn
from agent.doctor.runtimes import PROGRAMS
from agent.runtimes import fate
from agent.runtimes.answers import lists
from agent.setup.cri import NoAnswerError
from cdi.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.doctor.node import Node
    from agent.doctor.runtimes import Runtime
    from agent.setup.targets import Seen

_SWITCHES = {"enable_cdi", "cdi"}  # the last words of the keys that switch CDI on


def files(node: Node) -> Iterator[Finding]:
    """Tell whether the files of each runtime have CDI on for our directory."""
    if not node.runtimes:
        yield ok("node", f"there is none here: {', '.join(PROGRAMS)}")
    for one in node.runtimes:
        yield _of_files(one, node)


def daemons(node: Node) -> Iterator[Finding]:
    """Tell whether each running daemon has CDI on for our directory: a file alone has no effect before a restart."""
    for one in node.runtimes:
        if one.seen is not None and not node.serves_docker(one):
            yield _of_daemon(one, one.seen, node)


def _of_files(one: Runtime, node: Node) -> Finding:
    answer = one.answer
    if answer is None:
        return _not_told(one)
    if answer.blocked is not None:
        return _blocked(one, answer.blocked, node)
    if not answer.changes:
        return ok(one.title, f"its configuration has CDI on for {node.spec_dir}")
    off = any(key.path[-1] in _SWITCHES for change in answer.changes for key in change.keys)
    fact = "its configuration leaves CDI off" if off else f"its configuration does not name {node.spec_dir}"
    return Finding(one.title, node.verdict_on(one), fact, _set_up(one, node))


def _not_told(one: Runtime) -> Finding:
    problem = one.problem or Problem("", "nothing is known of its configuration")
    fact = f"{problem.where}: {problem.message}".removeprefix(": ")
    if not one.permitted:
        return Finding(one.title, "warn", fact, "run this as root", hidden=True)
    return warn(one.title, fact, problem.hint or "see what its own tools say")


def _blocked(one: Runtime, problem: Problem, node: Node) -> Finding:
    if node.serves_docker(one):
        return ok(one.title, "it serves Docker, which does CDI itself")
    fact = f"{problem.where}: {problem.message}".removeprefix(": ")
    return Finding(one.title, node.verdict_on(one), fact, problem.hint.removesuffix("; nothing was changed"))


def _of_daemon(one: Runtime, seen: Seen | NoAnswerError, node: Node) -> Finding:
    subject = f"{one.title} daemon"
    if isinstance(seen, NoAnswerError):
        return _silent(one, subject, seen, node)
    if not seen.enabled:
        return Finding(subject, node.verdict_on(one), "runs without CDI: containers start without their devices",
                       _mend(one, node))  # fmt: skip
    if not lists(seen.spec_dirs, node.spec_dir):
        read = ", ".join(seen.spec_dirs) or "no directory"
        return Finding(subject, node.verdict_on(one), f"reads {read}, not {node.spec_dir}", _mend(one, node))
    return ok(subject, f"runs with CDI on, and reads {node.spec_dir}")


def _silent(one: Runtime, subject: str, error: NoAnswerError, node: Node) -> Finding:
    if error.absent:
        advice = 'take "cri" out of disabled_plugins in its configuration, and restart it'
        return Finding(subject, node.verdict_on(one), str(error), advice)
    if os.geteuid() != 0:
        return Finding(subject, "warn", f"could not be asked: {error}", "run this as root", hidden=True)
    if error.unable:
        return warn(subject, f"could not be asked: {error}", "see to that, and run this again")
    return fail(subject, f"runs, and gives no answer: {error}", f"see its log, and {_restart(one)}")


def _mend(one: Runtime, node: Node) -> str:
    """Say what gives the running daemon CDI: a restart, where the files are right already."""
    answer = one.answer
    if answer is not None and answer.blocked is not None:
        return answer.blocked.hint.removesuffix("; nothing was changed")
    if answer is not None and not answer.changes:
        return f"its files are right: {_restart(one)} to have them read"
    return _set_up(one, node)


def _set_up(one: Runtime, node: Node) -> str:
    config = ("--config", one.config) if one.config else ()
    advice = f"run {node.command('setup', one.name, *config)}"
    return advice if one.name == "podman" else f"{advice}; then {_restart(one)}"  # which is no daemon


def _restart(one: Runtime) -> str:
    return f"restart it (systemctl restart {one.name}; {fate(one.name)})"
