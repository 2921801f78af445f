"""JSON paths to lines and columns: where in a text problems lie. Asked only when there are some to tell.

However many places are asked for, a text is gone through once, and parsed once if it is YAML.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from cdi.text.characters import TextError, decoded, lines_and_columns
from cdi.text.nodes import Node, Shape, first_document
from cdi.wire import folded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_Step: TypeAlias = str | int


class _Way(NamedTuple):
    """The path of this number among all, or what is left of it."""

    number: int
    steps: tuple[_Step, ...]


_STEP = re.compile(r'\.?([A-Za-z_]\w*)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')
_ESCAPE = re.compile(r"\\(.)")
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def position(data: bytes, path: str) -> tuple[int, int]:
    """Return line and column, from 1, of the value at a JSON path, or of the innermost around it that is there."""
    return positions(data, [path])[0]


def positions(data: bytes, paths: Sequence[str]) -> list[tuple[int, int]]:
    """Return :func:`position` of every path."""
    characters = decoded(data)
    ways = [_Way(number, _steps(path)) for number, path in enumerate(paths)]
    found: dict[int, int] = {}
    try:
        _go_through_json(characters.text, _object(characters.text), ways, found)
    except (ValueError, IndexError, RecursionError):
        try:
            root = first_document(characters).root
            found = {way.number: _in_yaml(root, way.steps) for way in ways}
        except TextError as error:
            found = dict.fromkeys(range(len(paths)), error.position)
    places = lines_and_columns(characters.text, found.values())
    return [places[found[number]] for number in range(len(paths))]


def _steps(path: str) -> tuple[_Step, ...]:
    steps = _STEP.findall(path)
    return tuple(int(index) if index else name or _ESCAPE.sub(r"\1", key) for name, index, key in steps)


def _object(text: str) -> int:
    at = _next(text, 0)
    if text[at] != "{":
        raise ValueError(at)
    return at


def _go_through_json(text: str, at: int, ways: Sequence[_Way], found: dict[int, int]) -> None:
    """Follow the ways through the value at a position, all values beside them passed over by the C parser."""
    by_step: dict[_Step, list[_Way]] = defaultdict(list)
    for number, steps in ways:
        found[number] = at
        if steps:
            by_step[steps[0]].append(_Way(number, steps[1:]))
    if not by_step:
        return
    children = _members(text, at, by_step) if text[at] == "{" else _items(text, at, by_step) if text[at] == "[" else {}
    for step, child in children.items():
        _go_through_json(text, child, by_step[step], found)


def _members(text: str, at: int, wanted: Collection[_Step]) -> dict[_Step, int]:
    """Return where the members of an object stand that are wanted, in the wrong case if there is none in the right."""
    by_folded: dict[str, list[_Step]] = defaultdict(list)
    for step in wanted:
        if isinstance(step, str):
            by_folded[folded(step)].append(step)
    members: dict[_Step, int] = {}
    for key, value_at in _pairs(text, at):
        for step in by_folded.get(folded(key), ()):
            members.setdefault(step, value_at)
        if key in wanted:
            members[key] = value_at
    return members


def _pairs(text: str, at: int) -> Iterator[tuple[str, int]]:
    at = _next(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _next(text, at, ":")
        yield key, at
        at = _next(text, _DECODER.raw_decode(text, at)[1])
        at = _next(text, at, ",") if text[at] == "," else at


def _items(text: str, at: int, wanted: Collection[_Step]) -> dict[_Step, int]:
    """Return where the items of a list stand that are wanted."""
    items: dict[_Step, int] = {}
    last = max((step for step in wanted if isinstance(step, int)), default=-1)
    at = _next(text, at + 1)
    index = 0
    while index <= last and text[at] != "]":
        if index in wanted:
            items[index] = at
        index += 1
        at = _next(text, _DECODER.raw_decode(text, at)[1])
        at = _next(text, at, ",") if text[at] == "," else at
    return items


def _next(text: str, at: int, expected: str = "") -> int:
    """Return where something stands from ``at`` on, behind the ``expected`` character if one is."""
    match = _SPACE.match(text, at)
    at = match.end() if match else at
    if not expected:
        return at
    if text[at] != expected:
        raise ValueError(at)
    return _next(text, at + 1)


def _in_yaml(node: Node | None, steps: Sequence[_Step]) -> int:
    at = 0 if node is None else node.position
    for step in steps:
        if node is not None and node.shape is Shape.ALIAS:
            node = node.children[0]
        node = None if node is None else _child(node, step)
        if node is None:
            return at
        at = node.position
    return at


def _child(node: Node, step: _Step) -> Node | None:
    if isinstance(step, int):
        return node.children[step] if node.shape is Shape.SEQUENCE and step < len(node.children) else None
    if node.shape is not Shape.MAPPING:
        return None
    members = dict(zip((key.value for key in node.children[::2]), node.children[1::2], strict=True))
    if step in members:
        return members[step]
    return next((value for key, value in members.items() if folded(key) == folded(step)), None)
