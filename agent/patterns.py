"""Globs, compiled once: for paths, where ``*`` stops at ``/`` and ``**`` crosses it, and for plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(r"\*\*/|\*+|\?|\[|[^*?\[]+")
_MAGIC = re.compile(r"[*?\[]")


class PatternError(ValueError):
    """A glob that cannot be understood; the text says why."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One compiled glob: ``text`` as it was written, and the test for it."""

    text: str
    regex: re.Pattern[str] = field(compare=False, repr=False)

    def matches(self, value: str) -> bool:
        """Tell whether the whole of ``value`` matches; case counts."""
        return self.regex.fullmatch(value) is not None

    @property
    def literal(self) -> bool:
        """Whether it matches nothing but its own text."""
        return not _MAGIC.search(self.text)


def value_pattern(text: str) -> Pattern:
    """Compile a glob for values: ``*`` matches anything, also nothing, ``?`` one character, ``[a-z]`` a set.

    Raises:
        PatternError: a bracket is not closed, or holds a range that runs backwards.
    """
    return Pattern(text, _compile(text, any_run=".*", any_one=".", crossing=".*", directories=".*/"))


def path_pattern(text: str) -> Pattern:
    """Compile a glob for absolute paths: ``*`` and ``?`` stop at ``/``, ``**`` crosses it.

    Raises:
        PatternError: as :func:`value_pattern`; or the path is relative, or holds ``//``, ``.`` or ``..``.
    """
    if not text.startswith("/"):
        raise PatternError(f"{text!r} is not an absolute path")
    if any(part in ("", ".", "..") for part in text[1:].split("/")):
        raise PatternError(f"{text!r} has an empty, '.' or '..' component, and would never match")
    if re.search(r"\[[^\]]*/", text):
        raise PatternError(f"{text!r} has a '/' inside a set, which no component can match")
    return Pattern(text, _compile(text, any_run="[^/]*", any_one="[^/]", crossing=".*", directories="(?:.*/)?"))


def component_pattern(text: str) -> Pattern:
    """Compile one component of a glob that :func:`path_pattern` has accepted."""
    return Pattern(text, _compile(text, any_run="[^/]*", any_one="[^/]", crossing=".*", directories=".*/"))


def _compile(text: str, *, any_run: str, any_one: str, crossing: str, directories: str) -> re.Pattern[str]:
    if not text:
        raise PatternError("an empty glob matches nothing")
    if "\0" in text:
        raise PatternError("a glob cannot hold a NUL character")
    parts = list(_parts(text, any_run=any_run, any_one=any_one, crossing=crossing, directories=directories))
    try:
        return re.compile("".join(_without_backtracking(parts, any_run)), re.DOTALL)
    except re.error as error:
        raise PatternError(f"{text!r} holds a set that cannot be read ({error.msg})") from None


def _parts(text: str, *, any_run: str, any_one: str, crossing: str, directories: str) -> Iterator[str]:
    at = 0
    while token := _TOKEN.match(text, at):
        at = token.end()
        match token[0]:
            case "**/":
                yield directories
            case "*":
                yield any_run
            case "?":
                yield any_one
            case "[":
                at = _set_end(text, at)
                yield _set(text[token.end() : at - 1])
            case stars if stars.startswith("*"):
                yield crossing
            case fixed:
                yield re.escape(fixed)


def _set_end(text: str, start: int) -> int:
    """Return the position after the ``]`` of the set whose content begins at ``start``."""
    first = start + 1 if text[start : start + 1] in ("!", "^") else start
    end = text.find("]", first + 1)  # a "]" that comes first is a member
    if end < 0:
        raise PatternError(f"{text!r} has an unclosed '['")
    return end + 1


def _set(content: str) -> str:
    negated, members = content[0] in "!^", content.lstrip("!^") if content[0] in "!^" else content
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", members)
    return f"[{'^' if negated else ''}{escaped}]"


def _without_backtracking(parts: list[str], any_run: str) -> Iterator[str]:
    """Make all runs but the last atomic, so that matching takes linear time whatever a device calls itself.

    The earliest match of what stands between two runs is as good as any later one, as long as both runs match
    the same characters.
    """
    runs = [index for index, part in enumerate(parts) if part == any_run]
    uniform = not any(part in (".*", "(?:.*/)?", ".*/") and part != any_run for part in parts)
    if not uniform or len(runs) < 2:
        yield from parts
        return
    yield from parts[: runs[0]]
    for start, end in pairwise(runs):
        yield f"(?>{any_run}?{''.join(parts[start + 1 : end])})"
    yield from parts[runs[-1] :]
