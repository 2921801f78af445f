"""Where in a TOML text each key stands: lines and columns for error messages.

tomllib says what a document holds but not where. The text given here has passed tomllib, so this scanner need
not judge it; it only walks.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_STRING = re.compile(r'''"""(?:[^\\]|\\.)*?"{3,5}(?!")|\'{3}.*?\'{3,5}(?!')|"(?:[^"\\]|\\.)*"|'[^']*\'''', re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\r\n]+")


class Place(NamedTuple):
    """A position in a text; both count from 1."""

    line: int
    column: int


def places(text: str) -> dict[Path, Place]:
    """Map every table, key and array element of a valid TOML text to where it begins."""
    return _Scanner(text).document()


def nearest(known: dict[Path, Place], path: Path) -> Place | None:
    """Return the place of ``path`` or of the innermost part of it that is in the text."""
    return next((known[path[:end]] for end in range(len(path), 0, -1) if path[:end] in known), None)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, int] = {}
        self.lengths: dict[Path, int] = {}  # arrays of tables seen so far

    def document(self) -> dict[Path, Place]:
        table: Path = ()
        while self.skip(_BLANK) < len(self.text):
            table = self.header() if self.text[self.at] == "[" else self.pair(table, table)
        return self.as_places()

    def as_places(self) -> dict[Path, Place]:
        lines = [0, *(match.end() for match in re.finditer("\n", self.text))]
        result = {}
        line = 0
        for path, at in sorted(self.found.items(), key=lambda item: item[1]):
            while line + 1 < len(lines) and lines[line + 1] <= at:
                line += 1
            result[path] = Place(line + 1, at - lines[line] + 1)
        return result

    def skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def header(self) -> Path:
        start = self.at
        several = self.text.startswith("[[", self.at)
        self.at += 2 if several else 1
        keys = self.keys()
        self.at = self.text.index("]" * (2 if several else 1), self.at) + (2 if several else 1)
        path: Path = ()
        for key in keys[:-1]:
            path = self.note((*path, key), start)
        path = (*path, keys[-1])
        if several:
            self.lengths[path] = self.lengths.get(path, 0) + 1
        return self.note(path, start)

    def note(self, path: Path, at: int) -> Path:
        """Note a table, of an array also its newest one, which is returned."""
        self.found.setdefault(path, at)
        self.found.setdefault(self.indexed(path), at)
        return self.indexed(path)

    def indexed(self, path: Path) -> Path:
        return (*path, self.lengths[path] - 1) if path in self.lengths else path

    def keys(self) -> list[str]:
        keys = []
        while True:
            self.skip(_SPACE)
            match = _KEY.match(self.text, self.at)
            if match is None:  # cannot be in a valid text
                raise ValueError(f"no key at offset {self.at}")
            self.at = match.end()
            keys.append(match[0] if match[0][0] not in "\"'" else tomllib.loads(f"k = {match[0]}")["k"])
            self.skip(_SPACE)
            if self.text[self.at : self.at + 1] != ".":
                return keys
            self.at += 1

    def pair(self, table: Path, result: Path) -> Path:
        start = self.at
        path = table
        for key in self.keys():
            path = (*path, key)
            self.found.setdefault(path, start)
        self.at += 1  # the "="
        self.skip(_SPACE)
        self.value(path)
        return result

    def value(self, path: Path) -> None:
        match self.text[self.at]:
            case "[":
                self.items(path, "]", self.element)
            case "{":
                self.items(path, "}", lambda path, _: self.pair(path, path))
            case '"' | "'":
                self.skip(_STRING)
            case _:
                self.skip(_SCALAR)

    def items(self, path: Path, end: str, one: Callable[[Path, int], object]) -> None:
        self.at += 1
        count = 0
        while self.skip(_BLANK) < len(self.text) and self.text[self.at] != end:
            if self.text[self.at] == ",":
                self.at += 1
                continue
            one(path, count)
            count += 1
        self.at += 1

    def element(self, path: Path, index: int) -> None:
        self.found.setdefault((*path, index), self.at)
        self.value((*path, index))
