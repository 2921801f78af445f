"""The styles of scalars: plain, in either kind of quotes, and as blocks of text, literal or folded."""

from __future__ import annotations

import re

from cdi.text.characters import BREAKS, TextError
from cdi.text.cursor import BLANK_OR_END, BLANKS, END, SPACES, Cursor
from cdi.text.tokens import Kind, Token

_LINE = re.compile(f"[^{BREAKS}{END}]*")
_PLAIN_IN_BLOCK = re.compile(f"(?:[^{BLANK_OR_END}:]|:(?![{BLANK_OR_END}]))+")
_PLAIN_IN_FLOW = re.compile(rf"(?:[^{BLANK_OR_END}:,?\[\]{{}}]|:(?![{BLANK_OR_END}]))+")
_SINGLE_QUOTED = re.compile(f"(?:[^{BLANK_OR_END}']|'')+")
_DOUBLE_QUOTED = re.compile(f'[^{BLANK_OR_END}"\\\\]+')
_CHOMPING = re.compile("[+-]?")
_DIGIT = re.compile("[0-9]?")

_ESCAPES = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "\t": "\t",
    "n": "\n",
    "v": "\v",
    "f": "\f",
    "r": "\r",
    "e": "\x1b",
    " ": " ",
    '"': '"',
    "'": "'",
    "\\": "\\",
    "N": "\x85",
    "_": "\xa0",
    "L": "\u2028",
    "P": "\u2029",
}
_ESCAPE_LENGTHS = {"x": 2, "u": 4, "U": 8}
_HEX = re.compile("[0-9A-Fa-f]*")


def block(cursor: Cursor, parent: int, *, literal: bool) -> Token:
    """Read a block of text below a collection that is indented by ``parent`` (-1 for none).

    Raises:
        TextError: its head or its indentation is not as it must be.
    """
    position = cursor.position
    cursor.position += 1
    chomping = cursor.skip(_CHOMPING)
    increment = cursor.skip(_DIGIT)
    chomping = chomping or cursor.skip(_CHOMPING)
    if increment == "0":
        raise TextError("a block of text cannot be indented by 0", position)
    cursor.skip_rest_of_line("the head of a block of text")
    indent = max(parent, 0) + int(increment) if increment else 0
    return Token(Kind.QUOTED, position, _block_text(cursor, (indent, parent), chomping, literal=literal))


def _block_text(cursor: Cursor, indents: tuple[int, int], chomping: str, *, literal: bool) -> str:
    parts: list[str] = []
    line_break = ""
    follows_blank = False
    indent, empty_lines = _block_breaks(cursor, *indents)
    while cursor.column == indent and cursor.character != END:
        begins_blank = cursor.character in " \t"
        if literal or follows_blank or begins_blank or line_break != "\n":
            parts.append(line_break)
        elif not empty_lines:
            parts.append(" ")
        parts.append(empty_lines)
        follows_blank = begins_blank
        parts.append(cursor.skip(_LINE))
        line_break = cursor.skip_break()
        indent, empty_lines = _block_breaks(cursor, indent, -1)
    if chomping != "-":
        parts.append(line_break)
    if chomping == "+":
        parts.append(empty_lines)
    return "".join(parts)


def _block_breaks(cursor: Cursor, indent: int, parent: int) -> tuple[int, str]:
    """Skip empty lines; return the indentation, found from them where it was 0, and their line breaks."""
    deepest = 0
    breaks = ""
    while True:
        spaces = len(cursor.skip(SPACES))
        if indent and cursor.column > indent:
            cursor.position -= min(spaces, cursor.column - indent)
        deepest = max(deepest, cursor.column)
        if (not indent or cursor.column < indent) and cursor.character == "\t":
            raise TextError("a tab stands where spaces indent a block of text", cursor.position)
        line_break = cursor.skip_break()
        if not line_break:
            break
        breaks += line_break
    return indent or max(deepest, parent + 1, 1), breaks


def quoted(cursor: Cursor) -> Token:
    """Read text in quotes of either kind.

    Raises:
        TextError: the quotes are never closed, or there is an escape that YAML does not know.
    """
    position = cursor.position
    quote = cursor.text[position]
    cursor.position += 1
    parts: list[str] = []
    while True:
        if cursor.is_document_indicator:
            raise TextError("a document ends inside of quotes", cursor.position)
        if cursor.character == END:
            raise TextError("the quotes are never closed", position)
        escaped_break = _quoted_words(cursor, quote, parts)
        if cursor.character == quote:
            break
        parts.append(_quoted_gap(cursor, escaped_break))
    cursor.position += 1
    return Token(Kind.QUOTED, position, "".join(parts))


def _quoted_words(cursor: Cursor, quote: str, parts: list[str]) -> bool:
    """Read up to a blank or the closing quote; tell whether an escaped line break ended it."""
    if quote == "'":
        parts.append(cursor.skip(_SINGLE_QUOTED).replace("''", "'"))
        return False
    while True:
        parts.append(cursor.skip(_DOUBLE_QUOTED))
        if cursor.character != "\\":
            return False
        cursor.position += 1
        if cursor.skip_break():
            return True
        parts.append(_escape(cursor))


def _escape(cursor: Cursor) -> str:
    character = cursor.character
    cursor.position += 1
    if character in _ESCAPES:
        return _ESCAPES[character]
    length = _ESCAPE_LENGTHS.get(character)
    if length is None:
        raise TextError(f"YAML knows no escape \\{character}", cursor.position - 2)
    digits = cursor.text[cursor.position : cursor.position + length]
    if len(digits) != length or _HEX.fullmatch(digits) is None:
        raise TextError("an escape has too few hexadecimal digits", cursor.position - 2)
    code = int(digits, 16)
    if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
        raise TextError(
            f"the escape \\{character}{digits} is no character (YAML has no surrogate pairs)", cursor.position - 2
        )
    cursor.position += length
    return chr(code)


def _quoted_gap(cursor: Cursor, is_broken: bool) -> str:
    """Read blanks and line breaks inside of quotes; return what they come to."""
    blanks = cursor.skip(BLANKS)
    first = "" if is_broken else cursor.skip_break()
    if not first and not is_broken:
        return blanks
    more = _more_breaks(cursor)
    if first == "\n":
        return more or " "
    return first + more


def _more_breaks(cursor: Cursor) -> str:
    breaks = ""
    while True:
        cursor.skip(BLANKS)
        line_break = cursor.skip_break()
        if not line_break:
            return breaks
        breaks += line_break


def plain(cursor: Cursor, indent: int, *, in_flow: bool) -> tuple[Token, bool]:
    """Read a scalar without quotes, whose lines are indented by ``indent`` at least; tell whether it ends a line.

    Raises:
        TextError: a tab indents a line.
    """
    position = cursor.position
    pattern = _PLAIN_IN_FLOW if in_flow else _PLAIN_IN_BLOCK
    parts: list[str] = []
    gap = ""
    is_broken = False
    while not cursor.is_document_indicator:
        if cursor.character == "#":
            break
        if word := cursor.skip(pattern):
            parts += (gap, word)
            is_broken = False
        if cursor.character not in f" \t{BREAKS}":
            break
        gap, is_broken = _plain_gap(cursor, indent)
        if not in_flow and cursor.column < indent:
            break
    return Token(Kind.PLAIN, position, "".join(parts)), is_broken


def _plain_gap(cursor: Cursor, indent: int) -> tuple[str, bool]:
    """Read blanks and line breaks in a plain scalar; return what they come to, and whether a line ended."""
    blanks = cursor.skip(BLANKS)
    first = cursor.skip_break()
    if not first:
        return blanks, False
    more = ""
    while True:
        _plain_indentation(cursor, indent)
        line_break = cursor.skip_break()
        if not line_break:
            break
        more += line_break
    return ((more or " ") if first == "\n" else first + more), True


def _plain_indentation(cursor: Cursor, indent: int) -> None:
    blanks = cursor.skip(BLANKS)
    tab = blanks.find("\t")
    if 0 <= tab < indent:
        raise TextError("a tab indents a line", cursor.position)
