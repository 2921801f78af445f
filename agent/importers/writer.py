"""A draft as TOML that people like to read: tables in the order of docs/configuration.md, comments before them."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.config.model import Class, Select

    from .draft import Draft, DraftClass, Remark

_WIDTH = 110
_KERNEL_NAMES = "  # as the kernel has it; without this key, names that outlive a replug"
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def toml(draft: Draft, title: str) -> str:
    """Return the whole text; ``title`` says in a sentence what it is."""
    lines = [f"# {_shown(title)}", *_remarks(draft.remarks), "", "version = 1"]
    for one in draft.classes:
        lines += ["", *class_lines(one)]
    return "\n".join(lines) + "\n"


def class_lines(one: DraftClass) -> Iterator[str]:
    """Yield the lines of one class, its remarks first."""
    entry = one.entry
    yield from _remarks(one.remarks)
    yield "[[class]]"
    for key in ("kind", "name", "all", "only_all"):
        if value := getattr(entry, key):
            yield f"{key} = {_value(value)}{_KERNEL_NAMES if value == '{sysname}' else ''}"
    for key in ("select", "exclude"):
        for selector in getattr(entry, key):
            yield f"[[class.{key}]]"
            yield from _selector(selector)
    yield from _node(entry)
    if entry.container_edits:
        yield "[class.containerEdits]"
        yield from _pairs(entry.container_edits)
    for device in entry.device:
        yield from ("[[class.device]]", f"name = {_value(device.name)}")
        yield from _pairs({f"containerEdits.{key}": value for key, value in device.container_edits.items()})
    yield from _kubernetes(one)


def _selector(selector: Select) -> Iterator[str]:
    if selector.devnode:
        yield from _pairs({"devnode": selector.devnode[0] if len(selector.devnode) == 1 else list(selector.devnode)})
    if selector.subsystem:
        yield f"subsystem = {_value(selector.subsystem)}"
    if selector.attributes:
        yield f"attributes = {_value(selector.attributes)}"
    if selector.usb:
        yield f"usb = {_value({key: value for key, value in dataclasses.asdict(selector.usb).items() if value})}"


def _node(entry: Class) -> Iterator[str]:
    changed = [
        f"{field.name} = {_value(getattr(entry.node, field.name))}"
        for field in dataclasses.fields(entry.node)
        if getattr(entry.node, field.name) != field.default
    ]
    if changed:
        yield "[class.node]"
        yield from changed


def kubernetes(one: DraftClass) -> dict[str, Any]:
    """Return what ``[class.kubernetes]`` is to hold; nothing where its defaults say the same."""
    wanted = {"resource": one.resource if one.resource != one.entry.kind else None, "shares": one.shares}
    return {key: value for key, value in wanted.items() if value not in (None, 1)}


def _kubernetes(one: DraftClass) -> Iterator[str]:
    table = kubernetes(one)
    if table:
        yield "[class.kubernetes]"
        yield from _pairs(table)


def _remarks(remarks: tuple[Remark, ...]) -> Iterator[str]:
    for remark in remarks:
        what = f"{remark.what}: " if remark.what else ""
        yield from _comment(f"{what}{remark.fact}{f'; {remark.advice}' if remark.advice else ''}")


def _comment(text: str) -> list[str]:
    return textwrap.wrap(_shown(text), _WIDTH, initial_indent="# ", subsequent_indent="#   ",
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _pairs(table: dict[str, Any]) -> Iterator[str]:
    """Yield keys (of which the dots are ours) and values; lists that are long, or of tables, with an item a line."""
    for key, value in table.items():
        line = f"{key} = {_value(value)}"
        if isinstance(value, list) and len(value) > 1 and (len(line) > _WIDTH or isinstance(value[0], dict)):
            yield f"{key} = ["
            yield from (f"  {_value(item)}," for item in value)
            yield "]"
        else:
            yield line


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {_value(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return _quoted(value) if isinstance(value, str) else str(value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if "\ud800" <= character <= "\udfff":  # no TOML can hold half of a pair, and no path is one
        return "\\uFFFD"
    return character if character.isprintable() else f"\\U{ord(character):08X}"
