"""Device names and globs of names, as they stand on the command line, to devices.

``*``, ``?`` and sets stop at the slash between vendor and class, as in the ``cdi`` tool: ``acme.com/*`` is everything
of one vendor, ``*/gpu=*`` every vendor's devices of one class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.patterns import Pattern, PatternError, component_pattern
from cdi.names import kind_problem, qualified_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cdi.registry import Registry


def patterns(texts: Iterable[str]) -> list[Pattern]:
    """Compile globs.

    Raises:
        ConfigError: one cannot be understood.
    """
    return [_pattern(text) for text in texts]


def matching(names: Iterable[str], wanted: Sequence[Pattern]) -> list[str]:
    """Return the names that any of the globs matches, in their order; without globs, all."""
    return [name for name in names if not wanted or any(pattern.matches(name) for pattern in wanted)]


def expand(registry: Registry, texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the devices that are asked for, and what among ``texts`` asks for none.

    Order and repetition count to runtimes, so that names stay as they stand. A glob gives what it matches, sorted,
    without what was asked for before.

    Raises:
        ConfigError: a glob cannot be understood.
    """
    found: list[str] = []
    missing: list[str] = []
    seen: set[str] = set()
    for pattern in patterns(texts):
        if pattern.literal:
            (found if registry.resolve(pattern.text) else missing).append(pattern.text)
            seen.add(pattern.text)
            continue
        names = matching(registry.devices, [pattern])
        found += [name for name in names if name not in seen]
        seen.update(names)
        if not names:
            missing.append(pattern.text)
    return found, missing


def why_missing(registry: Registry, text: str, *, guess: bool = True) -> str:
    """Return a sentence on a name or glob that :func:`expand` found nothing for; with ``guess``, what was meant."""
    if not component_pattern(text).literal:
        return f"{text}: no device has such a name"
    if text in registry.conflicts:
        return f"{text}: several files define this device, so that no runtime offers it; remove all but one"
    if problem := qualified_problem(text):
        known = "=" not in text and not kind_problem(text)
        return f"{problem}; " + (f"for all of that kind, write '{text}=*'" if known else _EXAMPLE)
    from difflib import get_close_matches

    close = get_close_matches(text, registry.devices, n=1, cutoff=0.8) if guess else []
    hint = f"did you mean {close[0]}?" if close else "see cdi-sync devices"
    return f"{text}: no spec offers this device; {hint}"


_EXAMPLE = "write it like acme.com/modem=modem0"


def _pattern(text: str) -> Pattern:
    try:
        return component_pattern(text)
    except PatternError as error:
        from agent.config.files import ConfigError
        from cdi.errors import Problem

        raise ConfigError(Problem("", str(error), "put the pattern in quotes, and close its brackets")) from None
