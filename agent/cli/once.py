"""``cdi-sync --once``: one pass, and what came of it."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
import sys
from typing import TYPE_CHECKING, Any

from agent.cli.terminal import harmless, say, table
from agent.config.files import ConfigError
from agent.config.load import load
from agent.discovery.udev import UdevDatabase
from agent.plan import Write
from agent.reconcile import Reconciler
from agent.store import SpecDirectory, Writer
from cdi.errors import Problem

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from agent.plan import Change
    from agent.reconcile import Outcome
    from agent.render import Offer, Rendered

DONE, FAILED, DRIFT, NOT_PERMITTED = 0, 1, 3, 4


def once(options: argparse.Namespace) -> int:
    """Make one pass; returns the exit code."""
    if options.root and not os.path.isdir(options.root):
        raise ConfigError(Problem(options.root, "is no directory", "name the top of the image's file system tree"))
    settings = load(options.config, spec_dir=options.spec_dir, state_dir=options.state_dir, root=options.root)
    directory = SpecDirectory(settings.spec_dir)
    reconciler = Reconciler(directory, UdevDatabase(), declared_only=bool(options.root))
    with contextlib.ExitStack() as stack:
        dry = options.dry_run or options.check
        writer = None if dry else stack.enter_context(Writer(directory, create=True))
        outcome = reconciler.run(settings, writer)
    outcome = dataclasses.replace(outcome, warnings=(*settings.notes, *outcome.warnings))
    _report(outcome, settings.spec_dir, options, dry=dry)
    return _exit_code(outcome, check=options.check)


def _exit_code(outcome: Outcome, *, check: bool) -> int:
    if check and outcome.changes:
        return DRIFT
    if outcome.failures:
        return NOT_PERMITTED if not any(failure.permitted for failure in outcome.failures) else FAILED
    return FAILED if outcome.problems else DONE


def _report(outcome: Outcome, directory: str, options: argparse.Namespace, *, dry: bool) -> None:
    for warning in outcome.warnings if not options.quiet else ():
        say(f"warning: {warning}")
    for problem in (*outcome.problems, *(failure.problem for failure in outcome.failures)):
        say(f"error: {problem}")
    if options.output == "json":
        import json

        json.dump(_document(outcome, directory, dry=dry), sys.stdout, indent=2)
        print()
        return
    if options.dry_run:
        for change in outcome.changes:
            sys.stdout.writelines(_diff(directory, change))
    if options.quiet:
        return
    if not options.dry_run:
        table(("KIND", "DEVICE", "NODE", "STATE"), list(_rows(outcome, elsewhere=bool(options.root))))
        if options.verbose:
            print()
            table(("FILE", "CDI VERSION", "ACTION"), list(_files(outcome)))
    say_summary(outcome, directory, dry=dry)


def say_summary(outcome: Outcome, directory: str, *, dry: bool) -> None:
    """Say in one line what was done, and to an ordinary user what that leaves out."""
    say(f"{outcome.sentence} (in {directory}{'; nothing was changed' if dry else ''})")
    if os.geteuid() != 0 and not dry:
        say("note: container runtimes read /etc/cdi and /var/run/cdi, which only root may write: "
            "run it as root without --spec-dir to serve them")  # fmt: skip


def _rows(outcome: Outcome, *, elsewhere: bool) -> Iterator[tuple[str, str, str, str]]:
    for one in outcome.classes:
        for offer in one.offers:
            state = "declared" if elsewhere else _state(offer)
            yield one.kind, offer.name, " ".join(offer.nodes), state


def _files(outcome: Outcome) -> Iterator[tuple[str, str, str]]:
    changed = {change.name: "write" if isinstance(change, Write) else "remove" for change in outcome.changes}
    for one in outcome.classes:
        if one.spec:
            yield one.file_name, one.spec.version, changed.pop(one.file_name, "none")
    for name, action in changed.items():
        yield name, "", action


def _state(offer: Offer) -> str:
    if offer.kept:
        return "kept"
    return "present" if offer.present else "unhealthy"


def _diff(directory: str, change: Change) -> Iterator[str]:
    path = f"{directory}/{change.name}"
    before = (change.before or b"").decode("utf-8", "replace").splitlines()
    after = change.data.decode().splitlines() if isinstance(change, Write) else []
    source = path if change.before is not None else "/dev/null"
    target = path if isinstance(change, Write) else "/dev/null"
    for line in difflib.unified_diff(before, after, source, target, lineterm=""):
        yield f"{harmless(line, longest=len(line))}\n"


def _document(outcome: Outcome, directory: str, *, dry: bool) -> dict[str, Any]:
    changed = {change.name: "write" if isinstance(change, Write) else "remove" for change in outcome.changes}
    return {
        "specDir": directory,
        "dryRun": dry,
        "classes": [_class(one, changed) for one in outcome.classes],
        "changes": [{"file": name, "action": action} for name, action in changed.items()],
        "problems": [
            {"severity": severity, "where": problem.where, "message": problem.message, "hint": problem.hint}
            for severity, problems in (
                ("warning", outcome.warnings),
                ("error", (*outcome.problems, *(failure.problem for failure in outcome.failures))),
            )
            for problem in problems
        ],
    }


def _class(one: Rendered, changed: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "file": one.file_name,
        "cdiVersion": one.spec.version if one.spec else None,
        "action": changed.get(one.file_name, "none"),
        "devices": [
            {"name": offer.name, "nodes": list(offer.nodes), "present": offer.present, "kept": offer.kept}
            for offer in one.offers
        ],
    }
