"""Where in a configuration each key stands: lines and columns for error messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from agent.toml import Path, scan

if TYPE_CHECKING:
    from collections.abc import Iterator


class Place(NamedTuple):
    """A position in a text; both count from 1."""

    line: int
    column: int


def places(text: str) -> dict[Path, Place]:
    """Map every table, key and array element of a valid TOML text to where it first stands."""
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    found: dict[Path, Place] = {}
    line = 0
    for at, path in sorted(_starts(text), key=lambda start: start[0]):
        while line + 1 < len(lines) and lines[line + 1] <= at:
            line += 1
        found.setdefault(path, Place(line + 1, at - lines[line] + 1))
    return found


def _starts(text: str) -> Iterator[tuple[int, Path]]:
    """Yield where each path stands; one that is only a part of another's, where that one does."""
    layout = scan(text)
    for header in layout.headers:
        yield from ((header.start, header.path[:end]) for end in range(1, len(header.path) + 1))
    for pair in layout.pairs.values():
        yield from ((pair.start, pair.path[:end]) for end in range(len(pair.base) + 1, len(pair.path) + 1))
    for path, spans in layout.elements.items():
        yield from ((start, (*path, index)) for index, (start, _) in enumerate(spans))


def nearest(known: dict[Path, Place], path: Path) -> Place | None:
    """Return the place of ``path`` or of the innermost part of it that is in the text."""
    return next((known[path[:end]] for end in range(len(path), 0, -1) if path[:end] in known), None)
