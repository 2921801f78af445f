"""Asking a running agent for its state."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from typing import TYPE_CHECKING

from cdi.errors import CDIError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.status.state import Document

NAME = "agent.sock"
_PATIENCE = 10.0  # seconds; a pass over ten thousand devices takes less than one
_STEP = 0.05
_LIMIT = 256 * 1024 * 1024  # bytes


class AskingError(CDIError):
    """An agent may run, and gives no answer; ``permitted`` is false where another user would get one."""

    def __init__(self, problem: Problem, *, permitted: bool = True) -> None:
        super().__init__(problem)
        self.permitted = permitted


def ask(directory: str, patience: float = _PATIENCE) -> Document | None:
    """Return what the agent with this state directory says of itself, ``None`` where none answers there.

    Raises:
        AskingError: it may be there, and cannot be asked.
    """
    where = os.path.join(directory, NAME)
    try:
        return _document(_answer(directory, patience))
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return None
    except PermissionError:
        raise AskingError(Problem(where, "may not be asked by this user", "run it as the user that the agent runs as, "
                                  "mostly root"), permitted=False) from None  # fmt: skip
    except TimeoutError:
        hint = "it hangs, or is being stopped; see its log, and restart it if that does not end"
        raise AskingError(Problem(where, f"does not answer within {patience:.0f} s", hint)) from None
    except (OSError, ValueError, RecursionError) as error:
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else "the answer is cut off, or no status"
        raise AskingError(Problem(where, f"cannot be asked: {reason}", "ask again; see the agent's log")) from None


def _answer(directory: str, patience: float) -> bytes:
    end = time.monotonic() + patience
    answer = bytearray()
    with socket.socket(socket.AF_UNIX) as asking, through(directory) as path:
        asking.settimeout(patience)
        _connect(asking, path, end)
        while len(answer) < _LIMIT:
            asking.settimeout(max(0.001, end - time.monotonic()))
            if not (some := asking.recv(1 << 20)):
                break
            answer += some
    return bytes(answer)


def _connect(asking: socket.socket, path: str, end: float) -> None:
    """Connect, and wait for a place in the queue where others ask, too; raises `OSError`, `TimeoutError` at ``end``."""
    while True:
        try:
            asking.connect(path)
        except BlockingIOError:  # the queue is full: the kernel does not wait where there is a time limit
            if time.monotonic() > end:
                raise TimeoutError from None
            time.sleep(_STEP)
        else:
            return


def _document(answer: bytes) -> Document:
    document = json.loads(answer)
    if not isinstance(document, dict) or not isinstance(document.get("agent"), dict):
        raise ValueError("no status")  # noqa: TRY004 - as for any other answer that is none
    return document


@contextlib.contextmanager
def through(directory: str) -> Iterator[str]:
    """Give a path of the socket in a directory that fits the 107 bytes of a socket's path, however deep that is."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)
