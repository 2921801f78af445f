"""Where configuration files stand, and which of them apply."""

from __future__ import annotations

import os

from agent import image

STANDARD = "/etc/cdi-sync/config.toml"
DROP_INS = "/etc/cdi-sync/conf.d"


def paths(explicit: str | None, root: str | None = None) -> tuple[str, ...]:
    """Name the configuration files in the order in which they apply: an explicit one stands alone.

    With ``root`` all paths are those of the image there.

    Raises:
        OSError: the directory of drop-ins is there and cannot be listed.
    """
    if explicit is not None:
        return (_place(explicit, root),)
    standard = (STANDARD,) if os.path.lexists(_place(STANDARD, root)) else ()
    drop_ins = (os.path.join(DROP_INS, name) for name in _drop_ins(_place(DROP_INS, root)))
    return tuple(_place(path, root) for path in (*standard, *drop_ins))


def _place(path: str, root: str | None) -> str:
    return path if root is None else image.inside(root, path)


def directories(explicit: str | None) -> tuple[str, ...]:
    """Name the directories in which a change may change the configuration; of a link, both ends."""
    if explicit is None:
        return (os.path.dirname(STANDARD), DROP_INS)
    path = os.path.abspath(explicit)
    return tuple(dict.fromkeys((os.path.dirname(path), os.path.dirname(os.path.realpath(path)))))


def _drop_ins(directory: str) -> list[str]:
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in names if name.endswith(".toml") and not name.startswith("."))
