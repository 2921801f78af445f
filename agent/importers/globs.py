"""Go's globs to ours: the same paths, other rules for sets and escapes."""

from __future__ import annotations

import itertools
import re
from typing import TypeAlias

from agent.patterns import PatternError, path_pattern

Ranges: TypeAlias = tuple[tuple[str, str], ...]  # first and last character of each


class UntranslatableError(ValueError):
    """A pattern that our globs cannot tell; the text says why."""


def literal(text: str) -> str:
    """Return the glob that matches this text and nothing else."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in text)


def character_set(ranges: Ranges, *, negated: bool) -> str:
    """Return the glob of one character out of these, or out of all others but ``/``.

    Raises:
        UntranslatableError: there is no way to write it.
    """
    singles = {first for first, last in ranges if first == last}
    if not negated and len(ranges) == 1 and singles:
        return literal(singles.pop())
    # "]" means itself only in the first place, "-" in the first and last, "!" and "^" anywhere but in the first.
    wide = [f"{first}-{last}" for first, last in ranges if first != last]
    plain = sorted(singles - set("]-!^"))
    content = "".join((*(["]"] if "]" in singles else []), *wide, *plain, *sorted(singles & set("!^"))))
    content += "-" if "-" in singles else ""
    if not content or "/" in content or (not negated and content[0] in "!^") or "]" in content[1:]:
        raise UntranslatableError("its set of characters cannot be written here")
    return f"[{'!' if negated else ''}{content}]"


def from_go(pattern: str) -> str:
    """Return the glob that matches the paths that Go's ``path.Match`` does with ``pattern``.

    Raises:
        UntranslatableError: Go refuses it, it is not absolute, or ours cannot tell it.
    """
    glob = "/" + "/".join(_component(part) for part in _components(pattern))
    try:
        path_pattern(glob)
    except PatternError as error:
        raise UntranslatableError(str(error)) from None
    return glob


def is_literal(pattern: str) -> bool:
    """Tell whether a Go glob matches nothing but itself."""
    return not any(character in pattern for character in "*?[\\")


def _components(pattern: str) -> list[str]:
    if not pattern.startswith("/"):
        raise UntranslatableError("it is not an absolute path")
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        raise UntranslatableError("it leads nowhere below a directory")
    return parts


def _component(text: str) -> str:
    glob = ""
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if character == "*":
            glob += "" if glob.endswith("*") else "*"
        elif character == "?":
            glob += "?"
        elif character == "[":
            one, at = _set(text, at)
            glob += one
        elif character == "\\":
            if at == len(text):
                raise UntranslatableError("it ends in a backslash")
            glob += literal(text[at])
            at += 1
        else:
            glob += character
    return glob


def _set(text: str, at: int) -> tuple[str, int]:
    """Read a set whose content begins at ``at``; returns its glob and the position behind it."""
    negated = text[at : at + 1] == "^"
    at += negated
    ranges: list[tuple[str, str]] = []
    while text[at : at + 1] != "]" or not ranges:
        first, at = _member(text, at)
        last = first
        if text[at : at + 1] == "-":
            last, at = _member(text, at + 1)
        if first <= last:  # Go takes one that runs backwards, and matches nothing by it
            ranges.append((first, last))
        elif text[at : at + 1] == "]" and not ranges:
            raise UntranslatableError("its set of characters is empty")
    return character_set(tuple(ranges), negated=negated), at + 1


def _member(text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] == "\\":
        at += 1
    elif text[at : at + 1] in ("-", "]"):
        raise UntranslatableError("its set of characters is malformed")
    if at >= len(text):
        raise UntranslatableError("its set of characters is not closed")
    return text[at], at + 1


def common_start(globs: tuple[str, ...]) -> str:
    """Return what all paths that these globs match begin with."""
    starts = [re.split(r"[*?\[]", glob, maxsplit=1)[0] for glob in globs]
    shared = itertools.takewhile(lambda characters: len(set(characters)) == 1, zip(*starts, strict=False))
    return "".join(characters[0] for characters in shared)
