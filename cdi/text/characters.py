"""Bytes to characters, and places among them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BREAKS = "\r\n\x85\u2028\u2029"

_MARKS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8"))
_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAK = re.compile(f"\r\n|[{BREAKS}]")

# Runtimes decode a file in pieces of this many bytes, and only as far as the first document needs.
PIECE = 512

# The length of a UTF-8 sequence by the least value of its first byte; 0 where none begins.
_WIDTHS = ((0xF8, 1), (0xF0, 4), (0xE0, 3), (0xC0, 2), (0x80, 0), (0, 1))


class TextError(Exception):
    """The text is wrong at ``position``, an index of characters."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


@dataclass(frozen=True, slots=True)
class Characters:
    """A text as far as it can be decoded; ``fault``, if any, is met by whoever reads up to ``readable``."""

    text: str
    fault: TextError | None = None
    readable: int = 0


def decoded(data: bytes) -> Characters:
    """Return the characters of a file: UTF-8, or UTF-16 with its byte order mark."""
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    fault = None
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        text = data[len(mark) : len(mark) + error.start].decode(encoding)
        fault = TextError(f"this is not {encoding.upper()}: {error.reason}", len(text))
    if match := _NOT_ALLOWED.search(text):
        text = text[: match.start()]
        fault = TextError(f"the character U+{ord(match[0]):04X} is not allowed", match.start())
    if fault is None:
        return Characters(text)
    position = len(mark) + len(text.encode(encoding))
    seen = _read_before(data, position, encoding)
    return Characters(text, fault, len(data[len(mark) : seen].decode(encoding)))


def _read_before(data: bytes, position: int, encoding: str) -> int:
    """Return how many bytes are decoded before the piece is read that has the end of the character at ``position``."""
    width = _width(data, position, encoding) or 1
    if position + width > len(data):
        return position
    start = 0
    while (end := start + PIECE) < position + width:
        cut = next((at for at in range(end - 3, end) if at + _width(data, at, encoding) > end), end)
        start = cut
    return start


def _width(data: bytes, position: int, encoding: str) -> int:
    """Return the bytes of the character that begins at ``position``, going by its first ones; 0 inside of one."""
    if encoding == "utf-8":
        octet = data[position]
        return next(width for least, width in _WIDTHS if octet >= least)
    unit = data[position : position + 2]
    high = unit[-1] if encoding.endswith("le") else unit[0]
    return 0 if position % 2 else 4 if 0xD8 <= high < 0xDC else 2


def line_and_column(text: str, position: int) -> tuple[int, int]:
    """Return the line and column, both from 1, of a character."""
    return lines_and_columns(text, [position])[position]


def lines_and_columns(text: str, positions: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Return the lines and columns of characters by their positions; the text is gone through once."""
    places = {}
    line, start = 1, 0
    for position in sorted(positions):
        for match in _BREAK.finditer(text, start, position):
            line, start = line + 1, match.end()
        places[position] = line, position - start + 1
    return places
