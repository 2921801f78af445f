"""Apply what was planned, prove it, or take it back; and revert. The same for every runtime."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.runtimes import fate, undo
from agent.runtimes.answers import Row, Wish, lists
from agent.runtimes.tomltext import same
from agent.setup import files, journal, programs
from agent.setup.cri import NoAnswerError
from agent.setup.files import FileError
from agent.setup.journal import Journal, Step
from agent.setup.programs import ProgramError
from cdi.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.runtimes.answers import Answer
    from agent.setup.targets import Options, Seen, Target

_STEP = 0.1  # seconds between two questions to a daemon that starts


@dataclass(slots=True)
class Report:
    """What came of it. ``changes`` are path, bytes before and bytes after, made or, when ``dry``, to be made."""

    rows: list[Row] = field(default_factory=list)
    changes: list[tuple[str, bytes | None, bytes | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    permitted: bool = True
    restarted: bool = False


def apply(target: Target, options: Options) -> Report:
    """Switch CDI on. Whatever goes wrong is in the report, and the files are then as they were."""
    report = Report(list(target.rows))
    try:
        _apply(target, options, report)
    except FileError as error:
        _fail(report, error)
    return report


def _apply(target: Target, options: Options, report: Report) -> None:
    answer = target.plan(Wish(options.spec_dir, options.place, options.overrule))
    report.rows += answer.rows
    report.notes += answer.notes
    if answer.blocked:
        report.problems.append(answer.blocked)
        return
    try:
        before = target.view()
    except ProgramError as error:
        report.problems.append(Problem("", f"the runtime itself refuses its configuration: {error}",
                                       "correct that first; nothing was changed"))  # fmt: skip
        return
    if not answer.changes:
        _confirm(target, options, report, before)
        return
    if options.dry_run:
        report.changes = [(one.write.name, one.write.before, one.write.data) for one in answer.changes]
        report.notes.append("nothing was changed")
        return
    with Journal(options.state_dir, options.runtime) as kept:
        _write(answer, options, kept, target.mode)
        report.changes = [(one.write.name, one.write.before, one.write.data) for one in answer.changes]
        if problem := _proof(target, options, before):
            _roll_back(answer, options, kept, report)
            report.problems.append(problem)
            return
        _activate(target, options, report, lambda: _roll_back(answer, options, kept, report))


def _write(answer: Answer, options: Options, kept: Journal, mode: int) -> None:
    """Record and write the changes; on an error the ones that were made are taken back."""
    made = [step for step in kept.steps if _was_made(step, options.root)]
    never = {step.path: step.directories for step in kept.steps if step not in made}  # a killed run may have made these
    new = []
    for one in answer.changes:
        directories = _missing_directories(one.write.name, options.root)
        directories = sorted({*directories, *never.get(one.write.name, [])})
        new.append(Step(one.write.name, one.write.before, one.write.data, one.keys, directories))
    kept.record([*_still_there(made, new), *new])
    done: list[Step] = []
    try:
        for step in new:
            files.replace(files.real(step.path, options.root), step.after, step.before, mode)
            done.append(step)
    except FileError:
        _restore(done, options.root)
        kept.record(made)
        raise


def _still_there(made: Sequence[Step], new: Sequence[Step]) -> list[Step]:
    """Return the steps without those that others have taken back, so that a tug of war leaves one, not thousands."""
    left = list(made)
    for step in new:
        same_file = [index for index, one in enumerate(left) if one.path == step.path]
        undone = next((index for index in same_file if left[index].before == step.before), None)
        if undone is not None:
            left = [one for index, one in enumerate(left) if one.path != step.path or index < undone]
    return left


def _missing_directories(path: str, root: str | None) -> list[str]:
    """Return the directories that a file will need, as the runtime sees them."""
    parents = list(reversed([path[:at] for at, sign in enumerate(path) if sign == "/" and at]))
    missing = set(files.missing_directories(files.real(path, root)))
    return sorted(parent for parent in parents if files.real(parent, root) in missing)


def _was_made(step: Step, root: str | None) -> bool:
    now = files.read(files.real(step.path, root))
    return now != step.before or step.before == step.after


def _restore(steps: Sequence[Step], root: str | None) -> None:
    for step in reversed(steps):
        path = files.real(step.path, root)
        if step.before is None:
            files.remove(path, [files.real(one, root) for one in step.directories])
        else:
            files.replace(path, step.before, step.after)


def _roll_back(answer: Answer, options: Options, kept: Journal, report: Report) -> None:
    new = len(answer.changes)
    _restore(kept.steps[-new:], options.root)
    kept.record(kept.steps[:-new])
    report.changes.clear()


def _proof(target: Target, options: Options, before: Seen | None) -> Problem | None:
    """Check the written files with the runtime's own eyes; returns what is wrong."""
    try:
        now = target.view()
    except ProgramError as error:
        return Problem("", f"the runtime refuses the changed configuration: {error}", "it was put back; report this")
    if now is None:
        return None
    if not (now.enabled and lists(now.spec_dirs, options.spec_dir)):
        return Problem("", "the runtime does not see the change", "some other file overrules it; it was put back")
    if before is not None and not same(before.rest, now.rest):
        return Problem("", "the runtime sees other settings changed too", "it was put back; report this")
    return None


def _good(seen: Seen, options: Options) -> bool:
    return seen.enabled and lists(seen.spec_dirs, options.spec_dir)


def _confirm(target: Target, options: Options, report: Report, view: Seen | None) -> None:
    """Where the files need no change, look whether runtime and daemon agree."""
    if view is not None and not _good(view, options):
        report.problems.append(Problem("", "the files say that CDI is on, but the runtime reads them otherwise",
                                       "see what its own tool prints, such as containerd config dump"))  # fmt: skip
        return
    try:
        stale = target.ask is not None and target.running and not _good(target.ask(), options)
    except NoAnswerError as error:
        report.notes.append(f"the running daemon could not be asked: {error}")
        return
    if stale and not options.dry_run:
        report.notes = ["the files are right, but the daemon still runs with what it read before"]
        _activate(target, options, report, None)
    elif stale:
        report.notes = ["the daemon still runs with what it read before: restart it"]
    elif target.ask is not None and target.running:
        report.rows.append(Row("running daemon", "CDI is on"))


def _activate(target: Target, options: Options, report: Report, roll_back: object) -> None:
    """Restart the daemon if that is wanted, and see that it has the change; else say what is left to do."""
    if options.root or target.ask is None:
        return
    command = programs.restart_command(options.restart_command, target.unit)
    if not options.restart:
        if target.running:
            words = " ".join(command or ("restart", target.unit))
            report.notes.append(f"restart it to have it read the change: {words}; {fate(target.unit)}")
        return
    if command is None:
        report.problems.append(Problem("", "there is no systemd here to restart it with",
                                       "give the command: --restart-command; the change itself is made"))  # fmt: skip
        return
    try:
        reason = _restart(target, options, command)
    except NoAnswerError as error:
        report.restarted = True
        report.notes.append(f"it was restarted, and could not be asked whether it has CDI on: {error}")
        return
    if reason is None:
        report.restarted = True
        report.rows.append(Row("running daemon", "CDI is on", why="asked after its restart"))
        return
    report.problems.append(Problem("", f"after the restart, {reason}", "see its log"))
    if callable(roll_back):
        roll_back()
        again = _come_back(target, options, command)
        fact = "the change was taken back, and the daemon runs as before" if again else \
            "the change was taken back, but the daemon does not come up"  # fmt: skip
        report.problems.append(Problem("", fact, "" if again else "its fault lies elsewhere: see its log"))


def _restart(target: Target, options: Options, command: list[str]) -> str | None:
    """Restart the daemon and wait until it has CDI on; returns why not.

    Raises:
        NoAnswerError: it was restarted, and may not be asked.
    """
    try:
        programs.run(command, options.patience + 60)
    except ProgramError as error:
        return f"it failed: {error}"
    end, last = time.monotonic() + options.patience, "it does not answer"
    while True:
        try:
            if target.ask is None or _good(target.ask(), options):
                return None
            last = "the daemon does not have CDI on"
        except NoAnswerError as error:
            last = str(error)
            if error.unable:
                raise
        if time.monotonic() > end:
            return f"{last} (waited {options.patience:.0f} s)"
        time.sleep(_STEP)


def _come_back(target: Target, options: Options, command: list[str]) -> bool:
    with contextlib.suppress(ProgramError):
        programs.run(command, options.patience + 60)
    end = time.monotonic() + options.patience
    while time.monotonic() < end:
        try:
            if target.ask is not None:
                target.ask()
        except NoAnswerError as error:
            if error.absent or error.unable:
                return True
            time.sleep(_STEP)
        else:
            return True
    return False


def revert(target: Target | None, language: undo.Language, options: Options) -> Report:
    """Take back what was changed, in reverse order, also where others have edited since."""
    report = Report(list(target.rows) if target else [])
    try:
        if not journal.read(f"{options.state_dir}/setup/{options.runtime}"):
            report.notes.append("there is nothing of ours to take back")
            return report
        if options.dry_run:
            _take_back(journal.read(f"{options.state_dir}/setup/{options.runtime}"), language, options, report)
            return report
        with Journal(options.state_dir, options.runtime) as kept:
            left: list[Step] = []  # what could not be taken back keeps its original
            for index in range(len(kept.steps) - 1, -1, -1):
                if not _take_back(kept.steps[index : index + 1], language, options, report):
                    left.insert(0, kept.steps[index])
                kept.record([*kept.steps[:index], *left])
    except FileError as error:
        _fail(report, error)
        return report
    if target is not None and any(before != after for _, before, after in report.changes):
        _announce(target, options, report)
    return report


def _take_back(steps: Sequence[Step], language: undo.Language, options: Options, report: Report) -> bool:
    """Take steps back, the last one first; returns whether that was possible whole."""
    whole = True
    shown: dict[str, bytes | None] = {}
    for step in reversed(steps):
        path = files.real(step.path, options.root)
        now = shown[step.path] if step.path in shown else files.read(path)
        then, reasons = undo.undone(now, step.before, step.after, step.keys, language)
        shown[step.path] = then
        whole = whole and not reasons
        report.problems += [Problem(step.path, reason, "take it back by hand") for reason in reasons]
        directories = [files.real(one, options.root) for one in step.directories]
        if then == now:
            if not options.dry_run:
                files.sweep(path, directories)
            continue
        report.changes.append((step.path, now, then))
        report.rows.append(Row(step.path, "changed by us", "removed" if then is None else "as before"
                               if then == step.before else "without what we added", "--revert"))  # fmt: skip
        if options.dry_run:
            continue
        if then is None:
            files.remove(path, directories)
        else:
            files.replace(path, then, now)
    return whole


def _announce(target: Target, options: Options, report: Report) -> None:
    if options.root or target.ask is None or not target.running:
        return
    command = programs.restart_command(options.restart_command, target.unit)
    if not options.restart or command is None:
        report.notes.append(f"restart it to have it read that: {' '.join(command or ['restart', target.unit])}")
    elif _come_back(target, options, command):
        report.restarted = True
    else:
        report.problems.append(Problem("", "the daemon does not come up after its restart", "see its log"))


def _fail(report: Report, error: FileError) -> None:
    report.problems.append(error.problem)
    report.permitted = error.permitted
    report.changes.clear()
