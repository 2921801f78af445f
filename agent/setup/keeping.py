"""The agent's part: CDI stays switched on in containerd while the agent runs.

The work is done by a short-lived child process (`agent.setup.__main__`), so that the agent neither waits for a restart
nor grows by what reads and writes TOML. Like a pass it is about levels: whenever a file that containerd loads is not
as it was when last looked at, look again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from agent.store import Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.config.settings import Settings

_log = logging.getLogger("cdi-sync")
_LIMIT = 240.0  # seconds for the child: a restart, and another one when the change has to be taken back
_RETRY = 60.0  # seconds after which what failed is tried again even if no file changed


class Keeper:
    """Looks after containerd's files; ``woken`` is called when it has looked, since what to watch may be another."""

    def __init__(self, woken: Callable[[], None]) -> None:
        self._woken = woken
        self._task: asyncio.Task[None] | None = None
        self._files: tuple[str, ...] = ()
        self._seen: object = None
        self._said: frozenset[str] = frozenset()
        self._again = float("inf")
        self.directories: tuple[str, ...] = ()
        self.looked: float | None = None
        """When the last look ended, in seconds since the epoch."""
        self.changes = 0
        """How many files were changed."""
        self.problems: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()

    def look(self, settings: Settings) -> None:
        """Start to look, unless nothing is wanted, nothing has changed, or it is being done."""
        wish = settings.containerd
        if not wish.enable_cdi:
            self.directories, self._seen, self._again = (), None, float("inf")
            self.looked, self.problems, self.notes = None, (), ()
            return
        if not self.directories:
            from agent.runtimes.containerd import CONFIG  # brings a TOML parser, for those who want it

            self._files = (wish.config or CONFIG,)
            self.directories = (os.path.dirname(self._files[0]),)
        now = (wish, settings.spec_dir, self._signature())
        if self._task is not None or (now == self._seen and time.monotonic() < self._again):
            return
        self._seen = now
        self._task = asyncio.get_running_loop().create_task(self._keep(settings), name="setup containerd")

    def matters(self, path: str) -> bool:
        """Tell whether a change in one of the directories could be one of containerd's configuration."""
        return not path.endswith(".cdi-sync.tmp")

    async def stop(self) -> None:
        """Give up what is under way; a file is whole at any moment."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _signature(self) -> tuple[object, ...]:
        """Return what changes when a file that containerd loads does, or one comes or goes beside it."""
        names = [(directory, _names(directory)) for directory in self.directories]
        return (*names, *((path, _file(path)) for path in self._files))

    async def _keep(self, settings: Settings) -> None:
        try:
            answer = await _child(settings)
        except (OSError, ValueError, TypeError, MemoryError) as error:
            reason = str(error) or ("out of memory" if isinstance(error, MemoryError) else "it took too long")
            answer = {"problems": [f"its files could not be looked after: {reason}"]}
        finally:
            self._task = None
        self._files = tuple(answer.get("files", ())) or self._files
        self.directories = tuple(dict.fromkeys(answer.get("directories", ()))) or self.directories
        self._tell(answer)
        self._again = time.monotonic() + _RETRY if answer.get("problems") else float("inf")
        self._woken()

    def _tell(self, answer: dict[str, Any]) -> None:
        """Log what was done, and what is wrong or left to do once."""
        self.looked = time.time()
        self.changes += len(answer.get("changes", ()))
        self.problems, self.notes = tuple(answer.get("problems", ())), tuple(answer.get("notes", ()))
        for path in answer.get("changes", ()):
            _log.info("CDI is switched on in %s", path)
        now = frozenset(self.problems + self.notes)
        for text in sorted(now - self._said):
            _log.warning("containerd: %s", text)
        self._said = now


async def _child(settings: Settings) -> dict[str, Any]:
    wish = settings.containerd
    arguments = [f"--spec-dir={settings.spec_dir}", f"--state-dir={settings.state_dir}"]
    arguments += [f"--runtime-config={wish.config}"] if wish.config else []
    arguments += ["--restart"] if wish.restart else []
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "agent.setup", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_LIMIT):
            output, _ = await child.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        raise
    answer = json.loads(output)
    if not isinstance(answer, dict):
        raise TypeError("no object")
    return answer


def _names(directory: str) -> Iterable[str]:
    try:
        return tuple(sorted(name for name in os.listdir(directory) if not name.startswith(".")))
    except OSError:
        return ()


def _file(path: str) -> object:
    try:
        return Signature.of(os.stat(path))
    except OSError as error:
        return error.errno
