"""Globs, compiled once: for paths, where ``*`` stops at ``/`` and ``**`` crosses it, and for plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(r"\*\*/|\*+|\?|\[|[^*?\[]+")
_MEMBER = re.compile(r"(.)-(.)|(.)", re.DOTALL)
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
    return Pattern(text, _compile(text, in_path=False))


def path_pattern(text: str) -> Pattern:
    """Compile a glob for absolute paths: ``*``, ``?`` and sets stop at ``/``, ``**`` crosses it.

    Raises:
        PatternError: as :func:`value_pattern`; or the path is relative, or holds ``//``, ``.`` or ``..``.
    """
    if not text.startswith("/"):
        raise PatternError(f"{text!r} is not an absolute path")
    if any(part in ("", ".", "..") for part in text[1:].split("/")):
        raise PatternError(f"{text!r} has an empty, '.' or '..' component, and would never match")
    return Pattern(text, _compile(text, in_path=True))


def component_pattern(text: str) -> Pattern:
    """Compile one component of a glob that :func:`path_pattern` has accepted."""
    return Pattern(text, _compile(text, in_path=True))


class _Kind(Enum):
    FIXED = auto()  # always the same number of characters
    RUN = auto()  # any number of characters but "/"
    CROSSING = auto()  # any number of characters


_Part = tuple[_Kind, str]


def _compile(text: str, *, in_path: bool) -> re.Pattern[str]:
    if not text:
        raise PatternError("an empty glob matches nothing")
    if "\0" in text:
        raise PatternError("a glob cannot hold a NUL character")
    return re.compile(_without_backtracking(list(_parts(text, in_path=in_path))), re.DOTALL)


def _parts(text: str, *, in_path: bool) -> Iterator[_Part]:
    at = 0
    while token := _TOKEN.match(text, at):
        start, at = at, token.end()
        match token[0]:
            case "**/" if in_path and text[:start].endswith("/"):
                yield _Kind.CROSSING, "(?:.*?/)??"  # any number of whole components, also none
            case "**/":
                yield from ((_Kind.CROSSING, ".*?"), (_Kind.FIXED, "/"))
            case "*":
                yield (_Kind.RUN, "[^/]*?") if in_path else (_Kind.CROSSING, ".*?")
            case "?":
                yield _Kind.FIXED, "[^/]" if in_path else "."
            case "[":
                at = _set_end(text, at)
                yield _Kind.FIXED, _set(text, text[token.end() : at - 1], in_path=in_path)
            case stars if stars.startswith("*"):
                yield _Kind.CROSSING, ".*?"
            case fixed:
                yield _Kind.FIXED, re.escape(fixed)


def _set_end(text: str, start: int) -> int:
    """Return the position after the ``]`` of the set whose content begins at ``start``."""
    first = start + 1 if text[start : start + 1] in ("!", "^") else start
    end = text.find("]", first + 1)  # a "]" that comes first is a member
    if end < 0:
        raise PatternError(f"{text!r} has an unclosed '['")
    return end + 1


def _set(text: str, content: str, *, in_path: bool) -> str:
    negated = content[0] in "!^"
    members = content[1:] if negated else content
    if in_path and "/" in members:
        raise PatternError(f"{text!r} has a '/' inside a set, which no component can match")
    ranges = []
    for first, last, single in _MEMBER.findall(members):
        if first > last:
            raise PatternError(f"{text!r} has a range that runs backwards, {first}-{last}")
        ranges.append(re.escape(single) or f"{re.escape(first)}-{re.escape(last)}")
    return f"{'(?!/)' if in_path else ''}[{'^' if negated else ''}{''.join(ranges)}]"


def _without_backtracking(parts: list[_Part]) -> str:
    """Join the parts so that matching does not explode, whatever a device calls itself.

    The earliest match of what stands between two runs is as good as any later one, as long as the second run may
    cross whatever the first may. So that much is atomic, and only the end of the pattern is tried more than once.
    """
    *segments, last = _split(parts, _Kind.CROSSING)
    regex = "".join(f"(?>{_segment(segment)})" for segment in segments)
    return regex + _segment(last, ends=True)


def _segment(parts: list[_Part], *, ends: bool = False) -> str:
    pieces = _split(parts, _Kind.RUN)
    last = pieces.pop() if ends else []
    return "".join(map(_piece, pieces)) + "".join(regex for _, regex in last)


def _piece(parts: list[_Part]) -> str:
    regex = "".join(regex for _, regex in parts)
    return f"(?>{regex})" if parts and parts[0][0] is _Kind.RUN else regex


def _split(parts: list[_Part], kind: _Kind) -> list[list[_Part]]:
    """Cut before every part of that kind."""
    cuts = [index for index, part in enumerate(parts) if part[0] is kind and index]
    return [parts[start:end] for start, end in pairwise((0, *cuts, len(parts)))]
