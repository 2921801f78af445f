"""The configuration's reference page and example file, made from its model so that neither can drift.

``python -m agent.config.reference FILE...`` makes them anew, each between its marks.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from typing import TYPE_CHECKING, Any

from agent.config import model

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN, END = "<!-- made from the model -->", "<!-- end -->"

_TABLES: tuple[tuple[str, Any], ...] = (
    ("top level", model.Config),
    ("[agent]", model.Agent),
    ("[containerd]", model.Containerd),
    ("[kubelet]", model.Kubelet),
    ("[[class]]", model.Class),
    ("[[class.select]] and [[class.exclude]]", model.Select),
    ("parent = { ... }", model.Parent),
    ("usb = { ... }", model.Usb),
    ("pci = { ... }", model.Pci),
    ("[class.node]", model.Node),
    ("[[class.device]]", model.Declared),
    ("[class.kubernetes]", model.Kubernetes),
)
_NAMES = {str: "text", int: "number", bool: "true or false", model.Globs: "glob or list of globs"}


def page() -> str:
    """Return the reference of all keys, as Markdown."""
    return "\n".join(line for title, table in _TABLES for line in _section(title, table))


def _section(title: str, table: Any) -> Iterator[str]:
    yield f"### `{title}`"
    yield ""
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    hints = typing.get_type_hints(table)
    for field in dataclasses.fields(table):
        description = str(field.metadata["description"]).replace("|", "\\|")
        kind = _type(hints[field.name], field.metadata).replace("|", "\\|")
        yield f"| `{key(field)}` | {kind} | {_default(field)} | {description} |"
    yield ""


def key(field: dataclasses.Field[Any]) -> str:
    """Return a field's key as it is written in a file."""
    return str(field.metadata.get("alias", field.name))


def _type(hint: Any, rules: Any) -> str:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if str(rules.get("pattern", "")).endswith("(ms|s|m|h|d)$"):
        return "time"
    if hint in _NAMES:
        return _NAMES[hint]
    if origin is typing.Literal:
        return " or ".join(f"`{json.dumps(value)}`" for value in inner)
    if isinstance(hint, types.UnionType):  # with None: it may be absent
        return _type(inner[0], rules)
    if origin is dict:
        return "table of globs" if inner[1] == model.Globs else "table"
    return "list of tables" if origin is tuple else "table"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is None or field.default in ("", ()) or field.default is dataclasses.MISSING:
        return ""
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f'`"{field.default}"`' if isinstance(field.default, str) else f"`{field.default}`"


def renewed(text: str) -> str:
    """Return a page with what stands between the marks made anew.

    Raises:
        ValueError: a mark is missing.
    """
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return f"{before}{BEGIN}\n\n{page()}\n{END}{after}"


def main() -> None:
    """Make the pages that the command line names anew."""
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            text = renewed(file.read())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
