"""Characters to tokens.

A token may turn out to be the key of a mapping only when its colon comes. Until then it is a *possible key*, kept for
each level of flow collections, and the tokens behind it wait in a queue. What makes a key impossible, and what is an
error then, is where YAML readers differ most; here it is as in runtimes, down to the cases in which a possible key is
forgotten.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from cdi.text.characters import BREAKS, PIECE, Characters, TextError

# A key ends on its line, and at most so many characters behind its beginning.
_KEY_LENGTH = 1024


class Kind(Enum):
    """The kinds of token."""

    __hash__ = object.__hash__  # an enumeration's own is slow, and there are millions

    STREAM_END = auto()
    VERSION = auto()
    TAG_HANDLE = auto()
    DOCUMENT_START = auto()
    DOCUMENT_END = auto()
    BLOCK_SEQUENCE_START = auto()
    BLOCK_MAPPING_START = auto()
    BLOCK_END = auto()
    FLOW_SEQUENCE_START = auto()
    FLOW_SEQUENCE_END = auto()
    FLOW_MAPPING_START = auto()
    FLOW_MAPPING_END = auto()
    BLOCK_ENTRY = auto()
    FLOW_ENTRY = auto()
    KEY = auto()
    VALUE = auto()
    ALIAS = auto()
    ANCHOR = auto()
    TAG = auto()
    PLAIN = auto()
    QUOTED = auto()


class Token(NamedTuple):
    """A token at a position; ``value`` and ``suffix`` are the text of a scalar, anchor, tag or directive."""

    kind: Kind
    position: int
    value: str = ""
    suffix: str = ""


@dataclass(slots=True)
class _PossibleKey:
    position: int
    line: int
    number: int  # of the token, counted from the first of the stream
    possible: bool = False
    required: bool = False  # nothing but a key can stand there


_END = "\0"  # stands behind the last character; allowed nowhere in a text
_BLANK_OR_END = f" \t{BREAKS}{_END}"
_NO_PLAIN_START = "-?:,[]{}#&*!|>'\"%@`"

_SPACES = re.compile(" *")
_BLANKS = re.compile("[ \t]*")
_COMMENT = re.compile(f"#[^{BREAKS}{_END}]*")
_LINE = re.compile(f"[^{BREAKS}{_END}]*")
_DOCUMENT_INDICATOR = re.compile(rf"(?:---|\.\.\.)[{_BLANK_OR_END}]")
_WORD = re.compile("[0-9A-Za-z_-]*")
_DIGITS = re.compile("[0-9]{0,3}")
_ANCHOR_END = re.compile(f"[{_BLANK_OR_END}?:,\\]}}%@`]")
_TAG_URI = re.compile(r"[0-9A-Za-z_;/?:@&=+$,.!~*'()\[\]-]+|%")
_ESCAPED_OCTET = re.compile("%([0-9A-Fa-f]{2})")
_PLAIN_IN_BLOCK = re.compile(f"(?:[^{_BLANK_OR_END}:]|:(?![{_BLANK_OR_END}]))+")
_PLAIN_IN_FLOW = re.compile(rf"(?:[^{_BLANK_OR_END}:,?\[\]{{}}]|:(?![{_BLANK_OR_END}]))+")
_SINGLE_QUOTED = re.compile(f"(?:[^{_BLANK_OR_END}']|'')+")
_DOUBLE_QUOTED = re.compile(f'[^{_BLANK_OR_END}"\\\\]+')
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

_FLOW_STARTS = {"[": Kind.FLOW_SEQUENCE_START, "{": Kind.FLOW_MAPPING_START}
_FLOW_ENDS = {"]": Kind.FLOW_SEQUENCE_END, "}": Kind.FLOW_MAPPING_END}


class Scanner:
    """The tokens of a text, found one by one as they are asked for.

    :meth:`peek` and :meth:`take` raise :class:`TextError` where the text cannot go on.
    """

    def __init__(self, characters: Characters) -> None:
        self._characters = characters
        self._text = characters.text + _END * 4
        # Runtimes skip a byte order mark wherever a line begins, and mean to look for it there; but where they look is
        # the beginning of their buffer. So a second mark makes them skip a character of each line in the first piece.
        has_second_mark = characters.text.startswith("\ufeff")
        self._first_piece = len(characters.text.encode()[:PIECE].decode(errors="ignore")) if has_second_mark else 0
        self._position = 0
        self._line = 0
        self._line_start = 0
        self._looked_at = 0
        self._queue: deque[Token] = deque()
        self._is_ready = False  # the first token of the queue is no key, or its colon was seen
        self._taken = 0
        self._indent = -1
        self._indents: list[int] = []
        self._flow_level = 0
        self._key_allowed = True
        self._keys = [_PossibleKey(0, 0, 0)]
        self._keys_by_number: dict[int, int] = {}

    def peek(self) -> Token:
        """Return the next token, which stays the next one."""
        if not self._is_ready:
            while not self._queue or self._may_be_key(self._taken):
                self._fetch()
            self._is_ready = True
        return self._queue[0]

    def take(self) -> Token:
        """Return the next token."""
        token = self.peek()
        self._queue.popleft()
        self._is_ready = False
        self._taken += 1
        return token

    def finish(self) -> None:
        """Raise the text's own fault if reading has come to it."""
        characters = self._characters
        if characters.fault and max(self._looked_at, self._position + 1) > characters.readable:
            raise characters.fault

    # Possible keys.

    def _may_be_key(self, number: int) -> bool:
        place = self._keys_by_number.get(number)
        return place is not None and self._is_possible(self._keys[place])

    def _is_possible(self, key: _PossibleKey) -> bool:
        if key.possible and (key.line < self._line or key.position + _KEY_LENGTH < self._position):
            if key.required:
                raise TextError("there is no ':' behind this key", key.position)
            key.possible = False
        return key.possible

    def _save_key(self) -> None:
        """Note that the token to come may be a key."""
        if not self._key_allowed:
            return
        required = self._flow_level == 0 and self._indent == self._column
        number = self._next_number
        key = _PossibleKey(self._position, self._line, number, possible=True, required=required)
        self._drop_key()
        self._keys[-1] = key
        self._keys_by_number[number] = len(self._keys) - 1

    def _drop_key(self) -> None:
        key = self._keys[-1]
        if key.possible:
            if key.required:
                raise TextError("there is no ':' behind this key", key.position)
            key.possible = False
            self._keys_by_number.pop(key.number, None)

    @property
    def _next_number(self) -> int:
        return self._taken + len(self._queue)

    @property
    def _column(self) -> int:
        return self._position - self._line_start

    # Indentation: a block collection begins where a line is indented further, and ends where one is less.

    def _indent_to(self, column: int, kind: Kind, position: int, number: int | None = None) -> None:
        if self._flow_level == 0 and self._indent < column:
            self._indents.append(self._indent)
            self._indent = column
            token = Token(kind, position)
            if number is None or number < self._taken:
                self._queue.append(token)
            else:
                self._queue.insert(number - self._taken, token)

    def _unindent_to(self, column: int) -> None:
        if self._flow_level == 0:
            while self._indent > column:
                self._add(Kind.BLOCK_END)
                self._indent = self._indents.pop()

    # One token, with those that come of it.

    def _fetch(self) -> None:
        self._skip_to_token()
        self._unindent_to(self._column)
        self._looked_at = max(self._looked_at, self._position + 4)
        character = self._text[self._position]
        if character == _END:
            self._fetch_end()
        elif self._column == 0 and character == "%":
            self._fetch_directive()
        elif self._column == 0 and _DOCUMENT_INDICATOR.match(self._text, self._position):
            self._fetch_document_indicator()
        else:
            self._fetch_content(character, self._text[self._position + 1] in _BLANK_OR_END)

    def _fetch_content(self, character: str, is_alone: bool) -> None:
        """Fetch what begins with ``character``, which has nothing but blanks behind it where it ``is_alone``."""
        in_flow = self._flow_level > 0
        if character in "[{":
            self._fetch_flow_start(character)
        elif character in "]}":
            self._fetch_flow_end(character)
        elif character == ",":
            self._drop_key()
            self._key_allowed = True
            self._add(Kind.FLOW_ENTRY, 1)
        elif character == "-" and is_alone:
            self._fetch_block_entry()
        elif character == "?" and (in_flow or is_alone):
            self._fetch_key()
        elif character == ":" and (in_flow or is_alone):
            self._fetch_value()
        elif character in "|>" and not in_flow:
            self._drop_key()
            self._key_allowed = True
            self._queue.append(self._block_scalar(literal=character == "|"))
        else:
            self._fetch_node_part(character, is_alone)

    def _fetch_node_part(self, character: str, is_alone: bool) -> None:
        if character in "*&":
            scan = self._anchor
        elif character == "!":
            scan = self._tag
        elif character in "'\"":
            scan = self._quoted
        elif self._begins_plain(character, is_alone):
            scan = self._plain
        else:
            raise TextError(f"no value can begin with {character!r} here", self._position)
        self._save_key()
        self._key_allowed = False
        self._queue.append(scan())

    def _begins_plain(self, character: str, is_alone: bool) -> bool:
        if character == "-":
            return not is_alone
        if character in "?:":
            return self._flow_level == 0 and not is_alone
        return character not in _NO_PLAIN_START and character not in _BLANK_OR_END

    def _add(self, kind: Kind, length: int = 0) -> None:
        self._queue.append(Token(kind, self._position))
        self._position += length

    def _fetch_end(self) -> None:
        if self._column != 0:
            self._line += 1
            self._line_start = self._position
        self._unindent_to(-1)
        self._drop_key()
        self._key_allowed = False
        self._add(Kind.STREAM_END)

    def _fetch_document_indicator(self) -> None:
        self._unindent_to(-1)
        self._drop_key()
        self._key_allowed = False
        kind = Kind.DOCUMENT_START if self._text[self._position] == "-" else Kind.DOCUMENT_END
        self._add(kind, 3)

    def _fetch_flow_start(self, character: str) -> None:
        self._save_key()
        self._keys.append(_PossibleKey(self._position, self._line, self._next_number))
        self._flow_level += 1
        self._key_allowed = True
        self._add(_FLOW_STARTS[character], 1)

    def _fetch_flow_end(self, character: str) -> None:
        self._drop_key()
        if self._flow_level > 0:
            self._flow_level -= 1
            # Where nothing stood inside, this number is that of the opening bracket, which is then forgotten as a key.
            self._keys_by_number.pop(self._keys.pop().number, None)
        self._key_allowed = False
        self._add(_FLOW_ENDS[character], 1)

    def _fetch_block_entry(self) -> None:
        if self._flow_level == 0:
            if not self._key_allowed:
                raise TextError("no item of a list can stand here", self._position)
            self._indent_to(self._column, Kind.BLOCK_SEQUENCE_START, self._position)
        self._drop_key()
        self._key_allowed = True
        self._add(Kind.BLOCK_ENTRY, 1)

    def _fetch_key(self) -> None:
        if self._flow_level == 0:
            if not self._key_allowed:
                raise TextError("no key can stand here", self._position)
            self._indent_to(self._column, Kind.BLOCK_MAPPING_START, self._position)
        self._drop_key()
        self._key_allowed = self._flow_level == 0
        self._add(Kind.KEY, 1)

    def _fetch_value(self) -> None:
        key = self._keys[-1]
        if self._is_possible(key):
            self._insert_key(key)
            self._key_allowed = False
        else:
            if self._flow_level == 0:
                if not self._key_allowed:
                    raise TextError("no ':' can stand here", self._position)
                self._indent_to(self._column, Kind.BLOCK_MAPPING_START, self._position)
            self._key_allowed = self._flow_level == 0
        self._add(Kind.VALUE, 1)

    def _insert_key(self, key: _PossibleKey) -> None:
        token = Token(Kind.KEY, key.position)
        if key.number < self._taken:  # forgotten, and out of the queue already
            self._queue.append(token)
        else:
            self._queue.insert(key.number - self._taken, token)
        column = key.position - self._line_start
        self._indent_to(column, Kind.BLOCK_MAPPING_START, key.position, key.number)
        key.possible = False
        self._keys_by_number.pop(key.number, None)

    # Between tokens.

    def _skip_to_token(self) -> None:
        while True:
            if max(self._looked_at, self._position + 2) <= self._first_piece and self._column == 0:
                self._position += 1
            blanks = _BLANKS if self._flow_level or not self._key_allowed else _SPACES
            self._skip(blanks)
            self._skip(_COMMENT)
            if not self._skip_break():
                return
            if self._flow_level == 0:
                self._key_allowed = True

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._position)
        if match is None:
            return ""
        self._position = match.end()
        return match[0]

    def _skip_break(self) -> str:
        """Skip one line break; return it as a scalar has it, empty where there is none."""
        character = self._text[self._position]
        if character not in BREAKS:
            return ""
        is_pair = character == "\r" and self._text[self._position + 1] == "\n"
        self._position += 2 if is_pair else 1
        self._line += 1
        self._line_start = self._position
        return character if character in "\u2028\u2029" else "\n"

    def _skip_rest_of_line(self, what: str) -> None:
        self._skip(_BLANKS)
        self._skip(_COMMENT)
        if self._text[self._position] not in BREAKS + _END:
            raise TextError(f"only a comment can stand behind {what}", self._position)
        self._skip_break()

    # Directives.

    def _fetch_directive(self) -> None:
        self._unindent_to(-1)
        self._drop_key()
        self._key_allowed = False
        position = self._position
        self._position += 1
        name = self._skip(_WORD)
        if name not in {"YAML", "TAG"} or self._text[self._position] not in _BLANK_OR_END:
            raise TextError("there is no such directive", position)
        self._skip(_BLANKS)
        token = self._version(position) if name == "YAML" else self._tag_handle_and_prefix(position)
        self._skip_rest_of_line("a directive")
        self._queue.append(token)

    def _version(self, position: int) -> Token:
        major = self._skip(_DIGITS)
        if self._text[self._position] != ".":
            raise TextError("the YAML version is not two numbers", position)
        self._position += 1
        minor = self._skip(_DIGITS)
        if not (0 < len(major) < 3 and 0 < len(minor) < 3):
            raise TextError("the YAML version is not two short numbers", position)
        return Token(Kind.VERSION, position, f"{int(major)}.{int(minor)}")

    def _tag_handle_and_prefix(self, position: int) -> Token:
        handle = self._tag_handle(position)
        if not handle.endswith("!") or self._text[self._position] not in " \t":
            raise TextError("the handle of a %TAG directive is not like !name!", position)
        self._skip(_BLANKS)
        prefix = self._tag_uri("", position)
        if self._text[self._position] not in _BLANK_OR_END:
            raise TextError("the prefix of a %TAG directive has no end", position)
        return Token(Kind.TAG_HANDLE, position, handle, prefix)

    # Anchors and tags.

    def _anchor(self) -> Token:
        position = self._position
        kind = Kind.ALIAS if self._text[position] == "*" else Kind.ANCHOR
        self._position += 1
        name = self._skip(_WORD)
        if not name or not _ANCHOR_END.match(self._text, self._position):
            raise TextError("the name of an anchor is not made of letters, digits, '_' and '-'", position)
        return Token(kind, position, name)

    def _tag(self) -> Token:
        position = self._position
        if self._text[position + 1] == "<":
            self._position += 2
            handle, suffix = "", self._tag_uri("", position)
            if self._text[self._position] != ">":
                raise TextError("the tag has no '>'", position)
            self._position += 1
        else:
            handle = self._tag_handle(position)
            if len(handle) > 1 and handle.endswith("!"):
                suffix = self._tag_uri("", position)
            else:
                suffix = self._tag_uri(handle, position)
                handle, suffix = ("!", suffix) if suffix else ("", "!")
        if self._text[self._position] not in _BLANK_OR_END:
            raise TextError("the tag has no end", position)
        return Token(Kind.TAG, position, handle, suffix)

    def _tag_handle(self, position: int) -> str:
        if self._text[self._position] != "!":
            raise TextError("the handle of a tag does not begin with '!'", position)
        self._position += 1
        handle = "!" + self._skip(_WORD)
        if self._text[self._position] == "!":
            self._position += 1
            handle += "!"
        return handle

    def _tag_uri(self, head: str, position: int) -> str:
        parts = [head[1:]]
        found = bool(head)
        while part := self._skip(_TAG_URI):
            found = True
            if part == "%":
                self._position -= 1
                part = self._escaped_character(position)
            parts.append(part)
        if not found:
            raise TextError("the tag is empty", position)
        return "".join(parts)

    def _escaped_character(self, position: int) -> str:
        octets = bytearray()
        length = 1
        while len(octets) < length:
            match = _ESCAPED_OCTET.match(self._text, self._position)
            if match is None:
                raise TextError("an escape in the tag is not like %20", position)
            self._position = match.end()
            octets.append(int(match[1], 16))
            length = _width(octets[0])
        if length == 0 or any(octet & 0xC0 != 0x80 for octet in octets[1:]):
            raise TextError("the escapes in the tag are not UTF-8", position)
        return octets.decode(errors="replace")

    # Scalars.

    def _block_scalar(self, *, literal: bool) -> Token:
        position = self._position
        self._position += 1
        chomping = self._skip(_CHOMPING)
        increment = self._skip(_DIGIT)
        chomping = chomping or self._skip(_CHOMPING)
        if increment == "0":
            raise TextError("a block of text cannot be indented by 0", position)
        self._skip_rest_of_line("the head of a block of text")
        indent = max(self._indent, 0) + int(increment) if increment else 0
        return Token(Kind.QUOTED, position, self._block_text(indent, literal, chomping))

    def _block_text(self, indent: int, literal: bool, chomping: str) -> str:
        parts: list[str] = []
        line_break = ""
        follows_blank = False
        indent, empty_lines = self._block_breaks(indent)
        while self._column == indent and self._text[self._position] != _END:
            begins_blank = self._text[self._position] in " \t"
            if literal or follows_blank or begins_blank or line_break != "\n":
                parts.append(line_break)
            elif not empty_lines:
                parts.append(" ")
            parts.append(empty_lines)
            follows_blank = begins_blank
            parts.append(self._skip(_LINE))
            line_break = self._skip_break()
            indent, empty_lines = self._block_breaks(indent)
        if chomping != "-":
            parts.append(line_break)
        if chomping == "+":
            parts.append(empty_lines)
        return "".join(parts)

    def _block_breaks(self, indent: int) -> tuple[int, str]:
        """Skip empty lines; return the indentation, found from them where it was 0, and their line breaks."""
        deepest = 0
        breaks = ""
        while True:
            spaces = len(self._skip(_SPACES))
            if indent and self._column > indent:
                self._position -= min(spaces, self._column - indent)
            deepest = max(deepest, self._column)
            if (not indent or self._column < indent) and self._text[self._position] == "\t":
                raise TextError("a tab stands where spaces indent a block of text", self._position)
            line_break = self._skip_break()
            if not line_break:
                break
            breaks += line_break
        return indent or max(deepest, self._indent + 1, 1), breaks

    def _quoted(self) -> Token:
        position = self._position
        quote = self._text[position]
        self._position += 1
        parts: list[str] = []
        while True:
            if self._column == 0 and _DOCUMENT_INDICATOR.match(self._text, self._position):
                raise TextError("a document ends inside of quotes", self._position)
            if self._text[self._position] == _END:
                raise TextError("the quotes are never closed", position)
            escaped_break = self._quoted_words(quote, parts)
            if self._text[self._position] == quote:
                break
            parts.append(self._quoted_gap(escaped_break))
        self._position += 1
        return Token(Kind.QUOTED, position, "".join(parts))

    def _quoted_words(self, quote: str, parts: list[str]) -> bool:
        """Read up to a blank or the closing quote; tell whether an escaped line break ended it."""
        if quote == "'":
            parts.append(self._skip(_SINGLE_QUOTED).replace("''", "'"))
            return False
        while True:
            parts.append(self._skip(_DOUBLE_QUOTED))
            if self._text[self._position] != "\\":
                return False
            self._position += 1
            if self._skip_break():
                return True
            parts.append(self._escape())

    def _escape(self) -> str:
        character = self._text[self._position]
        self._position += 1
        if character in _ESCAPES:
            return _ESCAPES[character]
        length = _ESCAPE_LENGTHS.get(character)
        if length is None:
            raise TextError(f"YAML knows no escape \\{character}", self._position - 2)
        digits = self._text[self._position : self._position + length]
        if len(digits) != length or _HEX.fullmatch(digits) is None:
            raise TextError("an escape has too few hexadecimal digits", self._position - 2)
        code = int(digits, 16)
        if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
            raise TextError(
                f"the escape \\{character}{digits} is no character (YAML has no surrogate pairs)", self._position - 2
            )
        self._position += length
        return chr(code)

    def _quoted_gap(self, is_broken: bool) -> str:
        """Read blanks and line breaks inside of quotes; return what they come to."""
        blanks = self._skip(_BLANKS)
        first = "" if is_broken else self._skip_break()
        if not first and not is_broken:
            return blanks
        more = self._more_breaks()
        if first == "\n":
            return more or " "
        return first + more

    def _more_breaks(self) -> str:
        breaks = ""
        while True:
            self._skip(_BLANKS)
            line_break = self._skip_break()
            if not line_break:
                return breaks
            breaks += line_break

    def _plain(self) -> Token:
        position = self._position
        pattern = _PLAIN_IN_FLOW if self._flow_level else _PLAIN_IN_BLOCK
        indent = self._indent + 1
        parts: list[str] = []
        gap = ""
        is_broken = False
        while not (self._column == 0 and _DOCUMENT_INDICATOR.match(self._text, self._position)):
            if self._text[self._position] == "#":
                break
            if word := self._skip(pattern):
                parts += (gap, word)
                is_broken = False
            if self._text[self._position] not in f" \t{BREAKS}":
                break
            gap, is_broken = self._plain_gap(indent)
            if self._flow_level == 0 and self._column < indent:
                break
        if is_broken:
            self._key_allowed = True
        return Token(Kind.PLAIN, position, "".join(parts))

    def _plain_gap(self, indent: int) -> tuple[str, bool]:
        """Read blanks and line breaks in a plain scalar; return what they come to, and whether a line ended."""
        blanks = self._skip(_BLANKS)
        first = self._skip_break()
        if not first:
            return blanks, False
        more = ""
        while True:
            self._plain_indentation(indent)
            line_break = self._skip_break()
            if not line_break:
                break
            more += line_break
        return ((more or " ") if first == "\n" else first + more), True

    def _plain_indentation(self, indent: int) -> None:
        blanks = self._skip(_BLANKS)
        tab = blanks.find("\t")
        if 0 <= tab < indent:
            raise TextError("a tab indents a line", self._position)


def _width(octet: int) -> int:
    if octet & 0x80 == 0:
        return 1
    if octet & 0xE0 == 0xC0:
        return 2
    if octet & 0xF0 == 0xE0:
        return 3
    return 4 if octet & 0xF8 == 0xF0 else 0
