"""What can be wrong: one exception tree, and the value a fault is reported as."""

from __future__ import annotations

from dataclasses import dataclass

# So many problems of one kind are found in one file: it may have millions, and nobody reads them.
MOST = 10_000

_SHOWN = 100


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault: where it is, what is so, and what to do about it.

    ``where`` is a file, a JSON path or both (``/etc/cdi/a.json: devices[0].name``), empty when there is no
    place; ``message`` is a fact without a full stop; ``hint`` is an advice, or empty.
    """

    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}; {self.hint}" if self.hint else text

    def within(self, place: str) -> Problem:
        """Return the same problem, seen from a container of its place."""
        return Problem(f"{place}: {self.where}" if self.where else place, self.message, self.hint)


def shown(value: object) -> str:
    """Return a value as a message shows it: as Python writes it, cut where that is long."""
    # Of a text no more is quoted than is shown: there may be millions of characters.
    text = repr(value[: _SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


class CDIError(Exception):
    """Something given to this library is not what it must be; ``problems`` says what, at least one."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
