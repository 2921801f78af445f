"""The same for JSON, as Docker's daemon.json: the smallest edits of a text, every other byte survives."""

from __future__ import annotations

import json
import re
from typing import Any

from agent.runtimes import tomltext
from agent.runtimes.tomltext import Edit, EditError
from agent.toml import Layout, Pair, Path

_BLANK = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_SCALAR = re.compile(r"[^,\]}\s]+")


def document(text: str) -> dict[str, Any]:
    """Parse a text; an empty one holds nothing.

    Raises:
        EditError: it is not a JSON object, or names a member twice.
    """
    if not text.strip():
        return {}
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise EditError("it is nested too deeply") from None
    except ValueError as error:
        raise EditError(f"it is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise EditError("it is no JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def layout(text: str) -> Layout:
    """Return where everything stands in a text that `document` accepts."""
    try:
        return _Scanner(text).run()
    except (ValueError, IndexError, RecursionError) as error:
        raise EditError(f"its parts could not be told apart ({error})") from None


def literal(value: object) -> str:
    """Write a value as JSON."""
    return json.dumps(value)


def put(text: str, path: tuple[str, ...], value: object) -> Edit:
    """Return the edit that gives the member at ``path`` this value; raises `EditError` where that loses anything."""
    before = document(text)
    wanted = json.loads(json.dumps(before))
    table = wanted
    for part in path[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise EditError(f"{part!r} is no object")
    table[path[-1]] = value
    edit = _edit(text, path, value)
    try:
        good = tomltext.same(document(edit.applied(text)), wanted)
    except EditError:
        good = False
    if not good:
        raise EditError(f"there is no place for {'.'.join(path)} where nothing else would change")
    return edit


def _edit(text: str, path: tuple[str, ...], value: object) -> Edit:
    if not text.strip():
        for part in reversed(path):
            value = {part: value}
        return Edit(0, len(text), json.dumps(value, indent=2) + "\n")
    where = layout(text)
    if path in where.pairs:
        return Edit(*where.pairs[path].value, json.dumps(value))
    depth = next(end for end in range(len(path) - 1, -1, -1) if path[:end] in where.braces)
    for part in reversed(path[depth + 1 :]):
        value = {part: value}
    start, end = where.braces[path[:depth]]
    member = f"{json.dumps(path[depth])}: {json.dumps(value)}"
    own = [one for one in where.pairs.values() if one.base == path[:depth]]
    if own:
        gap = text[start + 1 : own[0].start]
        return Edit(start + 1, start + 1, f"{gap}{member}," if gap else f"{member}, ")
    return Edit(start + 1, end - 1, member)


class _Scanner:
    """Walks a valid text once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found = Layout()

    def run(self) -> Layout:
        self.skip(_BLANK)
        self.value(())
        return self.found

    def skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ValueError(f"nothing at offset {self.at}")
        self.at = match.end()
        return match[0]

    def value(self, path: Path) -> None:
        match self.text[self.at]:
            case "{":
                self.braces(path)
            case "[":
                self.items(path)
            case '"':
                self.skip(_STRING)
            case _:
                self.skip(_SCALAR)

    def braces(self, path: Path) -> None:
        start = self.at
        self.at += 1
        while self.next() != "}":
            key = self.at
            name = json.loads(self.skip(_STRING))
            spans = ((key, self.at),)
            self.skip(_BLANK)
            self.at += 1  # the colon
            self.skip(_BLANK)
            value = self.at
            self.value((*path, name))
            self.found.pairs[*path, name] = Pair((*path, name), path, spans, (value, self.at), 0, inline=True)
        self.at += 1
        self.found.braces[path] = (start, self.at)

    def items(self, path: Path) -> None:
        spans = self.found.elements.setdefault(path, [])
        self.at += 1
        while self.next() != "]":
            start = self.at
            self.value((*path, len(spans)))
            spans.append((start, self.at))
        self.at += 1

    def next(self) -> str:
        """Return the next character that is neither blank nor a comma."""
        self.skip(_BLANK)
        while self.text[self.at] == ",":
            self.at += 1
            self.skip(_BLANK)
        return self.text[self.at]
