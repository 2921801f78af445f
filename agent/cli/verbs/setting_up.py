"""``setup``: switch CDI on in a container runtime, or take that back."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING, Any

from agent import image
from agent.cli.terminal import harmless, say, table
from agent.cli.verbs import documents
from agent.config.files import glance
from agent.config.load import load
from agent.setup import procedure, runtimes
from agent.setup.targets import Options, SetupError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from agent.setup.procedure import Report
    from cdi.errors import Problem

DONE, FAILED, USAGE, NOT_PERMITTED = 0, 1, 2, 4


def setup(options: argparse.Namespace) -> int:
    """Set a runtime up, or revert that; returns the exit code."""
    if options.root and options.restart:
        say("error: --restart: an image runs no daemon; leave it out")
        return USAGE
    ours, theirs = _configurations(options)
    settings = load(ours, spec_dir=options.spec_dir, state_dir=options.state_dir, root=options.root)
    wish = Options(
        runtime=options.runtime,
        spec_dir=_as_seen(settings.spec_dir, options.root),
        state_dir=settings.state_dir,
        place=options.place,
        dry_run=options.dry_run,
        restart=options.restart or bool(options.restart_command),
        restart_command=options.restart_command,
        root=options.root,
        runtime_version=options.runtime_version,
        runtime_config=theirs,
    )
    try:
        report = _revert(wish) if options.revert else procedure.apply(runtimes.target(wish), wish)
    except SetupError as error:
        say(f"error: {error.problem}")
        return USAGE if error.usage else FAILED
    _show(report, options)
    if report.problems:
        return FAILED if report.permitted else NOT_PERMITTED
    return DONE


def _configurations(options: argparse.Namespace) -> tuple[str | None, str | None]:
    """Return which configuration of ours to use, and which file is the runtime's.

    Everywhere else ``--config`` names ours, and whoever sets a runtime up thinks of the runtime's. No file can be
    both: a runtime's has none of our tables.
    """
    given = options.runtime_config
    if given is None or not _is_ours(given, options.root):
        return options.config, given
    return given, None


def _is_ours(path: str, root: str | None) -> bool:
    try:
        document = glance(image.inside(root, path) if root else path)
    except (OSError, ValueError):
        return False
    return not document.keys() & {"plugins", "imports", "disabled_plugins"} and (
        isinstance(document.get("class"), list) or isinstance(document.get("agent"), dict)
    )


def _revert(wish: Options) -> Report:
    """Revert also what is no longer installed."""
    try:
        target = runtimes.target(wish)
    except SetupError:
        target = None
    return procedure.revert(target, runtimes.language(wish.runtime), wish)


def _as_seen(spec_dir: str, root: str | None) -> str:
    """Return the spec directory as the runtime of the image will see it."""
    if not root or root.strip("/") == "":
        return spec_dir
    return spec_dir.removeprefix(root.rstrip("/")) or "/"


def _show(report: Report, options: argparse.Namespace) -> None:
    for problem in report.problems:
        say(f"error: {problem}")
    if options.output == "json":
        documents.show(_document(report, dry=options.dry_run), "json")
        return
    if options.dry_run:
        for path, before, after in report.changes:
            sys.stdout.writelines(_diff(path, before, after))
    if options.quiet:
        return
    if not options.dry_run:
        table(("WHAT", "IS", "BECOMES", "WHY"), [(row.what, row.now, row.will, row.why) for row in report.rows])
    else:
        sys.stdout.flush()
    for note in report.notes:
        say(note)


def _diff(path: str, before: bytes | None, after: bytes | None) -> Iterator[str]:
    old, new = ((data or b"").decode("utf-8", "replace").splitlines() for data in (before, after))
    names = ("/dev/null" if before is None else path), ("/dev/null" if after is None else path)
    for line in difflib.unified_diff(old, new, *names, lineterm=""):
        yield harmless(line) + "\n"


def _document(report: Report, *, dry: bool) -> dict[str, Any]:
    return {
        "table": [{"what": row.what, "is": row.now, "becomes": row.will, "why": row.why} for row in report.rows],
        "changes": [
            {"path": path, "change": "remove" if after is None else "create" if before is None else "edit"}
            for path, before, after in report.changes
        ],
        "applied": bool(report.changes) and not dry,
        "restarted": report.restarted,
        "notes": report.notes,
        "problems": [_problem(one) for one in report.problems],
    }


def _problem(problem: Problem) -> dict[str, str]:
    return {"severity": "error", "where": problem.where, "message": problem.message, "hint": problem.hint}
