"""Printing: results to standard output, messages to standard error, and what devices say made harmless."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 4096


def harmless(text: str, longest: int = _LONGEST) -> str:
    """Return one line that does nothing to a terminal but show itself: escaped, and cut where it is very long."""
    if text.isprintable() and len(text) <= longest:
        return text
    shown = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text[:longest])
    return shown if len(text) <= longest else f"{shown}..."


def say(text: str) -> None:
    """Print a message."""
    print(harmless(text), file=sys.stderr)


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: in colour on a terminal, in plain columns elsewhere."""
    cleaned = [[harmless(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(titles, cleaned)
        return
    widths = [max(map(len, column)) for column in zip(titles, *cleaned, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (titles, *cleaned)
    )
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _rich_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        shown.add_column(title, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    Console(no_color=bool(os.environ.get("NO_COLOR"))).print(shown)


_STYLES = {
    "present": "green",
    "unhealthy": "red",
    "kept": "yellow",
    "ok": "green",
    "warn": "yellow",
    "fail": "bold red",
}
