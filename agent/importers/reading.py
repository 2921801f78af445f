"""Texts of peers as plain values that know where they stand: YAML, JSON, and the manifests that carry them.

The reader is the one for CDI specs: the dialect of the YAML library that the peers, too, are built with.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from agent.config.files import ConfigError
from cdi import codec
from cdi.errors import CDIError, Problem
from cdi.text.characters import TextError, decoded
from cdi.text.nodes import Shape, first_document
from cdi.wire import folded, scalar_text

from .draft import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cdi.text.nodes import Node
    from cdi.wire import Tree

SIZE_LIMIT = 256 * 1024
_DOCUMENTS = 64  # in one file of manifests
_SEPARATOR = re.compile(rb"^---(?=[ \t\r\n]|$)", re.MULTILINE)
_WORD = re.compile(r"[^\s,\]}]+")
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """One document of a file, or a text inside of one.

    ``name`` is the file's; ``line`` is how many of its lines come before the text, ``within`` is the place of a text
    whose lines are not lines of the file.
    """

    name: str
    data: bytes = field(repr=False)
    line: int = 0
    within: str = ""

    def read(self) -> Item:
        """Return what the text says.

        Raises:
            ConfigError: it is neither YAML nor JSON, or beyond the limits.
        """
        try:
            return Item(self, (), codec.document(self.data))
        except CDIError as error:
            text = error.problems[0]
            found = re.fullmatch(r"line (\d+), column (\d+)", text.where)
            place = self.at(int(found[1]), int(found[2])) if found else self.place(())
            hint = text.hint or "correct it; nothing was changed"
            raise ConfigError(Problem(place, f"this is not YAML: {text.message}", hint)) from None

    def at(self, line: int, column: int) -> str:
        """Return how a line and column of the text, both from 1, are told."""
        return self.within or f"{self.name}:{self.line + line}:{column}"

    def place(self, path: Path) -> str:
        """Return how the place of a value is told; of one that is not there, that of the innermost around it."""
        if self.within:
            return self.within
        text, starts, root = self._known
        position = _position(root, path)
        line = bisect_right(starts, position)
        return self.at(line, position - starts[line - 1] + 1) if text else self.name

    def lines_inside(self, path: Path) -> int | None:
        """Return the line of the file before the first one of a literal block, ``None`` of any other text."""
        if self.within:
            return None
        text, starts, root = self._known
        position = _position(root, path)
        return self.line + bisect_right(starts, position) if text[position : position + 1] == "|" else None

    def raw(self, path: Path) -> str:
        """Return the text of a value without quotes as it stands."""
        text, _, root = self._known
        found = _WORD.match(text, _position(root, path))
        return found[0] if found else ""

    @cached_property
    def _known(self) -> tuple[str, list[int], Node | None]:
        characters = decoded(self.data)
        starts = [0, *(match.end() for match in _BREAK.finditer(characters.text))]
        try:
            return characters.text, starts, first_document(characters).root
        except TextError:
            return characters.text, starts, None


@dataclass(frozen=True, slots=True)
class Item:
    """A value, and where it stands."""

    document: Document
    path: Path
    value: Tree

    @property
    def place(self) -> str:
        """``file:line:column``."""
        return self.document.place(self.path)

    @property
    def key(self) -> str:
        """The value's path as one reads it: ``devices[0].name``."""
        text = ""
        for step in self.path:
            text += f"[{step}]" if isinstance(step, int) else ("." if text else "") + step
        return text

    def fault(self, fact: str, advice: str) -> ConfigError:
        """Return the error that this value is not what it must be."""
        return ConfigError(Problem(f"{self.place}: {self.key}" if self.path else self.place, fact, advice))

    def remark(self, fact: str, advice: str = "", *, aloud: bool = True) -> Remark:
        """Return the remark that this value is not here as it was there."""
        return Remark(self.place, self.key, fact, advice, aloud)

    def child(self, step: str | int) -> Item:
        """Return the value below this one, None where there is none."""
        inside = isinstance(self.value, dict) and step in self.value
        return Item(self.document, (*self.path, step), self.value[step] if inside else None)

    @property
    def raw(self) -> str:
        """A value without quotes as it stands in the text: of ``0403`` the value is 259."""
        return self.document.raw(self.path)

    def member(self, name: str) -> Item | None:
        """Return a table's member as Go's decoders find it: whatever the case of its letters; null is as if absent."""
        table = self.table()
        keys = [name] if name in table else [key for key in table if folded(key) == folded(name)]
        found = self.child(keys[-1]) if keys else None
        return found if found is not None and found.value is not None else None

    def others(self, *known: str) -> Iterator[Item]:
        """Yield the members of a table that have other names."""
        names = {folded(name) for name in known}
        for key in self.table():
            if folded(key) not in names:
                yield self.child(key)

    def table(self) -> dict[str, Tree]:
        """Return the value if it is a table; else raises `ConfigError`, as all the following do."""
        if not isinstance(self.value, dict):
            raise self.fault(f"must be a table, not {_kind(self.value)}", "write keys and values")
        return self.value

    def items(self) -> tuple[Item, ...]:
        """Return the items of a list."""
        if not isinstance(self.value, list):
            raise self.fault(f"must be a list, not {_kind(self.value)}", "write one item a line, each behind a dash")
        return tuple(Item(self.document, (*self.path, index), value) for index, value in enumerate(self.value))

    def text(self) -> str:
        """Return a text; numbers and truth values are taken for the text they would be in JSON."""
        if isinstance(self.value, dict | list) or self.value is None:
            raise self.fault(f"must be a text, not {_kind(self.value)}", "write it in quotes")
        return self.value if isinstance(self.value, str) else scalar_text(self.value)

    def truth(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            raise self.fault(f"must be true or false, not {_kind(self.value)}", "write it without quotes")
        return self.value

    def whole(self) -> int:
        """Return a whole number."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.fault(f"must be a whole number, not {_shown(self.value)}", "write it without quotes")
        return self.value

    def count(self) -> int:
        """Return a whole number that is not negative."""
        number = self.whole()
        if not 0 <= number < 2**31:
            raise self.fault(f"must be a number from 0 on, not {_shown(number)}", "write a smaller or a greater one")
        return number

    def inner(self) -> Document:
        """Return a text inside this document as one of its own."""
        line = self.document.lines_inside(self.path)
        within = "" if line is not None else f"{self.place}: {self.key}"
        return Document(self.document.name, self.text().encode("utf-8", "replace"), line or 0, within)


def documents(name: str, data: bytes) -> tuple[Item, ...]:
    """Return the documents of a file, empty ones left out.

    Raises:
        ConfigError: the file is too large, or one is not YAML.
    """
    if len(data) > SIZE_LIMIT:
        fact = f"is larger than {SIZE_LIMIT // 1024} KiB"
        raise ConfigError(Problem(name, fact, "this is hardly a configuration; name another file"))
    cuts = [match.start() for match in _SEPARATOR.finditer(data)]
    if len(cuts) > _DOCUMENTS:
        raise ConfigError(
            Problem(name, f"has more than {_DOCUMENTS} documents", "name a file with the one that counts")
        )
    starts = [0, *(cut for cut in cuts if cut)]
    texts = [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]
    before = 0
    items = []
    for text in texts:
        items.append(Document(name, text, before).read())
        before += text.count(b"\n")
    return tuple(item for item in items if item.value is not None)


def unwrapped(item: Item, *names: str) -> Item:
    """Return the document that a ConfigMap carries under one of these names, or as its only one; or ``item`` itself."""
    if not isinstance(item.value, dict) or item.value.get("kind") != "ConfigMap":
        return item
    data = item.member("data")
    if data is None or not data.table():
        raise item.fault("this ConfigMap has no data", "name a file with the configuration")
    keys = [name for name in names if name in data.table()] or list(data.table())[:2]
    if len(keys) > 1 and keys[0] not in names:
        raise data.fault(f"none of these is called {' or '.join(names)}", "name a file with the configuration alone")
    found = data.member(keys[0])
    if found is None:
        raise data.fault(f"{keys[0]} is empty", "name a file with the configuration")
    return found.inner().read()


def _position(root: Node | None, path: Path) -> int:
    position = 0
    for step in (*path, None):
        while root is not None and root.shape is Shape.ALIAS:
            root = root.children[0]
        if root is None:
            return position
        position = root.position
        root = _child(root, step)
    return position


def _child(node: Node, step: str | int | None) -> Node | None:
    if isinstance(step, int):
        return node.children[step] if node.shape is Shape.SEQUENCE and step < len(node.children) else None
    if step is None or node.shape is not Shape.MAPPING:
        return None
    pairs = zip(node.children[::2], node.children[1::2], strict=True)
    return next((value for key, value in pairs if key.value == step), None)


def _kind(value: Tree) -> str:
    kinds = {dict: "a table", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(value), "nothing")


def _shown(value: Tree) -> str:
    return repr(value)[:40] if isinstance(value, int | float | str) else _kind(value)
