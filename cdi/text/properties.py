"""What stands before values: directives, anchors, tags, aliases."""

from __future__ import annotations

import re

from cdi.text.characters import TextError
from cdi.text.cursor import BLANK_OR_END, BLANKS, Cursor
from cdi.text.tokens import Kind, Token

_WORD = re.compile("[0-9A-Za-z_-]*")
_DIGITS = re.compile("[0-9]{0,3}")
_ANCHOR_END = re.compile(f"[{BLANK_OR_END}?:,\\]}}%@`]")
_TAG_URI = re.compile(r"[0-9A-Za-z_;/?:@&=+$,.!~*'()\[\]-]+|%")
_ESCAPED_OCTET = re.compile("%([0-9A-Fa-f]{2})")

# The length of a UTF-8 sequence by the least value of its first byte, as loosely as runtimes take it; 0 is none.
_WIDTHS = ((0xF8, 0), (0xF0, 4), (0xE0, 3), (0xC0, 2), (0x80, 0), (0, 1))


def directive(cursor: Cursor) -> Token:
    """Read a directive with its line.

    Raises:
        TextError: there is no such directive, or it is written otherwise.
    """
    position = cursor.position
    cursor.position += 1
    name = cursor.skip(_WORD)
    if name not in {"YAML", "TAG"} or cursor.character not in BLANK_OR_END:
        raise TextError("there is no such directive", position)
    cursor.skip(BLANKS)
    token = _version(cursor, position) if name == "YAML" else _tag_handle_and_prefix(cursor, position)
    cursor.skip_rest_of_line("a directive")
    return token


def _version(cursor: Cursor, position: int) -> Token:
    major = cursor.skip(_DIGITS)
    if cursor.character != ".":
        raise TextError("the YAML version is not two numbers", position)
    cursor.position += 1
    minor = cursor.skip(_DIGITS)
    if not (0 < len(major) < 3 and 0 < len(minor) < 3):
        raise TextError("the YAML version is not two short numbers", position)
    return Token(Kind.VERSION, position, f"{int(major)}.{int(minor)}")


def _tag_handle_and_prefix(cursor: Cursor, position: int) -> Token:
    handle = _tag_handle(cursor, position)
    if not handle.endswith("!") or cursor.character not in " \t":
        raise TextError("the handle of a %TAG directive is not like !name!", position)
    cursor.skip(BLANKS)
    prefix = _tag_uri(cursor, "", position)
    if cursor.character not in BLANK_OR_END:
        raise TextError("the prefix of a %TAG directive has no end", position)
    return Token(Kind.TAG_HANDLE, position, handle, prefix)


def anchor(cursor: Cursor) -> Token:
    """Read an anchor or an alias.

    Raises:
        TextError: its name is not made as it must be.
    """
    position = cursor.position
    kind = Kind.ALIAS if cursor.text[position] == "*" else Kind.ANCHOR
    cursor.position += 1
    name = cursor.skip(_WORD)
    if not name or not _ANCHOR_END.match(cursor.text, cursor.position):
        raise TextError("the name of an anchor is not made of letters, digits, '_' and '-'", position)
    return Token(kind, position, name)


def tag(cursor: Cursor) -> Token:
    """Read a tag: its handle and what follows, or, without a handle, all of it as the suffix.

    Raises:
        TextError: it is not made as it must be.
    """
    position = cursor.position
    if cursor.text[position + 1] == "<":
        cursor.position += 2
        handle, suffix = "", _tag_uri(cursor, "", position)
        if cursor.character != ">":
            raise TextError("the tag has no '>'", position)
        cursor.position += 1
    else:
        handle = _tag_handle(cursor, position)
        if len(handle) > 1 and handle.endswith("!"):
            suffix = _tag_uri(cursor, "", position)
        else:
            suffix = _tag_uri(cursor, handle, position)
            handle, suffix = ("!", suffix) if suffix else ("", "!")
    if cursor.character not in BLANK_OR_END:
        raise TextError("the tag has no end", position)
    return Token(Kind.TAG, position, handle, suffix)


def _tag_handle(cursor: Cursor, position: int) -> str:
    if cursor.character != "!":
        raise TextError("the handle of a tag does not begin with '!'", position)
    cursor.position += 1
    handle = "!" + cursor.skip(_WORD)
    if cursor.character == "!":
        cursor.position += 1
        handle += "!"
    return handle


def _tag_uri(cursor: Cursor, head: str, position: int) -> str:
    parts = [head[1:]]
    found = bool(head)
    while part := cursor.skip(_TAG_URI):
        found = True
        if part == "%":
            cursor.position -= 1
            part = _escaped_character(cursor, position)
        parts.append(part)
    if not found:
        raise TextError("the tag is empty", position)
    return "".join(parts)


def _escaped_character(cursor: Cursor, position: int) -> str:
    octets = bytearray()
    length = 1
    while len(octets) < length:
        match = _ESCAPED_OCTET.match(cursor.text, cursor.position)
        if match is None:
            raise TextError("an escape in the tag is not like %20", position)
        cursor.position = match.end()
        octets.append(int(match[1], 16))
        length = next(width for least, width in _WIDTHS if octets[0] >= least)
    if length == 0 or any(octet & 0xC0 != 0x80 for octet in octets[1:]):
        raise TextError("the escapes in the tag are not UTF-8", position)
    return octets.decode(errors="replace")
