"""Unix sockets that are their user's own."""

from __future__ import annotations

import os
import socket


def listening(path: str, waiting: int) -> socket.socket:
    """Return a listening socket at ``path``: mode 0600 from the moment in which it exists, not blocking.

    Args:
        path: where nothing is yet.
        waiting: how many connections may wait to be accepted.

    Raises:
        OSError: something is there, the path is too long, or its directory cannot be written.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    mask = os.umask(0o177)
    try:
        made.bind(path)
        made.listen(waiting)
    except BaseException:
        made.close()
        raise
    finally:
        os.umask(mask)
    return made
