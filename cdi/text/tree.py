"""Nodes to a tree of plain values: aliases, merged maps, keys as text; and bytes to a tree in one go."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

from cdi.errors import CDIError, Problem, shown
from cdi.text.characters import Characters, TextError, decoded, line_and_column
from cdi.text.nodes import DEPTH, Node, Shape, first_document
from cdi.text.scalars import MERGE_TAG, Scalar, value
from cdi.wire import Tree, scalar_text

# Reading YAML costs seconds a megabyte. Plain JSON is read elsewhere, and may be larger.
MAX_SIZE = 2 * 1024 * 1024

# Aliases make small texts large. Past so many values, so large a part of all may come of them: nearly all at first,
# a tenth in the end, the line between falling in proportion.
_ALIASED_AT_LEAST = 100
_VALUES_AT_LEAST = 1000
_VALUES_FEW = 400_000
_VALUES_MANY = 4_000_000
_RATIO_FEW = 0.99
_RATIO_MANY = 0.10

# So much of a message is told; it may hold the name of an anchor, which may be as long as the text.
_MESSAGE = 200

_UINT64_ONLY = 2**63

_INFINITIES = {"NaN": ".nan", "+Inf": ".inf", "-Inf": "-.inf"}


class Read(NamedTuple):
    """What the first document of a text says, None for one without; and where it ends among the characters."""

    tree: Tree
    characters: Characters
    end: int


def read(data: bytes, where: str = "") -> Read:
    """Read the first document of a text.

    Raises:
        CDIError: the text is wrong, or beyond the limits; ``where`` is named with line and column.
    """
    if len(data) > MAX_SIZE:
        hint = f"at most {MAX_SIZE} are read of what is not plain JSON"
        raise CDIError(Problem(where, f"the file has {len(data)} bytes", hint))
    characters = decoded(data)
    try:
        document = first_document(characters)
        tree = None if document.root is None else _Reader().read(document.root)
        return Read(tree, characters, document.end)
    except TextError as error:
        _refuse(error, characters, where)


def _refuse(error: TextError, characters: Characters, where: str) -> NoReturn:
    line, column = line_and_column(characters.text, error.position)
    place = f"{where}:{line}:{column}" if where else f"line {line}, column {column}"
    message = error.message if len(error.message) <= _MESSAGE else f"{error.message[:_MESSAGE]}..."
    raise CDIError(Problem(place, message)) from None


class _Reader:
    """One pass over the nodes. Aliased nodes are read again for each alias, which is counted."""

    def __init__(self) -> None:
        self._depth = 0
        self._values = 1  # the document
        self._aliased = 0
        self._alias_depth = 0
        self._open_aliases: set[Node] = set()

    def read(self, node: Node) -> Tree:
        self._enter(node)
        match node.shape:
            case Shape.SCALAR:
                tree: Tree = value(node)
            case Shape.SEQUENCE:
                tree = [self.read(child) for child in node.children]
            case Shape.MAPPING:
                members: dict[Any, Tree] = {}
                self._read_mapping(node, members)
                tree = _with_text_keys(members, node)
            case Shape.ALIAS:
                self._open(node)
                tree = self.read(node.children[0])
                self._close(node)
        self._depth -= 1
        return tree

    def _read_mapping(self, node: Node, members: dict[Any, Tree]) -> None:
        pairs = iter(node.children)
        for key_node, value_node in zip(pairs, pairs, strict=True):
            if _is_merge(key_node):
                self._merge(value_node, members)
                continue
            name = self.read(key_node)
            if isinstance(name, dict | list):
                raise TextError("a map or list cannot be a key", key_node.position)
            key = (type(name), name)
            tree = self.read(value_node)
            if key in members:
                raise TextError(f"the key {shown(name)} stands here already", key_node.position)
            members[key] = tree

    def _merge(self, node: Node, members: dict[Any, Tree]) -> None:
        if node.shape is Shape.SEQUENCE:
            for item in reversed(node.children):  # of several maps the earlier wins, which strictness then forbids
                self._merge_map(item, members)
        else:
            self._merge_map(node, members)

    def _merge_map(self, node: Node, members: dict[Any, Tree]) -> None:
        is_alias = node.shape is Shape.ALIAS
        target = node.children[0] if is_alias else node
        if target.shape is not Shape.MAPPING:
            raise TextError("only maps can be merged", node.position)
        self._enter(node)
        if is_alias:
            self._open(node)
            self._enter(target)
        self._read_mapping(target, members)
        if is_alias:
            self._depth -= 1
            self._close(node)
        self._depth -= 1

    def _enter(self, node: Node) -> None:
        self._depth += 1
        if self._depth > DEPTH:
            raise TextError(f"the text is nested more than {DEPTH} deep", node.position)
        self._values += 1
        if self._alias_depth:
            self._aliased += 1
            if self._aliased > _ALIASED_AT_LEAST and self._values > _VALUES_AT_LEAST:
                self._weigh(node)

    def _weigh(self, node: Node) -> None:
        share = (self._values - _VALUES_FEW) / (_VALUES_MANY - _VALUES_FEW)
        ratio = _RATIO_FEW - (_RATIO_FEW - _RATIO_MANY) * min(max(share, 0), 1)
        if self._aliased / self._values > ratio:
            raise TextError("aliases make too much of this text", node.position)

    def _open(self, node: Node) -> None:
        if node in self._open_aliases:
            raise TextError(f"the anchor &{node.value} contains itself", node.position)
        self._open_aliases.add(node)
        self._alias_depth += 1

    def _close(self, node: Node) -> None:
        self._alias_depth -= 1
        self._open_aliases.remove(node)


def _is_merge(node: Node) -> bool:
    return node.shape is Shape.SCALAR and node.value == "<<" and (node.is_plain or node.tag == MERGE_TAG)


def _with_text_keys(members: dict[Any, Tree], node: Node) -> Tree:
    return {_key_text(key, node): tree for (_, key), tree in members.items()}


def _key_text(key: Scalar, node: Node) -> str:
    if isinstance(key, str):
        return key
    if key is None or (type(key) is int and key >= _UINT64_ONLY):
        raise TextError("null or an integer of more than 63 bits cannot be a key", node.position)
    text = scalar_text(key)
    return _INFINITIES.get(text, text)
