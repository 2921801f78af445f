"""Several edits of one text as one change, with what is needed to take each back."""

from __future__ import annotations

from typing import Any

from agent.plan import Write
from agent.runtimes import tomltext
from agent.runtimes.answers import FileChange, KeyChange
from agent.runtimes.tomltext import EditError, Value


class Draft:
    """A TOML text in the making.

    Raises:
        EditError: it is not UTF-8 or not TOML.
    """

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self.data = data
        try:
            self.text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise EditError(f"it is not UTF-8 text (line {data.count(10, 0, error.start) + 1})") from None
        self.document: dict[str, Any] = tomltext.document(self.text)
        self.keys: list[KeyChange] = []

    def put(self, path: tuple[str, ...], value: Value) -> None:
        """Give a key a value; raises `EditError` where that cannot be done without loss."""
        edit = tomltext.put(self.text, path, value)
        was = tomltext.lookup(self.document, path) is not None
        before = self.text[edit.start : edit.end] if was else None
        self._apply(edit, KeyChange(path, tomltext.literal(value), before, None, "" if was else edit.text))

    def append(self, path: tuple[str, ...], item: str) -> None:
        """Add to a list; raises `EditError` where that cannot be done without loss."""
        edit = tomltext.append(self.text, path, item)
        self._apply(edit, KeyChange(path, tomltext.quoted(item), None, item, edit.text))

    def _apply(self, edit: tomltext.Edit, key: KeyChange) -> None:
        self.text = edit.applied(self.text)
        self.document = tomltext.document(self.text)
        self.keys.append(key)

    def change(self) -> FileChange:
        """Return the whole change of the file."""
        return FileChange(Write(self.path, self.text.encode(), self.data), tuple(self.keys))
