"""OCI runtime specs (``config.json``) as files: read whole or refused, replaced whole or left alone."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from cdi.codec import MAX_SIZE
from cdi.errors import CDIError, Problem
from cdi.specdirs import read_file

if TYPE_CHECKING:
    from agent.store import StoreError

STDIN = "-"


def read(path: str) -> dict[str, Any]:
    """Return the OCI spec in a file, ``-`` for standard input; nothing in it is checked but that it is an object.

    Raises:
        CDIError: it cannot be read, or is not JSON; the problem names the file.
        StoreError: another user could read it.
    """
    name = shown(path)
    data = standard_input() if path == STDIN else _content(path)
    try:
        document = json.loads(data.decode(), parse_float=_finite, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        _refuse(f"{name}:{error.lineno}:{error.colno}", f"this is not JSON: {error.msg}")
    except UnicodeDecodeError:
        _refuse(name, "this is not JSON, which is in UTF-8")
    except RecursionError:
        _refuse(name, "this is nested too deep")
    except ValueError as error:  # numbers beyond reason
        _refuse(name, f"this is not JSON: {str(error).partition(';')[0]}")
    if not isinstance(document, dict):
        _refuse(name, "this is not an OCI runtime spec, which is a JSON object")
    return document


def shown(path: str) -> str:
    """Return how a file is named in messages."""
    return "standard input" if path == STDIN else path


def target(path: str) -> str:
    """Return the path of the file that writing to ``path`` replaces: links are followed.

    Raises:
        CDIError: what is there is not a regular file.
    """
    real = os.path.realpath(path)
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(real).st_mode):
            _refuse(path, "this is not a regular file", "leave the option out to have the result on standard output")
    return real


def replace(path: str, data: bytes) -> None:
    """Replace a file by a rename, or make it: nobody reads half of it. Mode and owner stay.

    Raises:
        StoreError: it cannot be written, and is as it was.
    """
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)[:200]}.{os.getpid()}.tmp")
    try:
        _write(temporary, data, like=path)
        os.rename(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise _not_written(path, error) from None


def _write(temporary: str, data: bytes, *, like: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(temporary, flags, 0o666), "wb") as file:
        with contextlib.suppress(FileNotFoundError):
            old = os.stat(like)
            os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
            with contextlib.suppress(PermissionError):  # to give a file away takes root
                os.fchown(file.fileno(), old.st_uid, old.st_gid)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _not_written(path: str, error: OSError) -> StoreError:
    from agent.store import StoreError

    permitted = not isinstance(error, PermissionError)
    hint = "see to the file system" if permitted else "choose a place of your own with -o"
    problem = Problem(path, f"cannot be written: {(error.strerror or str(error)).lower()}", hint)
    return StoreError(problem, permitted=permitted)


def standard_input() -> bytes:
    """Return what is on standard input.

    Raises:
        CDIError: it is too much, or cannot be read.
    """
    try:
        data = sys.stdin.buffer.read(MAX_SIZE + 1)
    except (OSError, AttributeError):  # a directory; or closed, which Python shows as None
        _refuse("standard input", "this cannot be read")
    if len(data) > MAX_SIZE:
        _refuse("standard input", f"there are more than {MAX_SIZE} bytes", "so much is not read")
    return data


def _content(path: str) -> bytes:
    try:
        return read_file(path)
    except CDIError as error:
        if isinstance(error.__cause__, PermissionError):
            raise _not_permitted(path) from None
        raise


def _not_permitted(path: str) -> StoreError:
    from agent.store import StoreError

    return StoreError(Problem(path, "cannot be read: permission denied", "run it as root"), permitted=False)


def _finite(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError(f"the number {text[:40]} is out of range")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _refuse(where: str, message: str, hint: str = "") -> NoReturn:
    raise CDIError(Problem(where, message, hint))
