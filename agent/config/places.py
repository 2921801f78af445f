"""Where configuration files stand, and which of them apply."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from agent import image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STANDARD = "/etc/cdi-sync/config.toml"
DROP_INS = "/etc/cdi-sync/conf.d"
_LINK_LIMIT = 40  # the kernel follows no more


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
    """Name the directories in which a change may change the configuration; of a link, all that it leads through."""
    if explicit is None:
        named = [os.path.dirname(STANDARD), DROP_INS]
        with contextlib.suppress(OSError):
            named += map(os.path.dirname, _followed(paths(None)))
    else:
        named = [os.path.dirname(path) for path in _followed((os.path.abspath(explicit),))]
    return tuple(dict.fromkeys(named))


def _followed(files: Iterable[str]) -> Iterator[str]:
    """Yield files, and of those that are links every other link on the way and what is at its end."""
    for path in files:
        yield path
        if os.path.islink(path):
            yield from (*links(path), os.path.realpath(path))


def links(path: str) -> Iterator[str]:
    """Yield every link that is followed on the way to an absolute ``path``, itself free of links up to its name."""
    at, rest, left = "", path.split("/"), _LINK_LIMIT
    while rest and left:
        name = rest.pop(0)
        if name == "..":
            at = os.path.dirname(at)
        elif name not in ("", "."):
            here = f"{at.rstrip('/')}/{name}"
            try:
                target = os.readlink(here)
            except OSError:
                at = here
            else:
                yield here
                at = "" if target.startswith("/") else at
                rest[:0] = target.split("/")
                left -= 1


def _drop_ins(directory: str) -> list[str]:
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in names if name.endswith(".toml") and not name.startswith("."))
