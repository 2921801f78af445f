"""JSON paths to lines and columns: where in a text a problem lies. Asked only when there is one to tell."""

from __future__ import annotations

import json
import re
from typing import TypeAlias

from cdi.text.characters import TextError, decoded, line_and_column
from cdi.text.nodes import Node, Shape, first_document
from cdi.wire import folded

_Step: TypeAlias = str | int

_STEP = re.compile(r'\.?([A-Za-z_]\w*)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')
_ESCAPE = re.compile(r"\\(.)")
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def position(data: bytes, path: str) -> tuple[int, int]:
    """Return line and column, from 1, of the value at a JSON path, or of the innermost around it that is there."""
    characters = decoded(data)
    text = characters.text
    steps = _steps(path)
    try:
        found = _in_json(text, steps)
    except (ValueError, IndexError, RecursionError):
        try:
            found = _in_yaml(first_document(characters).root, steps)
        except TextError as error:
            found = error.position
    return line_and_column(text, found)


def _steps(path: str) -> list[_Step]:
    return [int(index) if index else name or _ESCAPE.sub(r"\1", key) for name, index, key in _STEP.findall(path)]


def _in_json(text: str, steps: list[_Step]) -> int:
    """Follow steps through JSON text, all values beside the way passed over by the C parser."""
    at = _next(text, 0)
    if text[at] != "{":
        raise ValueError(at)
    for step in steps:
        if text[at] == "{" and isinstance(step, str):
            found = _json_member(text, at, step)
        elif text[at] == "[" and isinstance(step, int):
            found = _json_item(text, at, step)
        else:
            found = None
        if found is None:
            return at
        at = found
    return at


def _json_member(text: str, at: int, name: str) -> int | None:
    found = None
    at = _next(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _next(text, at, ":")
        if key == name or (found is None and folded(key) == folded(name)):
            found = at
        at = _next(text, _DECODER.raw_decode(text, at)[1])
        at = _next(text, at, ",") if text[at] == "," else at
    return found


def _json_item(text: str, at: int, index: int) -> int | None:
    at = _next(text, at + 1)
    while text[at] != "]":
        if index == 0:
            return at
        index -= 1
        at = _next(text, _DECODER.raw_decode(text, at)[1])
        at = _next(text, at, ",") if text[at] == "," else at
    return None


def _next(text: str, at: int, expected: str = "") -> int:
    """Return where something stands from ``at`` on, behind the ``expected`` character if one is."""
    match = _SPACE.match(text, at)
    at = match.end() if match else at
    if not expected:
        return at
    if text[at] != expected:
        raise ValueError(at)
    return _next(text, at + 1)


def _in_yaml(node: Node | None, steps: list[_Step]) -> int:
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
