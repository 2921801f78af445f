"""Where in a TOML text everything stands: tables, keys, values, elements, by their offsets.

tomllib says what a document holds but not where. A text given here has passed tomllib, so the scanner need not judge
it; it only walks.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
Span = tuple[int, int]

BOM = "\ufeff"
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(
    r'''"""(?:[^\\"]|\\.|"{1,2}(?!"))*+"{3,5}|\'{3}(?:[^']|'{1,2}(?!'))*+'{3,5}|"(?:[^"\\]|\\.)*+"|'[^']*+\'''',
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\r\n]*[^,\]}#\r\n \t]")


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


def scan(text: str) -> Layout:
    """Return where everything stands in a valid text, which may begin with a byte order mark.

    Raises:
        ValueError, IndexError: the text is not TOML after all.
        RecursionError: it is nested more deeply than can be walked.
    """
    return _Scanner(text).run()


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
