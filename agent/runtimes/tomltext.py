"""The smallest edits of a TOML text that set a key, add to a list, or take a key away; every other byte survives.

A scanner finds where keys and values stand, since libraries that write TOML lose comments' places, line endings or
quoting. It need not be trusted: each edit is checked with tomllib (nothing but the key differs), and refused where
that fails.
"""

from __future__ import annotations

import copy
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from agent.toml import BOM, scan

if TYPE_CHECKING:
    from agent.toml import Header, Layout, Pair, Path, Span

Value: TypeAlias = "bool | int | str | list[str]"

_SPACE = re.compile(r"[ \t]*")
_REST_OF_LINE = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|$)")
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
        return scan(text)
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
