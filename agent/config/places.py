"""Where configuration files stand, and which of them apply."""

from __future__ import annotations

import os

STANDARD = "/etc/cdi-sync/config.toml"
DROP_INS = "/etc/cdi-sync/conf.d"


def paths(explicit: str | None) -> tuple[str, ...]:
    """Name the configuration files in the order in which they apply: an explicit one stands alone.

    Raises:
        OSError: the directory of drop-ins is there and cannot be listed.
    """
    if explicit is not None:
        return (explicit,)
    standard = (STANDARD,) if os.path.lexists(STANDARD) else ()
    return (*standard, *(os.path.join(DROP_INS, name) for name in _drop_ins()))


def directories(explicit: str | None) -> tuple[str, ...]:
    """Name the directories in which a change may change the configuration; of a link, both ends."""
    if explicit is None:
        return (os.path.dirname(STANDARD), DROP_INS)
    path = os.path.abspath(explicit)
    return tuple(dict.fromkeys((os.path.dirname(path), os.path.dirname(os.path.realpath(path)))))


def _drop_ins() -> list[str]:
    try:
        names = os.listdir(DROP_INS)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in names if name.endswith(".toml") and not name.startswith("."))
