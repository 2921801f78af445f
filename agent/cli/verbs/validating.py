"""``validate``: what is wrong with spec files, in which line; errors, warnings and advice told apart."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from agent.cli.terminal import harmless, say
from agent.cli.verbs import documents
from agent.cli.verbs.ocifile import STDIN, standard_input
from agent.cli.verbs.reading import DONE, FAILED, NOT_PERMITTED, directories, is_hidden
from cdi import versions
from cdi.errors import CDIError, Problem
from cdi.judgement import Judgement, judge, located
from cdi.specdirs import EXTENSIONS, SpecDirs, host_node, read_file

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agent.cli.verbs.documents import Document
    from cdi.registry import Registry, SpecFile

Severity: TypeAlias = Literal["error", "warning", "advice"]

_MOST = 100  # problems of one file that are told


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of a file, and its place; line 0 where it has none. ``problem.where`` is a JSON path, or empty."""

    severity: Severity
    problem: Problem
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What there is to say of one file; so many more problems are left ``untold``."""

    path: str
    judgement: Judgement
    findings: tuple[Finding, ...]
    untold: int = 0

    @property
    def valid(self) -> bool:
        """Whether runtimes take the file, and all that it defines."""
        return all(finding.severity != "error" for finding in self.findings)


def validate(options: argparse.Namespace) -> int:
    """Judge files, or all that the spec directories hold."""
    runtime = options.runtime and options.runtime.replace("-", " ", 1)
    verdicts = [_of_file(path, runtime) for path in options.file] or list(_of_directories(options, runtime))
    if options.output != "text":
        documents.show(_document(verdicts), options.output)
    else:
        _print(verdicts, least=("error",) if options.quiet else ("error", "warning", "advice"))
    if not options.quiet:
        say(_summary(verdicts))
    invalid = [verdict.path for verdict in verdicts if not verdict.valid]
    if not invalid:
        return DONE
    return NOT_PERMITTED if all(map(is_hidden, invalid)) else FAILED


def _of_directories(options: argparse.Namespace, runtime: str | None) -> Iterator[Verdict]:
    """Judge every file that runtimes would read, also by what others define."""
    dirs = SpecDirs(directories(options))
    dirs.refresh()
    for path, problem in dirs.problems.items():
        yield _unread(path, problem)
    conflicts = _conflicts(dirs.registry)
    for file in dirs.registry.files:
        yield _of_file(file.path, runtime, conflicts)


def _of_file(
    path: str, runtime: str | None, conflicts: Mapping[str, Sequence[tuple[Severity, Problem]]] | None = None
) -> Verdict:
    try:
        data = standard_input() if path == STDIN else read_file(path)
    except CDIError as error:
        return _unread(path, *error.problems)
    judgement = judge(data, path, look=host_node, runtime=runtime)
    problems: list[tuple[Severity, Problem]] = [
        *(("error", problem) for problem in judgement.errors),
        *(conflicts or {}).get(path, ()),
        *(("warning", problem) for problem in judgement.warnings),
        *(("advice", problem) for problem in (*_name_advice(path), *judgement.advice)),
    ]
    told = problems[:_MOST]
    places = located((problem for _, problem in told), data)
    findings = (
        Finding(severity, problem, line, column)
        for (severity, _), (line, column, problem) in zip(told, places, strict=True)
    )
    return Verdict(path, judgement, tuple(findings), len(problems) - len(told))


def _unread(path: str, *problems: Problem) -> Verdict:
    findings = (Finding("error", Problem("", problem.message, problem.hint)) for problem in problems)
    return Verdict(path, Judgement(None), tuple(findings))


def _name_advice(path: str) -> Iterator[Problem]:
    if path != STDIN and not path.endswith(EXTENSIONS):
        yield Problem("", "runtimes read only files whose name ends in .json or .yaml", "rename it")


def _conflicts(registry: Registry) -> dict[str, list[tuple[Severity, Problem]]]:
    """Return, by file, what is said of devices that several files define."""
    found: dict[str, list[tuple[Severity, Problem]]] = defaultdict(list)
    for name in registry.conflicts:
        places = list(_defining(registry.files, name))
        levels = Counter(file.priority for file, _ in places)
        rivals = [file.path for file, _ in places if levels[file.priority] > 1]
        for file, place in places:
            others = " and ".join(path for path in rivals if path != file.path)
            if levels[file.priority] > 1:
                message = f"{name} is defined in {others} too, so that no runtime offers it"
                found[file.path].append(("error", Problem(place, message, "remove all but one")))
            else:
                message = f"no runtime offers {name}, since {others} both define it"
                found[file.path].append(("warning", Problem(place, message, "remove one of them")))
    return found


def _defining(files: Iterable[SpecFile], name: str) -> Iterator[tuple[SpecFile, str]]:
    kind, _, wanted = name.partition("=")
    for file in files:
        if file.spec is not None and file.spec.kind == kind:
            for index, device in enumerate(file.spec.devices):
                if device.name == wanted:
                    yield file, f"devices[{index}].name"


def _print(verdicts: Iterable[Verdict], *, least: Sequence[Severity]) -> None:
    """Print problems as compilers do, one a line, so that editors find the place."""
    for verdict in verdicts:
        for finding in verdict.findings:
            if finding.severity in least:
                place = f"{verdict.path}:{finding.line}:{finding.column}" if finding.line else verdict.path
                print(harmless(f"{place}: {finding.severity}: {finding.problem}"))
        if verdict.untold:
            print(harmless(f"{verdict.path}: {verdict.untold} more problems"))
    sys.stdout.flush()


def _summary(verdicts: Sequence[Verdict]) -> str:
    counts = _counts(verdicts)
    parts = (_plural(counts["error"], "error"), _plural(counts["warning"], "warning"), f"{counts['advice']} advice")
    return f"{_plural(len(verdicts), 'file')}: {', '.join(parts)}"


def _counts(verdicts: Iterable[Verdict]) -> Counter[str]:
    return Counter(finding.severity for verdict in verdicts for finding in verdict.findings)


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _document(verdicts: Sequence[Verdict]) -> Document:
    counts = _counts(verdicts)
    return {
        "files": list(map(_file, verdicts)),
        "errors": counts["error"],
        "warnings": counts["warning"],
        "advice": counts["advice"],
    }


def _file(verdict: Verdict) -> Document:
    spec = verdict.judgement.spec
    return {
        "file": verdict.path,
        "valid": verdict.valid,
        "kind": spec.kind if spec else None,
        "cdiVersion": spec.version if spec else None,
        "minimumVersion": versions.minimum_version(spec) if spec else None,
        "devices": [device.name for device in spec.devices] if spec else [],
        "problems": list(map(_problem, verdict.findings)),
        "untold": verdict.untold,
    }


def _problem(finding: Finding) -> Document:
    return {
        "severity": finding.severity,
        "line": finding.line or None,
        "column": finding.column or None,
        "path": finding.problem.where,
        "message": finding.problem.message,
        "hint": finding.problem.hint,
    }
