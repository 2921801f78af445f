"""Docker on this machine: its version, daemon.json, and what its daemon says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.runtimes import docker, jsontext
from agent.runtimes.answers import Row, Source
from agent.setup import programs
from agent.setup.cri import NoAnswerError
from agent.setup.programs import ProgramError
from agent.setup.targets import Options, Seen, Target, read, state, version_of

if TYPE_CHECKING:
    from agent.runtimes.answers import Answer, Wish


def target(options: Options) -> Target:
    """Find Docker; raises `SetupError` where its version cannot be told."""
    binary = None if options.root else programs.find("dockerd")
    version = version_of(options, binary, "Docker")
    process = None if options.root else next(programs.processes("dockerd"), None)
    path = options.runtime_config or (process and process.option("--config-file")) or docker.CONFIG

    def plan(wish: Wish) -> Answer:
        data = read(path, options.root)
        return docker.plan(version, path, None if data is None else Source(path, data), wish)

    def view() -> None:
        """Have the daemon's program check its file; it does not print what it reads."""
        if binary and read(path, options.root) is not None:
            programs.run([binary, "--validate", "--config-file", path])

    rows = (Row("binary", binary or "not asked"), Row("daemon", state(options, process is not None)))
    return Target(
        plan=plan,
        unit="docker",
        rows=rows,
        view=view,
        ask=None if options.root else _ask,
        running=process is not None,
        language=jsontext,
    )


def _ask() -> Seen:
    """Return what the running daemon has in force: it names directories only where CDI is on."""
    try:
        found = json.loads(programs.run(["docker", "info", "--format", "{{json .CDISpecDirs}}"]))
    except (ProgramError, ValueError) as error:
        raise NoAnswerError(str(error)) from None
    named = tuple(map(str, found)) if isinstance(found, list) else ()
    return Seen(bool(named), named)
