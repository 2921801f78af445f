"""Files replaced whole: at every instant, and after a power cut, such a file is the old one or the new one."""

from __future__ import annotations

import contextlib
import os


def replace(path: str, temporary: str, data: bytes, mode: int) -> None:
    """Make a file hold these bytes, with this mode whatever the umask; `sync` its directory to make that last.

    Args:
        path: the file.
        temporary: another name in the same directory; whatever is there goes.
        data: its bytes.
        mode: its mode.

    Raises:
        OSError: it is as it was before.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def sync(directory: str) -> None:
    """Make the names in a directory last. Raises `OSError`."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
