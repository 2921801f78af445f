"""``monitor``: what changes in the spec directories, device by device, as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import signal
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from agent.cli.terminal import harmless, say
from agent.cli.verbs import details, documents
from agent.cli.verbs.matching import matching, patterns
from agent.cli.verbs.reading import DONE, directories, say_problems
from agent.config.places import links
from agent.directories import Directories, Interest
from cdi.specdirs import SpecDirs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from agent.cli.verbs.documents import Document
    from agent.patterns import Pattern
    from cdi.errors import Problem
    from cdi.registry import Entry, Registry

# A spec that is not renamed into place comes in pieces: so long after the last event it should be whole.
_SETTLE = 0.05
_PATIENCE = 60.0  # seconds; not every file system tells of changes

_Problems: TypeAlias = dict[str, tuple["Problem", ...]]


def monitor(options: argparse.Namespace) -> int:
    """Show changes until a signal ends it."""
    return asyncio.run(_Monitor(options, patterns(options.pattern)).run())


class _Monitor:
    def __init__(self, options: argparse.Namespace, wanted: list[Pattern]) -> None:
        self._options = options
        self._wanted = wanted
        self._dirs = SpecDirs(directories(options))
        self._happened = asyncio.Event()
        self._stopped = False

    async def run(self) -> int:
        """Watch first, then look, so that nothing is missed in between."""
        logging.getLogger("cdi-sync").addHandler(_Saying())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        watched = Directories(self._happened.set)
        try:
            self._watch(watched)
            self._begin()
            self._watch(watched)
            while await self._woken():
                self._look()
                self._watch(watched)
        finally:
            watched.stop()
        return DONE

    def _stop(self) -> None:
        self._stopped = True
        self._happened.set()

    async def _woken(self) -> bool:
        """Wait until there is something to look at; False once it is time to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._happened.wait()
            if not self._stopped:
                await asyncio.sleep(_SETTLE)
        self._happened.clear()
        return not self._stopped

    def _watch(self, watched: Directories) -> None:
        """Watch the directories, and those that links in them lead to: where a spec's content changes."""
        paths = [os.path.abspath(file.path) for file in self._dirs.registry.files if os.path.islink(file.path)]
        on_the_way = itertools.chain(paths, map(os.path.realpath, paths), *map(links, paths))
        targets = sorted({os.path.dirname(path) for path in on_the_way})
        every = Interest(lambda _: True, content=True)
        watched.watch((os.path.abspath(path), every) for path in (*self._dirs.directories, *targets))

    def _begin(self) -> None:
        self._dirs.refresh()
        registry = self._dirs.registry
        self._show_problems({})
        if self._options.initial:
            self._show("present", registry, registry.devices)
        if not self._options.quiet:
            count = len(registry.devices)
            say(f"watching {', '.join(self._dirs.directories)}: {count} device{'' if count == 1 else 's'} now")

    def _look(self) -> None:
        before, old = _problems(self._dirs), self._dirs.registry
        changes = self._dirs.refresh()
        self._show("removed", old, changes.removed)
        self._show("changed", self._dirs.registry, changes.changed)
        self._show("added", self._dirs.registry, changes.added)
        self._show_problems(before)

    def _show(self, event: str, registry: Registry, names: Iterable[str]) -> None:
        for name in matching(names, self._wanted):
            entry = registry.devices[name]
            if self._options.output == "json":
                _print_document({"event": event, "device": documents.device(entry)})
            elif not self._options.quiet:
                self._print(event, entry)
        sys.stdout.flush()

    def _print(self, event: str, entry: Entry) -> None:
        time = datetime.now().astimezone().strftime("%H:%M:%S")
        line = f"{time} {event:<7} {entry.name}  {details.nodes(entry.device.container_edits)}"
        print(harmless(f"{line.rstrip()}  ({entry.file.path})"))
        if self._options.verbose and event != "removed":
            details.print_edits(entry)

    def _show_problems(self, before: _Problems) -> None:
        """Tell of files and directories whose problems are other than before; of those that have none any more, too."""
        now = _problems(self._dirs)
        for path in sorted(before.keys() | now.keys()):
            if before.get(path) == now.get(path):
                continue
            problems = now.get(path, ())
            if self._options.output == "json":
                told = [documents.problem("warning", problem) for problem in problems]
                _print_document({"event": "problems" if told else "solved", "file": path, "problems": told})
            if not self._options.quiet:
                say_problems(path, problems)
                if not problems:
                    say(f"{path}: in order again, or gone")
        sys.stdout.flush()


def _problems(dirs: SpecDirs) -> _Problems:
    return {**dirs.registry.problems, **{path: (problem,) for path, problem in dirs.problems.items()}}


def _print_document(document: Document) -> None:
    print(json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **document}))


class _Saying(logging.Handler):
    """What watching has to complain of is said like everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"warning: {record.getMessage()}")
