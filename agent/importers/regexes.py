"""Go's regular expressions over names below ``/dev`` to our globs: the same names, or none of them.

Globs have no repetition, so what repeats is told by one glob for each length. Numbers are told up to
:data:`LONGEST_NUMBER` digits; anything else that repeats without end must be "anything", for which there is ``*``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from agent.patterns import PatternError, path_pattern

from .globs import Ranges, UntranslatableError, character_set, literal

LONGEST_NUMBER = 3
_MOST = 64  # globs of one expression
_NAMES = 16  # names that are told one by one
_LONGEST = 512  # characters of an expression
_DEPTH = 16
_TIMES = 8

_CLASSES: dict[str, Ranges] = {"d": (("0", "9"),), "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z"))}
_BOUNDS = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")


@dataclass(frozen=True, slots=True)
class _Set:
    ranges: Ranges
    negated: bool = False

    @property
    def slash(self) -> bool:
        return any(first <= "/" <= last for first, last in self.ranges) is not self.negated

    @property
    def digits(self) -> bool:
        return not self.negated and all(first >= "0" and last <= "9" for first, last in self.ranges)

    @property
    def members(self) -> list[str]:
        return [chr(code) for first, last in self.ranges for code in range(ord(first), ord(last) + 1)]


@dataclass(frozen=True, slots=True)
class _Anchor:
    at_end: bool


@dataclass(frozen=True, slots=True)
class _Any:
    pass


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: tuple[_Part, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    parts: tuple[_Part, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    part: _Part
    least: int
    most: int | None


_Part: TypeAlias = "str | _Set | _Anchor | _Any | _Sequence | _Choice | _Repeat"
_Piece: TypeAlias = "str | _Anchor"
_Text: TypeAlias = "tuple[_Piece, ...]"

_BUT_SLASH = _Set((("/", "/"),), negated=True)


def names(expression: str) -> tuple[str, ...]:
    """Return the names that an expression matches if they are few; empty where there are many, or no end of them.

    Raises:
        UntranslatableError: it is not understood.
    """
    part = _Parser(expression).result()
    try:
        texts = _expanded(part, one_by_one=True)
    except UntranslatableError:
        return ()
    found = []
    for text in texts:
        if not (_begins(text) and _ends(text)) or any(isinstance(token, _Anchor) for token in text[1:-1]):
            return ()
        found.append("".join(token for token in text if isinstance(token, str)))
    known = tuple(dict.fromkeys(name for name in found if _is_glob(f"/dev/{literal(name)}")))
    return known if len(known) <= _NAMES else ()


def globs(expression: str) -> tuple[str, ...]:
    """Return globs below ``/dev`` for the names that an expression matches, as Go does, anywhere but for anchors.

    Raises:
        UntranslatableError: it is not understood, or globs cannot tell it.
    """
    found = [f"/dev/{_glob(text)}" for text in _expanded(_Parser(expression).result(), one_by_one=False)]
    known = tuple(dict.fromkeys(glob for glob in found if _is_glob(glob)))
    if not known:
        raise UntranslatableError("it matches no name below /dev")
    return known


def _is_glob(glob: str) -> bool:
    """Tell whether any name could match; ``//``, ``.`` and a slash at either end are in none."""
    try:
        path_pattern(glob)
    except PatternError:
        return False
    return True


def _begins(text: _Text) -> bool:
    return text[:1] == (_Anchor(at_end=False),)


def _ends(text: _Text) -> bool:
    return text[-1:] == (_Anchor(at_end=True),)


def _glob(text: _Text) -> str:
    inner = text[_begins(text) : len(text) - _ends(text)]
    if any(isinstance(token, _Anchor) for token in inner):
        raise UntranslatableError("it has an anchor in its middle")
    pieces = [piece for piece in inner if isinstance(piece, str)]
    glob = ""
    for piece in ("" if _begins(text) else "**", *pieces, "" if _ends(text) else "**"):
        stars = piece in ("*", "**") and glob.endswith("*")  # "anything" twice is anything, and "**" is more than "*"
        glob = f"{glob.rstrip('*')}**" if stars and "**" in (piece, glob[-2:]) else glob if stars else glob + piece
    # Between two slashes ".*" is a component, which is never empty; there "**/" would also be none at all.
    return re.sub(r"(?:(?<=/)|^)\*\*/", "?**/", glob)


def _expanded(part: _Part, *, one_by_one: bool) -> list[_Text]:
    """Return every text that a part may be, as pieces of globs; with ``one_by_one`` as pieces of names."""
    match part:
        case str():
            texts: list[_Text] = [(part if one_by_one else literal(part),)]
        case _Anchor():
            texts = [(part,)]
        case _Any():
            _refuse_endless(one_by_one=one_by_one)
            texts = [("?",), ("/",)]
        case _Set():
            texts = _of_set(part, one_by_one=one_by_one)
        case _Sequence():
            texts = [()]
            for inner in part.parts:
                texts = _joined(texts, _expanded(inner, one_by_one=one_by_one))
        case _Choice():
            texts = [text for inner in part.parts for text in _expanded(inner, one_by_one=one_by_one)]
        case _Repeat():
            texts = _repeated(part, one_by_one=one_by_one)
    return _few(texts)


def _refuse_endless(*, one_by_one: bool) -> None:
    if one_by_one:
        raise UntranslatableError("there is no end of the names")


def _of_set(part: _Set, *, one_by_one: bool) -> list[_Text]:
    if one_by_one:
        if part.negated or sum(ord(last) - ord(first) + 1 for first, last in part.ranges) > _NAMES:
            raise UntranslatableError("there are too many names")
        return [(member,) for member in part.members]
    if part == _BUT_SLASH:
        return [("?",), *([("/",)] if part.slash else [])]
    ranges = tuple(one for one in part.ranges if one != ("/", "/"))
    one: list[_Text] = [(character_set(ranges, negated=part.negated),)] if ranges else []
    return one + ([("/",)] if part.slash else [])


def _repeated(part: _Repeat, *, one_by_one: bool) -> list[_Text]:
    most = part.most
    anything = {_Any(): "**", _BUT_SLASH: "*"}.get(part.part) if isinstance(part.part, _Any | _Set) else None
    if most is None:
        _refuse_endless(one_by_one=one_by_one)
        if anything is None and not (isinstance(part.part, _Set) and part.part.digits):
            raise UntranslatableError("it repeats something without end, and globs cannot")
        most = part.least if anything else max(part.least, LONGEST_NUMBER)
    if max(part.least, most) > _TIMES:
        raise UntranslatableError(f"it repeats something more than {_TIMES} times")
    once = _expanded(part.part, one_by_one=one_by_one) if most else []
    texts: list[_Text] = [()]
    found: list[_Text] = [()] if part.least == 0 else []
    for times in range(1, most + 1):
        texts = _joined(texts, once)
        found += texts if times >= part.least else []
    tail: list[_Text] = [(anything,)] if anything and part.most is None else [()]
    return _joined(found, tail)


def _joined(starts: list[_Text], ends: list[_Text]) -> list[_Text]:
    if len(starts) * len(ends) > _MOST:
        raise UntranslatableError(f"it would take more than {_MOST} globs")
    return [start + end for start, end in product(starts, ends)]


def _few(texts: list[_Text]) -> list[_Text]:
    if len(texts) > _MOST:
        raise UntranslatableError(f"it would take more than {_MOST} globs")
    return texts


class _Parser:
    """Reads the part of Go's syntax that people use for names of devices."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise UntranslatableError(f"it is longer than {_LONGEST} characters")
        self.text = text
        self.at = 0
        self.depth = 0

    def result(self) -> _Part:
        part = self.choice()
        if self.at < len(self.text):
            raise UntranslatableError("it has a ) without a (")
        return part

    def next(self) -> str:
        return self.text[self.at : self.at + 1]

    def choice(self) -> _Part:
        self.depth += 1
        if self.depth > _DEPTH:
            raise UntranslatableError("it is nested too deeply")
        parts = [self.sequence()]
        while self.next() == "|":
            self.at += 1
            parts.append(self.sequence())
        self.depth -= 1
        return parts[0] if len(parts) == 1 else _Choice(tuple(parts))

    def sequence(self) -> _Part:
        parts: list[_Part] = []
        while self.next() not in ("", "|", ")"):
            parts.append(self.repeated(self.single()))
        return _Sequence(tuple(parts))

    def single(self) -> _Part:
        character = self.next()
        self.at += 1
        match character:
            case "(":
                return self.group()
            case "[":
                return self.set()
            case ".":
                return _Any()
            case "^" | "$":
                return _Anchor(at_end=character == "$")
            case "\\":
                return self.escaped()
            case "*" | "+" | "?":
                raise UntranslatableError(f"it has a {character} with nothing to repeat")
        return character

    def group(self) -> _Part:
        if self.text.startswith("?:", self.at):
            self.at += 2
        elif self.next() == "?":
            raise UntranslatableError("it sets flags or names a group")
        part = self.choice()
        if self.next() != ")":
            raise UntranslatableError("it has a ( without a )")
        self.at += 1
        return part

    def escaped(self) -> _Part:
        character = self.next()
        self.at += 1
        if character in _CLASSES:
            return _Set(_CLASSES[character])
        if character in ("A", "z"):
            return _Anchor(at_end=character == "z")
        if not character or character.isalnum() or not character.isascii():
            raise UntranslatableError(f"it has \\{character}, which has no equivalent")
        return character

    def repeated(self, part: _Part) -> _Part:
        bounds = _BOUNDS.match(self.text, self.at)
        if bounds:
            least = int(bounds[1])
            most = int(bounds[3]) if bounds[3] else None if bounds[2] else least
            self.at = bounds.end()
        elif self.next() and self.next() in "*+?":
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[self.next()]
            self.at += 1
        else:
            return part
        if self.next() == "?":  # as few as possible: the same names
            self.at += 1
        if (self.next() and self.next() in "*+?") or _BOUNDS.match(self.text, self.at):
            raise UntranslatableError("it repeats a repetition")
        if most is not None and most < least:
            raise UntranslatableError("it repeats something at most fewer times than at least")
        return _Repeat(part, least, most)

    def set(self) -> _Set:
        negated = self.next() == "^"
        self.at += negated
        ranges: list[tuple[str, str]] = []
        first = True
        while first or self.next() != "]":
            if not self.next():
                raise UntranslatableError("it has a [ without a ]")
            if self.text.startswith("[:", self.at):
                raise UntranslatableError("it names a class of characters")
            ranges += self.members()
            first = False
        self.at += 1
        return _Set(tuple(sorted(set(ranges))), negated)

    def members(self) -> Ranges:
        start = self.member()
        if isinstance(start, _Set):
            return start.ranges
        if self.next() != "-" or self.text[self.at + 1 : self.at + 2] in ("]", ""):
            return ((start, start),)
        self.at += 1
        end = self.member()
        if isinstance(end, _Set) or end < start:
            raise UntranslatableError("it has a range that runs backwards")
        return ((start, end),)

    def member(self) -> str | _Set:
        character = self.next()
        self.at += 1
        if character != "\\":
            return character
        part = self.escaped()
        if not isinstance(part, str | _Set):
            raise UntranslatableError("it has an anchor in a set")
        return part
