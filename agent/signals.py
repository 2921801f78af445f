"""Signals, heeded in the event loop however busy it is."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def heed(heeds: Mapping[signal.Signals, Callable[[], None]]) -> None:
    """Have the running loop call what heeds each signal, however busy it is.

    A signal wakes it by a byte in its pipe, and asyncio would tell it of the signal by that alone. The pipe may be
    full: then the loop is awake, and the byte is lost.
    """
    loop = asyncio.get_running_loop()
    for number, heed in heeds.items():
        loop.add_signal_handler(number, _nothing)
        signal.signal(number, functools.partial(_hand_over, loop, heed))
        signal.siginterrupt(number, False)
    signal.set_wakeup_fd(signal.set_wakeup_fd(-1), warn_on_full_buffer=False)


def _nothing() -> None:
    pass


def _hand_over(loop: asyncio.AbstractEventLoop, heed: Callable[[], None], _number: int, _frame: object) -> None:
    """Let a signal be heeded between two callbacks of the loop."""
    with contextlib.suppress(RuntimeError):  # it has closed: we are at the end anyway
        loop.call_soon_threadsafe(heed)
