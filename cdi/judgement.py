"""One spec file under every judgement of this library: what runtimes do with it, what is right, what is wise."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from cdi import codec, validation, wire
from cdi.errors import CDIError, Problem
from cdi.text import tree
from cdi.text.characters import line_and_column
from cdi.text.places import positions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cdi.hostnode import Look
    from cdi.model import Spec

# Where a problem lies that is of the text itself, which has no paths yet.
_OF_TEXT = re.compile(r"line (\d+), column (\d+)")

# What may stand behind a document and mean nothing: its end mark, empty lines, comments.
_NOTHING = re.compile(r"(?:\.\.\.)?(?:\s|#.*)*")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What there is to say of a file. ``where`` of each problem is a JSON path, or empty.

    ``errors``: runtimes reject the file, or die of it; ``warnings``: they accept what they need not, or other readers
    understand it otherwise; ``advice``: it may not do what was meant on this node. ``spec`` is None where nothing
    could be decoded.
    """

    spec: Spec | None
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    advice: tuple[Problem, ...] = ()


class Located(NamedTuple):
    """A problem, and the line and column, from 1, of what it is about."""

    line: int
    column: int
    problem: Problem

    def within(self, name: str) -> Problem:
        """Return the problem with file, line and column before its JSON path."""
        return self.problem.within(f"{name}:{self.line}:{self.column}")


def judge(data: bytes, name: str = "", *, look: Look | None = None, runtime: str | None = None) -> Judgement:
    """Judge the content of a spec file called ``name``, whose ending says what it claims to be.

    With ``look``, which tells what the node has at a path, there is advice; ``runtime`` is a key of
    :data:`cdi.versions.RUNTIMES`.
    """
    findings = wire.Findings()
    try:
        document, text_warnings = _read(data, name)
    except CDIError as error:
        return Judgement(None, error.problems)
    spec = wire.read(document, findings)
    if spec is None:
        return Judgement(None, tuple(findings.faults))
    warnings = (
        *validation.warnings(spec),
        *text_warnings,
        *findings.notes,
    )
    advice = validation.advice(spec, look, runtime) if look else ()
    return Judgement(spec, validation.check(spec), warnings, advice)


def located(problems: Iterable[Problem], data: bytes) -> list[Located]:
    """Return problems of :func:`judge` with line and column; the text is read once more, however many there are."""
    problems = list(problems)
    found = [_OF_TEXT.fullmatch(problem.where) for problem in problems]
    paths = [problem.where for problem, match in zip(problems, found, strict=True) if match is None]
    places = iter(positions(data, paths) if paths else ())
    return [
        Located(*next(places), problem)
        if match is None
        else Located(int(match[1]), int(match[2]), replace(problem, where=""))
        for problem, match in zip(problems, found, strict=True)
    ]


def _read(data: bytes, name: str) -> tuple[wire.Tree, tuple[Problem, ...]]:
    """Return what a text says, and warnings of the text itself."""
    try:
        return codec.plain_json(data), ()
    except codec.NotPlainError:
        found = tree.read(data)
    return found.tree, (*_json_warnings(data, name, found.tree), *_trailing_text(found))


def _json_warnings(data: bytes, name: str, document: wire.Tree) -> tuple[Problem, ...]:
    if not name.endswith(".json"):
        return ()
    try:
        read = json.loads(data.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        fact = str(error).partition(":")[0]
        return (Problem("", f"the file is called .json, and is not JSON: {fact}", "call it .yaml, or make it JSON"),)
    if read != document:
        return (Problem("", "other readers of JSON read something else in this file", "escape unusual characters"),)
    return ()


def _trailing_text(found: tree.Read) -> tuple[Problem, ...]:
    characters = found.characters
    match = _NOTHING.match(characters.text, found.end)
    if match is None or (match.end() == len(characters.text) and characters.fault is None):
        return ()
    line, column = line_and_column(characters.text, match.end())
    return (Problem(f"line {line}, column {column}", "runtimes do not read what stands from here on", "remove it"),)


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")
