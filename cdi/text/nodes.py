"""Tokens to nodes: the grammar of YAML documents, as far as the end of the first one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias

from cdi.text.characters import Characters, TextError
from cdi.text.scanner import Scanner
from cdi.text.tokens import Kind, Token

# No spec is nested deeper than ten; the limit keeps bombs from filling the stack.
DEPTH = 64


class Shape(Enum):
    """What a node is."""

    SCALAR = auto()
    SEQUENCE = auto()
    MAPPING = auto()
    ALIAS = auto()


@dataclass(slots=True, eq=False)
class Node:
    """A node of a document at a position of its text.

    ``children`` are the items of a sequence, the keys and values of a mapping by turns, or what an alias stands for.
    ``is_plain``: the scalar has neither quotes nor tag, so that its text tells its type.
    """

    shape: Shape
    position: int
    value: str = ""
    tag: str = ""
    is_plain: bool = False
    children: list[Node] = field(default_factory=list)


# Reads the parts of a collection into its node, and returns it.
_ReadParts: TypeAlias = Callable[[Node], Node]


@dataclass(slots=True)
class _Properties:
    position: int
    anchor: str = ""
    tag: str = ""


_PLAIN_TAG = "!"
_DEFAULT_HANDLES = {"!": "!", "!!": "tag:yaml.org,2002:"}
_NO_CONTENT = {
    Kind.VERSION,
    Kind.TAG_HANDLE,
    Kind.DOCUMENT_START,
    Kind.DOCUMENT_END,
    Kind.STREAM_END,
}
_NO_ITEM = {Kind.BLOCK_ENTRY, Kind.BLOCK_END}
_NO_INDENTLESS_ITEM = {Kind.BLOCK_ENTRY, Kind.KEY, Kind.VALUE, Kind.BLOCK_END}
_NO_BLOCK_PART = {Kind.KEY, Kind.VALUE, Kind.BLOCK_END}
_NO_FLOW_KEY = {Kind.VALUE, Kind.FLOW_ENTRY, Kind.FLOW_MAPPING_END}
_NO_FLOW_VALUE = {Kind.FLOW_ENTRY, Kind.FLOW_MAPPING_END}
_NO_PAIR_KEY = {Kind.VALUE, Kind.FLOW_ENTRY, Kind.FLOW_SEQUENCE_END}
_NO_PAIR_VALUE = {Kind.FLOW_ENTRY, Kind.FLOW_SEQUENCE_END}


@dataclass(frozen=True, slots=True)
class Document:
    """A document's root, None where it is empty, and the position behind it, from which on nothing is read."""

    root: Node | None
    end: int


def first_document(characters: Characters) -> Document:
    """Return a text's first document.

    Raises:
        TextError: the text is wrong, in the first document or so close behind it that runtimes see it.
    """
    scanner = Scanner(characters)
    try:
        root = _Parser(scanner).document()
        end = scanner.peek().position  # a runtime looks for the document's end, and at what stands there
    except TextError as error:
        # Where a text cannot be decoded any further, quotes and brackets are missing that may well be there.
        raise (characters.fault if characters.fault and scanner.is_at_end else error) from None
    scanner.finish()
    return Document(root, end)


class _Parser:
    """One pass over the tokens, recursive down to :data:`DEPTH`."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._handles: dict[str, str] = {}
        self._anchors: dict[str, Node] = {}
        self._depth = 0
        self._in_flow: dict[Kind, tuple[Shape, _ReadParts]] = {
            Kind.FLOW_SEQUENCE_START: (Shape.SEQUENCE, self._flow_sequence),
            Kind.FLOW_MAPPING_START: (Shape.MAPPING, self._flow_mapping),
        }
        self._in_block: dict[Kind, tuple[Shape, _ReadParts]] = {
            Kind.BLOCK_SEQUENCE_START: (Shape.SEQUENCE, self._block_sequence),
            Kind.BLOCK_MAPPING_START: (Shape.MAPPING, self._block_mapping),
        }

    def document(self) -> Node | None:
        token = self._scanner.peek()
        if token.kind is Kind.STREAM_END:
            return None
        is_explicit = token.kind in {Kind.VERSION, Kind.TAG_HANDLE, Kind.DOCUMENT_START}
        self._directives()
        if is_explicit:
            token = self._scanner.take()
            if token.kind is not Kind.DOCUMENT_START:
                raise TextError("there is no --- behind the directives", token.position)
        if is_explicit and self._scanner.peek().kind in _NO_CONTENT:
            return self._empty(token)
        return self._node(in_block=True)

    def _directives(self) -> None:
        version = None
        while (token := self._scanner.peek()).kind in {Kind.VERSION, Kind.TAG_HANDLE}:
            self._scanner.take()
            if token.kind is Kind.TAG_HANDLE:
                if token.value in self._handles:
                    raise TextError(f"the tag handle {token.value} is declared twice", token.position)
                self._handles[token.value] = token.suffix
                continue
            if version is not None or token.value != "1.1":
                raise TextError("the document is not YAML 1.1", token.position)
            version = token.value
        self._handles = {**_DEFAULT_HANDLES, **self._handles}

    def _node(self, *, in_block: bool, indentless: bool = False) -> Node:
        self._depth += 1
        token = self._scanner.peek()
        if self._depth > DEPTH:
            raise TextError(f"the text is nested more than {DEPTH} deep", token.position)
        node = self._alias() if token.kind is Kind.ALIAS else self._content(in_block, indentless)
        self._depth -= 1
        return node

    def _alias(self) -> Node:
        token = self._scanner.take()
        target = self._anchors.get(token.value)
        if target is None:
            raise TextError(f"there is no anchor &{token.value} before this", token.position)
        return Node(Shape.ALIAS, token.position, token.value, children=[target])

    def _content(self, in_block: bool, indentless: bool) -> Node:
        properties = self._properties()
        token = self._scanner.peek()
        if token.kind in {Kind.PLAIN, Kind.QUOTED}:
            return self._scalar(properties)
        if token.kind in self._in_flow:
            return self._collection(*self._in_flow[token.kind], properties)
        if in_block and token.kind in self._in_block:
            return self._collection(*self._in_block[token.kind], properties)
        if indentless and token.kind is Kind.BLOCK_ENTRY:
            return self._collection(Shape.SEQUENCE, self._indentless_sequence, properties)
        if not properties.anchor and not properties.tag:
            raise TextError("there is no value here", token.position)
        return self._empty_with(properties)

    def _properties(self) -> _Properties:
        """Take an anchor and a tag, in either order, at most one of each."""
        found = _Properties(self._scanner.peek().position)
        kinds = {Kind.ANCHOR, Kind.TAG}
        while (token := self._scanner.peek()).kind in kinds:
            self._scanner.take()
            kinds.remove(token.kind)
            if token.kind is Kind.ANCHOR:
                found.anchor = token.value
            else:
                found.tag = self._tag(token)
        return found

    def _tag(self, token: Token) -> str:
        if not token.value:
            return token.suffix
        prefix = self._handles.get(token.value)
        if prefix is None:
            raise TextError(f"the tag handle {token.value} is not declared", token.position)
        return prefix + token.suffix

    def _collection(self, shape: Shape, read: _ReadParts, properties: _Properties) -> Node:
        node = Node(shape, properties.position, tag=properties.tag)
        self._anchored(node, properties)  # before its parts, which may refer to it
        return read(node)

    def _anchored(self, node: Node, properties: _Properties) -> Node:
        if properties.anchor:
            self._anchors[properties.anchor] = node
        return node

    def _scalar(self, properties: _Properties) -> Node:
        token = self._scanner.take()
        is_plain = properties.tag == _PLAIN_TAG or (not properties.tag and token.kind is Kind.PLAIN)
        node = Node(Shape.SCALAR, properties.position, token.value, properties.tag, is_plain)
        return self._anchored(node, properties)

    def _empty_with(self, properties: _Properties) -> Node:
        node = Node(Shape.SCALAR, properties.position, tag=properties.tag, is_plain=not properties.tag)
        return self._anchored(node, properties)

    def _empty(self, token: Token) -> Node:
        return Node(Shape.SCALAR, token.position, is_plain=True)

    def _block_sequence(self, node: Node) -> Node:
        self._scanner.take()
        while (token := self._scanner.take()).kind is Kind.BLOCK_ENTRY:
            if self._scanner.peek().kind in _NO_ITEM:
                node.children.append(self._empty(token))
            else:
                node.children.append(self._node(in_block=True))
        if token.kind is not Kind.BLOCK_END:
            raise TextError("this is no item of the list that began above", token.position)
        return node

    def _indentless_sequence(self, node: Node) -> Node:
        while (token := self._scanner.peek()).kind is Kind.BLOCK_ENTRY:
            self._scanner.take()
            if self._scanner.peek().kind in _NO_INDENTLESS_ITEM:
                node.children.append(self._empty(token))
            else:
                node.children.append(self._node(in_block=True))
        return node

    def _block_mapping(self, node: Node) -> Node:
        self._scanner.take()
        while (token := self._scanner.take()).kind is Kind.KEY:
            node.children.append(self._block_part(token))
            value = self._scanner.peek()
            if value.kind is Kind.VALUE:
                self._scanner.take()
                node.children.append(self._block_part(value))
            else:
                node.children.append(self._empty(value))
        if token.kind is not Kind.BLOCK_END:
            raise TextError("this is no key of the map that began above", token.position)
        return node

    def _block_part(self, token: Token) -> Node:
        if self._scanner.peek().kind in _NO_BLOCK_PART:
            return self._empty(token)
        return self._node(in_block=True, indentless=True)

    def _flow_sequence(self, node: Node) -> Node:
        self._scanner.take()
        while self._has_flow_item(node, Kind.FLOW_SEQUENCE_END, "]"):
            if self._scanner.peek().kind is Kind.KEY:
                node.children.append(self._flow_pair())
            else:
                node.children.append(self._node(in_block=False))
        self._scanner.take()
        return node

    def _has_flow_item(self, node: Node, end: Kind, bracket: str) -> bool:
        token = self._scanner.peek()
        if node.children and token.kind is not end:
            if token.kind is not Kind.FLOW_ENTRY:
                raise TextError(f"there is no ',' or '{bracket}' here", token.position)
            self._scanner.take()
        return self._scanner.peek().kind is not end

    def _flow_pair(self) -> Node:
        """Read a map of one pair, which stands in a list without braces."""
        node = Node(Shape.MAPPING, self._scanner.take().position)
        token = self._scanner.peek()
        if token.kind in _NO_PAIR_KEY:
            self._scanner.take()  # runtimes lose this token, and with it the pair's colon
            node.children.append(self._empty(token))
        else:
            node.children.append(self._node(in_block=False))
        node.children.append(self._flow_value(_NO_PAIR_VALUE))
        return node

    def _flow_mapping(self, node: Node) -> Node:
        self._scanner.take()
        while self._has_flow_item(node, Kind.FLOW_MAPPING_END, "}"):
            if self._scanner.peek().kind is not Kind.KEY:
                key = self._node(in_block=False)
                node.children += (key, self._empty(self._scanner.peek()))
                continue
            self._scanner.take()
            token = self._scanner.peek()
            key = self._empty(token) if token.kind in _NO_FLOW_KEY else self._node(in_block=False)
            node.children += (key, self._flow_value(_NO_FLOW_VALUE))
        self._scanner.take()
        return node

    def _flow_value(self, none: set[Kind]) -> Node:
        token = self._scanner.peek()
        if token.kind is Kind.VALUE:
            self._scanner.take()
            token = self._scanner.peek()
            if token.kind not in none:
                return self._node(in_block=False)
        return self._empty(token)
