"""Paths of an image's file system tree: links inside it are followed inside it, and never out of it."""

from __future__ import annotations

import errno
import os

_MOST_LINKS = 40  # as the kernel


def inside(root: str, path: str) -> str:
    """Return where ``path`` of the image at ``root`` is on this machine, free of links below ``root``.

    What does not exist stays as it is written. ``..`` ends at the root, as it does after a change of root.

    Raises:
        OSError: a link leads round in circles, or something on the way cannot be looked at.
    """
    todo = _parts(path)
    done: list[str] = []
    links = 0
    while todo:
        part = todo.pop()
        if part == "..":
            done = done[:-1]
            continue
        place = os.path.join(root, *done, part)
        target = _link(place)
        if target is None:
            done.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if target.startswith("/"):
            done = []
        todo += _parts(target)
    return os.path.join(root, *done)


def _parts(path: str) -> list[str]:
    """Return the components of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _link(place: str) -> str | None:
    try:
        return os.readlink(place)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):  # no link, or nothing there
            return None
        raise
