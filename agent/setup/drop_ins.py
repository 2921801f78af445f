"""CRI-O and Podman on this machine: a main file and drop-ins in name order."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.runtimes import listing, tomltext
from agent.runtimes.answers import Row, Source
from agent.runtimes.tomltext import EditError
from agent.setup import files, programs
from agent.setup.cri import NoAnswerError
from agent.setup.programs import ProgramError
from agent.setup.targets import Options, Seen, Target, read, state, version_of

if TYPE_CHECKING:
    from agent.runtimes.answers import Answer, Version, Wish
    from agent.runtimes.listing import Layout


def crio(options: Options) -> Target:
    """Find CRI-O; raises `SetupError` where its version cannot be told."""
    binary = None if options.root else programs.find("crio")
    found = _Listed(listing.CRIO, options, version_of(options, binary, "CRI-O"))
    running = not options.root and next(programs.processes("crio"), None) is not None
    rows = (Row("binary", binary or "not asked"), Row("daemon", state(options, running)))
    return Target(plan=found.plan, unit="crio", rows=rows, ask=None if options.root else _ask_crio, running=running)


def podman(options: Options) -> Target:
    """Find Podman, which has no daemon; raises `SetupError` where its version cannot be told."""
    binary = None if options.root else programs.find("podman")
    found = _Listed(listing.PODMAN, options, version_of(options, binary, "Podman"))
    return Target(plan=found.plan, unit="podman", rows=(Row("binary", binary or "not asked"),))


def _ask_crio() -> Seen:
    """Return what the running CRI-O has in force; raises `NoAnswerError`."""
    try:
        document = tomltext.document(programs.run(["crio", "status", "config"]))
    except (ProgramError, EditError) as error:
        raise NoAnswerError(str(error)) from None
    found, _ = listing.spec_dirs(listing.CRIO, [document])
    return Seen(enabled=True, spec_dirs=found or listing.CRIO.standard((0, 0)))


@dataclass(frozen=True, slots=True)
class _Listed:
    layout: Layout
    options: Options
    version: Version

    def plan(self, wish: Wish) -> Answer:
        return listing.plan(self.layout, self.version, self.sources(), wish)

    def sources(self) -> list[Source]:
        """Return the files that it loads, in order."""
        root, main = self.options.root, self.options.runtime_config or self.layout.main
        directory = self.layout.drop_ins
        if self.options.runtime_config:
            directory = f"{main}.d"
        paths = [main]
        try:
            names = sorted(os.listdir(files.real(directory, root)))
        except (FileNotFoundError, NotADirectoryError):
            names = []
        except OSError as error:
            raise files.failure(directory, "listed", error) from None
        wanted = (name for name in names if name.endswith(".conf") and not name.startswith("."))
        paths += [os.path.join(directory, name) for name in wanted]
        found = ((path, read(path, root)) for path in paths)
        return [Source(path, data) for path, data in found if data is not None]
