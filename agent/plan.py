"""From the files that should be and the files that are to the changes between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Set


@dataclass(frozen=True, slots=True)
class Write:
    """Write a file whole; ``before`` is what it held (``None``: it is new, or was no plain file)."""

    name: str
    data: bytes
    before: bytes | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a file."""

    name: str
    before: bytes | None = None


Change = Write | Remove


def plan(
    desired: Mapping[str, bytes], present: Mapping[str, bytes | None], held: Set[str] = frozenset()
) -> tuple[Change, ...]:
    """Return what turns ``present`` into ``desired``: writes first, so that nothing is missing in between.

    ``present`` maps the names of our files to their bytes, ``None`` for one that has to be replaced whatever it
    holds; ``held`` names files to leave as they are, because what they should be could not be told.
    """
    return (
        *(
            Write(name, data, present.get(name))
            for name, data in sorted(desired.items())
            if name not in held and present.get(name) != data
        ),
        *(Remove(name, present[name]) for name in sorted(present.keys() - desired.keys() - held)),
    )
