"""The smallest edits of a TOML text that set a key, add to a list, or take a key away; every other byte survives.

A scanner finds where keys and values stand, since libraries that write TOML lose comments' places, line endings or
quoting. It need not be trusted: each edit is checked with tomllib (nothing but the key differs), and refused where
that fails.
"""

from __future__ import annotations

import copy
import re
import tomllib
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Path: TypeAlias = "tuple[str | int, ...]"
Span: TypeAlias = "tuple[int, int]"
Value: TypeAlias = "bool | int | str | list[str]"

BOM = "\ufeff"
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_REST_OF_LINE = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|$)")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(
    r'''"""(?:[^\\"]|\\.|"{1,2}(?!"))*+"{3,5}|\'{3}(?:[^']|'{1,2}(?!'))*+'{3,5}|"(?:[^"\\]|\\.)*+"|'[^']*+\'''',
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\r\n]*[^,\]}#\r\n \t]")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class EditError(Exception):
    """A text cannot be edited without loss; the message is a fact."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the characters from ``start`` to ``end`` by ``text``."""

    start: int
    end: int
    text: str

    def applied(self, text: str) -> str:
        """Return the text after the edit."""
        return text[: self.start] + self.text + text[self.end :]


@dataclass(frozen=True, slots=True)
class Header:
    """A ``[table]`` or, if ``several``, ``[[table]]``; ``path`` has an index where it is of an array."""

    path: Path
    start: int
    end: int
    several: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """A key and its value: ``base`` is the table it stands in, ``segments`` its dotted parts, ``block`` its header."""

    path: Path
    base: Path
    segments: tuple[Span, ...]
    value: Span
    block: int
    inline: bool

    @property
    def start(self) -> int:
        """Where the key begins."""
        return self.segments[0][0]


@dataclass(slots=True)
class Layout:
    """Where everything stands. ``blocks`` holds the pairs of each header, those before any header first."""

    headers: list[Header] = field(default_factory=list)
    pairs: dict[Path, Pair] = field(default_factory=dict)
    elements: dict[Path, list[Span]] = field(default_factory=dict)
    braces: dict[Path, Span] = field(default_factory=dict)
    blocks: list[list[Pair]] = field(default_factory=lambda: [[]])


def document(text: str) -> dict[str, Any]:
    """Parse a text, which may begin with a byte order mark.

    Raises:
        EditError: it is not TOML; the message has line and column.
    """
    try:
        return tomllib.loads(text.removeprefix(BOM))
    except RecursionError:
        raise EditError("it is nested too deeply") from None
    except ValueError as error:
        fact = str(error)
        raise EditError(f"it is not TOML: {fact[:1].lower()}{fact[1:]}") from None


def layout(text: str) -> Layout:
    """Return where everything stands in a text that `document` accepts."""
    try:
        return _Scanner(text).run()
    except (ValueError, IndexError, RecursionError) as error:
        raise EditError(f"its parts could not be told apart ({error})") from None


def literal(value: Value) -> str:
    """Write a value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return quoted(value) if isinstance(value, str) else str(value)


def quoted(text: str) -> str:
    """Write a string in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in escaped) + '"'


def spelled(path: Path) -> str:
    """Write a path of keys as in a header."""
    return ".".join(str(part) if _BARE.fullmatch(str(part)) else quoted(str(part)) for part in path)


def lookup(found: Any, path: Path) -> Any:
    """Return what stands at a path of a document; ``None`` where nothing does (TOML has no null)."""
    for part in path:
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return found


def same(one: Any, other: Any) -> bool:
    """Tell whether two parsed values are alike, types too; a NaN is like a NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - only NaN differs from itself


def put(text: str, path: tuple[str, ...], value: Value) -> Edit:
    """Return the edit that gives the key at ``path`` this value.

    Raises:
        EditError: the text is not TOML, or its shape leaves no place where that changes nothing else.
    """
    before = document(text)
    wanted = _with(before, path, value)
    where = layout(text)
    pair = where.pairs.get(path)
    candidates = [Edit(*pair.value, literal(value))] if pair else list(_insertions(text, where, path, literal(value)))
    for edit in candidates:
        if _leads_to(text, edit, wanted):
            return edit
    raise EditError(f"there is no place for {spelled(path)} where nothing else would change")


def append(text: str, path: tuple[str, ...], item: str) -> Edit:
    """Return the edit that adds an item to the list at ``path``, after its last one.

    Raises:
        EditError: there is no such list, or none that can be edited without loss.
    """
    before = document(text)
    where = layout(text)
    pair, present = where.pairs.get(path), lookup(before, path)
    if pair is None or not isinstance(present, list):
        raise EditError(f"{spelled(path)} is no list")
    items = where.elements.get(path, [])
    at = items[-1][1] if items else pair.value[0] + 1
    edit = Edit(at, at, f", {quoted(item)}" if items else quoted(item))
    if not _leads_to(text, edit, _with(before, path, [*present, item])):
        raise EditError(f"{spelled(path)} has a shape to which nothing can be added")
    return edit


def _with(before: dict[str, Any], path: tuple[str, ...], value: Value) -> dict[str, Any]:
    wanted = copy.deepcopy(before)
    table = wanted
    for part in path[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise EditError(f"{part!r} is no table")
    table[path[-1]] = value
    return wanted


def _leads_to(text: str, edit: Edit, wanted: dict[str, Any]) -> bool:
    try:
        return same(document(edit.applied(text)), wanted)
    except EditError:
        return False


def newline(text: str) -> str:
    """Return the line ending of a text: that of its first line."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def _insertions(text: str, where: Layout, path: tuple[str, ...], value: str) -> list[Edit]:
    """Return the ways to add a key, the one a person would choose first."""
    edits: list[Edit] = []
    for depth in range(len(path) - 1, -1, -1):
        table, rest = path[:depth], path[depth:]
        if table in where.braces:
            return [*edits, _into_braces(text, where.braces[table], f"{spelled(rest)} = {value}")]
        dotted = _dotted(where, table)
        if dotted is not None:
            edits.append(_beside(text, dotted, table, f"{spelled(rest)} = {value}"))
        header = next((one for one in where.headers if one.path == table and not one.several), None)
        if header is not None and len(rest) == 1:
            edits.append(_below_header(text, where, header, f"{spelled(rest)} = {value}"))
        if table == ():
            edits.append(_at_top(text, where, f"{spelled(rest)} = {value}") if len(rest) == 1
                         else _new_table(text, path, value))  # fmt: skip
    return edits


def _dotted(where: Layout, table: tuple[str, ...]) -> Pair | None:
    """Return the last pair whose dotted key runs through a table, which only such keys may then extend."""
    through = [one for one in where.pairs.values()
               if len(one.base) < len(table) < len(one.path) and one.path[: len(table)] == table]  # fmt: skip
    return through[-1] if through else None


def _beside(text: str, pair: Pair, table: tuple[str, ...], rest: str) -> Edit:
    prefix = text[pair.start : pair.segments[len(table) - len(pair.base)][0]]
    if pair.inline:
        return Edit(pair.start, pair.start, f"{prefix}{rest}, ")
    return _line_after(text, pair.value[1], _indent(text, pair.start) + prefix + rest)


def _into_braces(text: str, braces: Span, pair: str) -> Edit:
    start = _SPACE.match(text, braces[0] + 1)
    at = start.end() if start else braces[0] + 1
    empty = text[at] == "}"
    return Edit(at, at, pair + (" " if empty and at > braces[0] + 1 else "" if empty else ", "))


def _below_header(text: str, where: Layout, header: Header, pair: str) -> Edit:
    own = where.blocks[where.headers.index(header) + 1]
    indent = _indent(text, header.start)
    if own:
        indent = _indent(text, own[0].start)
    elif indent:
        indent += "  "
    return _line_after(text, header.end, indent + pair)


def _at_top(text: str, where: Layout, pair: str) -> Edit:
    own = [one for one in where.blocks[0] if not one.inline]
    if own:
        return _line_after(text, own[0].value[1], pair)
    at = len(BOM) if text.startswith(BOM) else 0
    return Edit(at, at, pair + newline(text))


def _new_table(text: str, path: tuple[str, ...], value: str) -> Edit:
    end = newline(text)
    before = "" if text in ("", BOM) else end if text.endswith("\n") else end * 2
    lines = f"[{spelled(path[:-1])}]{end}  {path[-1]} = {value}{end}"
    return Edit(len(text), len(text), before + lines)


def _line_after(text: str, at: int, line: str) -> Edit:
    """Return the edit that puts a line below the one that ``at`` is in; a missing last newline stays missing."""
    rest = _REST_OF_LINE.match(text, at)
    if rest is None:
        raise EditError("something unforeseen stands behind a value")
    if rest[0].endswith("\n"):
        return Edit(rest.end(), rest.end(), line + newline(text))
    return Edit(rest.end(), rest.end(), newline(text) + line)


def _indent(text: str, at: int) -> str:
    start = text.rfind("\n", 0, at) + 1
    space = _SPACE.match(text, start)
    return space[0] if space and space.end() == at else ""


class _Scanner:
    """Walks a valid text once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = len(BOM) if text.startswith(BOM) else 0
        self.found = Layout()
        self.lengths: dict[Path, int] = {}  # arrays of tables seen so far

    def run(self) -> Layout:
        table: Path = ()
        while self.skip(_BLANK) < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table, inline=False)
        return self.found

    def skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def header(self) -> Path:
        start = self.at
        several = self.text.startswith("[[", self.at)
        self.at += 2 if several else 1
        keys, _ = self.keys()
        self.at = self.text.index("]" * (2 if several else 1), self.at) + (2 if several else 1)
        path: Path = ()
        for key in keys[:-1]:
            path = self.indexed((*path, key))
        path = (*path, keys[-1])
        if several:
            self.lengths[path] = self.lengths.get(path, 0) + 1
        path = self.indexed(path)
        self.found.headers.append(Header(path, start, self.at, several))
        self.found.blocks.append([])
        return path

    def indexed(self, path: Path) -> Path:
        return (*path, self.lengths[path] - 1) if path in self.lengths else path

    def keys(self) -> tuple[list[str], tuple[Span, ...]]:
        keys: list[str] = []
        spans: list[Span] = []
        while True:
            self.skip(_SPACE)
            match = _KEY.match(self.text, self.at)
            if match is None:
                raise ValueError(f"no key at offset {self.at}")
            self.at = match.end()
            keys.append(match[0] if match[0][0] not in "\"'" else tomllib.loads(f"k = {match[0]}")["k"])
            spans.append(match.span())
            self.skip(_SPACE)
            if self.text[self.at : self.at + 1] != ".":
                return keys, tuple(spans)
            self.at += 1

    def pair(self, base: Path, *, inline: bool) -> None:
        keys, spans = self.keys()
        if self.text[self.at] != "=":
            raise ValueError(f"no value at offset {self.at}")
        self.at += 1
        self.skip(_SPACE)
        start, path = self.at, (*base, *keys)
        self.value(path)
        pair = Pair(path, base, spans, (start, self.at), len(self.found.headers), inline)
        self.found.pairs[path] = pair
        self.found.blocks[-1].append(pair)

    def value(self, path: Path) -> None:
        match self.text[self.at]:
            case "[":
                self.items(path)
            case "{":
                self.braces(path)
            case '"' | "'":
                self.skip(_STRING)
            case _:
                self.skip(_SCALAR)

    def items(self, path: Path) -> None:
        spans = self.found.elements.setdefault(path, [])
        self.at += 1
        while self.text[self.skip(_BLANK)] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            start = self.at
            self.value((*path, len(spans)))
            if self.at == start:
                raise ValueError(f"no value at offset {start}")
            spans.append((start, self.at))
        self.at += 1

    def braces(self, path: Path) -> None:
        start = self.at
        self.at += 1
        while self.text[self.skip(_BLANK)] != "}":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.pair(path, inline=True)
        self.at += 1
        self.found.braces[path] = (start, self.at)
