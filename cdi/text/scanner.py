"""Characters to tokens.

A token may turn out to be the key of a mapping only when its colon comes. Until then it is a *possible key*, kept for
each level of flow collections, and the tokens behind it wait in a queue. What makes a key impossible, and what is an
error then, is where YAML readers differ most; here it is as in runtimes, down to the cases in which a possible key is
forgotten.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from cdi.text import properties, styles
from cdi.text.characters import PIECE, Characters, TextError
from cdi.text.cursor import BLANK_OR_END, BLANKS, COMMENT, END, SPACES, Cursor
from cdi.text.tokens import Kind, Token

# A key ends on its line, and at most so many characters behind its beginning.
_KEY_LENGTH = 1024


@dataclass(slots=True)
class _PossibleKey:
    position: int
    line: int
    number: int  # of the token, counted from the first of the stream
    possible: bool = False
    required: bool = False  # nothing but a key can stand there


_NO_PLAIN_START = "-?:,[]{}#&*!|>'\"%@`"

_FLOW_STARTS = {"[": Kind.FLOW_SEQUENCE_START, "{": Kind.FLOW_MAPPING_START}
_PARTS = {
    "*": properties.anchor,
    "&": properties.anchor,
    "!": properties.tag,
    "'": styles.quoted,
    '"': styles.quoted,
}
_FLOW_ENDS = {"]": Kind.FLOW_SEQUENCE_END, "}": Kind.FLOW_MAPPING_END}


class Scanner:
    """The tokens of a text, found one by one as they are asked for.

    :meth:`peek` and :meth:`take` raise :class:`TextError` where the text cannot go on.
    """

    def __init__(self, characters: Characters) -> None:
        self._characters = characters
        self._at = Cursor(characters.text)
        # Runtimes skip a byte order mark wherever a line begins, and mean to look for it there; but where they look is
        # the beginning of their buffer. So a second mark makes them skip a character of each line in the first piece.
        has_second_mark = characters.text.startswith("\ufeff")
        self._first_piece = len(characters.text.encode()[:PIECE].decode(errors="ignore")) if has_second_mark else 0
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

    @property
    def is_at_end(self) -> bool:
        """Whether all that could be decoded has been read."""
        return self._at.character == END

    def finish(self) -> None:
        """Raise the text's own fault if reading has come to it."""
        characters = self._characters
        if characters.fault and max(self._looked_at, self._at.position + 1) > characters.readable:
            raise characters.fault

    # Possible keys.

    def _may_be_key(self, number: int) -> bool:
        place = self._keys_by_number.get(number)
        return place is not None and self._is_possible(self._keys[place])

    def _is_possible(self, key: _PossibleKey) -> bool:
        if key.possible and (key.line < self._at.line or key.position + _KEY_LENGTH < self._at.position):
            if key.required:
                raise TextError("there is no ':' behind this key", key.position)
            key.possible = False
        return key.possible

    def _save_key(self) -> None:
        """Note that the token to come may be a key."""
        if not self._key_allowed:
            return
        required = self._flow_level == 0 and self._indent == self._at.column
        number = self._next_number
        key = _PossibleKey(self._at.position, self._at.line, number, possible=True, required=required)
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
        self._unindent_to(self._at.column)
        self._looked_at = max(self._looked_at, self._at.position + 4)
        character = self._at.character
        if character == END:
            self._fetch_end()
        elif self._at.column == 0 and character == "%":
            self._fetch_directive()
        elif self._at.is_document_indicator:
            self._fetch_document_indicator()
        else:
            self._fetch_content(character, self._at.text[self._at.position + 1] in BLANK_OR_END)

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
            self._queue.append(styles.block(self._at, self._indent, literal=character == "|"))
        else:
            self._fetch_node_part(character, is_alone)

    def _fetch_node_part(self, character: str, is_alone: bool) -> None:
        scan = _PARTS.get(character)
        if scan is None and not self._begins_plain(character, is_alone):
            raise TextError(f"no value can begin with {character!r} here", self._at.position)
        self._save_key()
        self._key_allowed = False
        if scan is not None:
            self._queue.append(scan(self._at))
        else:
            # Where a line ends, a key can begin again.
            token, self._key_allowed = styles.plain(self._at, self._indent + 1, in_flow=self._flow_level > 0)
            self._queue.append(token)

    def _begins_plain(self, character: str, is_alone: bool) -> bool:
        if character == "-":
            return not is_alone
        if character in "?:":
            return self._flow_level == 0 and not is_alone
        return character not in _NO_PLAIN_START and character not in BLANK_OR_END

    def _add(self, kind: Kind, length: int = 0) -> None:
        self._queue.append(Token(kind, self._at.position))
        self._at.position += length

    def _fetch_end(self) -> None:
        if self._at.column != 0:
            self._at.line += 1
            self._at.line_start = self._at.position
        self._unindent_to(-1)
        self._drop_key()
        self._key_allowed = False
        self._add(Kind.STREAM_END)

    def _fetch_document_indicator(self) -> None:
        self._unindent_to(-1)
        self._drop_key()
        self._key_allowed = False
        kind = Kind.DOCUMENT_START if self._at.character == "-" else Kind.DOCUMENT_END
        self._add(kind, 3)

    def _fetch_flow_start(self, character: str) -> None:
        self._save_key()
        self._keys.append(_PossibleKey(self._at.position, self._at.line, self._next_number))
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
                raise TextError("no item of a list can stand here", self._at.position)
            self._indent_to(self._at.column, Kind.BLOCK_SEQUENCE_START, self._at.position)
        self._drop_key()
        self._key_allowed = True
        self._add(Kind.BLOCK_ENTRY, 1)

    def _fetch_key(self) -> None:
        if self._flow_level == 0:
            if not self._key_allowed:
                raise TextError("no key can stand here", self._at.position)
            self._indent_to(self._at.column, Kind.BLOCK_MAPPING_START, self._at.position)
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
                    raise TextError("no ':' can stand here", self._at.position)
                self._indent_to(self._at.column, Kind.BLOCK_MAPPING_START, self._at.position)
            self._key_allowed = self._flow_level == 0
        self._add(Kind.VALUE, 1)

    def _insert_key(self, key: _PossibleKey) -> None:
        token = Token(Kind.KEY, key.position)
        if key.number < self._taken:  # forgotten, and out of the queue already
            self._queue.append(token)
        else:
            self._queue.insert(key.number - self._taken, token)
        column = key.position - self._at.line_start
        self._indent_to(column, Kind.BLOCK_MAPPING_START, key.position, key.number)
        key.possible = False
        self._keys_by_number.pop(key.number, None)

    # Between tokens.

    def _skip_to_token(self) -> None:
        while True:
            if max(self._looked_at, self._at.position + 2) <= self._first_piece and self._at.column == 0:
                self._at.position += 1
            blanks = BLANKS if self._flow_level or not self._key_allowed else SPACES
            self._at.skip(blanks)
            self._at.skip(COMMENT)
            if not self._at.skip_break():
                return
            if self._flow_level == 0:
                self._key_allowed = True

    def _fetch_directive(self) -> None:
        self._unindent_to(-1)
        self._drop_key()
        self._key_allowed = False
        self._queue.append(properties.directive(self._at))
