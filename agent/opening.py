"""Whether device nodes open: the health of classes that ask for it. An open may hang, so a thread does it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import threading
from typing import TYPE_CHECKING

from agent import room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Set

_PATIENCE = 5.0  # seconds; a node that takes longer does not open, and may not keep the others waiting
_AGAIN = 2.0  # seconds until what could not be tried is tried again
_SHORT = {errno.EMFILE, errno.ENFILE}  # this process is short of descriptors, which says nothing of the node
_IN_USE = {errno.EBUSY, errno.EAGAIN}  # a node that one process may open at a time, and one has it open: it is alive


class Opening:
    """Opens nodes, and remembers which did open; ``changed`` is called in the event loop when that is news."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._opened: frozenset[str] = frozenset()
        self._wanted: Mapping[str, int] = {}
        self._running: dict[str, bool] | None = None
        self._hanging: dict[str, dict[str, bool]] = {}  # by node, the look that hangs there
        self._again = False
        self._later: asyncio.TimerHandle | None = None

    def failing(self, nodes: Iterable[str]) -> Set[str]:
        """Return which of these nodes did not open when they were last tried, or were not yet tried."""
        return set(nodes) - self._opened

    def look(self, nodes: Mapping[str, int]) -> None:
        """Try to open nodes, given with the flags for it; one look at a time."""
        self._wanted = nodes
        self._opened &= nodes.keys()
        if not nodes:
            return
        if self._running is not None:
            self._again = True
        else:
            self._start()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        results: dict[str, bool] = {}
        self._running, self._again = results, False
        wanted = {node: flags for node, flags in self._wanted.items() if node not in self._hanging}

        def work() -> None:
            try:
                for node, flags in wanted.items():
                    results[node] = opens(node, flags)
                    if self._running is not results:
                        break
            except (OSError, MemoryError):  # it is short of something
                pass
            with contextlib.suppress(RuntimeError):  # the loop has closed: we are stopping
                loop.call_soon_threadsafe(self._done, results, wanted.keys() - results.keys())

        # Not asyncio's executor, which would wait for a hanging open when the agent ends.
        thread = threading.Thread(target=work, name="opening", daemon=True)
        try:
            room.need_for_thread()
            thread.start()
        except (OSError, RuntimeError, MemoryError):  # no room for one more thread
            self._running = None
            self._try_later()
            return
        loop.call_later(_PATIENCE, self._late, results, tuple(wanted), 0)

    def _try_later(self) -> None:
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(_AGAIN, self._try_again)

    def _try_again(self) -> None:
        self._later = None
        self.look(self._wanted)

    def _done(self, results: dict[str, bool], untried: Iterable[str]) -> None:
        if self._running is results:
            self._running = None
            self._heed({**dict.fromkeys(self._opened.intersection(untried), True), **results})
            if untried:
                self._try_later()
        else:  # it hung, and has come to an end
            self._hanging = {node: look for node, look in self._hanging.items() if look is not results}
            self._again = True
        if self._again and self._running is None:
            self._start()

    def _late(self, results: dict[str, bool], wanted: tuple[str, ...], before: int) -> None:
        """See how far a look has come; where it hangs, the nodes behind get another one."""
        if self._running is not results:
            return
        done = dict(results)
        waiting = wanted[len(done) :]
        if len(done) > before or not waiting:
            loop = asyncio.get_running_loop()
            loop.call_later(_PATIENCE, self._late, results, wanted, len(done))
            return
        self._hanging[waiting[0]] = results
        self._heed({**dict.fromkeys(self._opened.intersection(waiting[1:]), True), **done})
        self._start()

    def _heed(self, results: Mapping[str, bool]) -> None:
        before, self._opened = self._opened, frozenset(node for node, opened in results.items() if opened)
        if self._opened != before:
            self._changed()


def opens(node: str, flags: int) -> bool:
    """Tell whether a node opens with these flags, or is there and only busy.

    Raises:
        OSError: that cannot be tried, since no descriptor is free.
    """
    try:
        os.close(os.open(node, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError as error:
        if error.errno in _SHORT:
            raise
        return error.errno in _IN_USE
    except ValueError:  # a NUL character in the path
        return False
    return True


def flags_for(permissions: str) -> int:
    """Return the flags to open a node with that containers have these permissions for.

    Reading is enough where they may read: when a block device that was open for writing is closed, udev takes it for
    changed.
    """
    return os.O_RDONLY if "r" in permissions or not permissions else os.O_WRONLY
