"""A place in a text, and the ways to move it on."""

from __future__ import annotations

import re

from cdi.text.characters import BREAKS, TextError

END = "\0"  # stands behind the last character; allowed nowhere in a text
BLANK_OR_END = f" \t{BREAKS}{END}"

SPACES = re.compile(" *")
BLANKS = re.compile("[ \t]*")
COMMENT = re.compile(f"#[^{BREAKS}{END}]*")
_DOCUMENT_INDICATOR = re.compile(rf"(?:---|\.\.\.)[{BLANK_OR_END}]")


class Cursor:
    """A position in a text, with its line (from 0) and the position at which that line begins."""

    __slots__ = ("line", "line_start", "position", "text")

    def __init__(self, text: str) -> None:
        self.text = text + END * 4  # nobody looks further ahead
        self.position = 0
        self.line = 0
        self.line_start = 0

    @property
    def column(self) -> int:
        """The characters before this one on its line."""
        return self.position - self.line_start

    @property
    def character(self) -> str:
        """The character at the position; behind the last one, the end mark."""
        return self.text[self.position]

    @property
    def is_document_indicator(self) -> bool:
        """Whether ``---`` or ``...`` stands here, alone, at the beginning of a line."""
        return self.column == 0 and _DOCUMENT_INDICATOR.match(self.text, self.position) is not None

    def skip(self, pattern: re.Pattern[str]) -> str:
        """Move behind what the pattern matches here; return that, empty for nothing."""
        match = pattern.match(self.text, self.position)
        if match is None:
            return ""
        self.position = match.end()
        return match[0]

    def skip_break(self) -> str:
        """Move behind one line break; return it as a scalar has it, empty where there is none."""
        character = self.text[self.position]
        if character not in BREAKS:
            return ""
        is_pair = character == "\r" and self.text[self.position + 1] == "\n"
        self.position += 2 if is_pair else 1
        self.line += 1
        self.line_start = self.position
        return character if character in "\u2028\u2029" else "\n"

    def skip_rest_of_line(self, what: str) -> None:
        """Move behind blanks, a comment and the line break.

        Raises:
            TextError: something else stands there.
        """
        self.skip(BLANKS)
        self.skip(COMMENT)
        if self.character not in BREAKS + END:
            raise TextError(f"only a comment can stand behind {what}", self.position)
        self.skip_break()
