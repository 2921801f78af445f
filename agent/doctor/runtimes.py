"""The container runtimes of this node: what their files say of CDI, and what their daemons do."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.runtimes.answers import Wish
from agent.setup import programs
from agent.setup.cri import NoAnswerError
from agent.setup.files import FileError
from agent.setup.runtimes import target
from agent.setup.targets import Options, SetupError
from cdi import versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.runtimes.answers import Answer
    from agent.setup.targets import Seen, Target
    from cdi.errors import Problem

PROGRAMS = {"containerd": "containerd", "crio": "crio", "docker": "dockerd", "podman": "podman"}
OF_KUBELETS = ("containerd", "crio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A runtime that is here.

    ``answer`` is what its files say and lack, ``problem`` why that could not be told (``permitted``: to no user).
    ``seen`` is what its running daemon has in force, or why it does not say; ``None`` where there is no daemon to ask.
    """

    name: str
    config: str | None = None
    answer: Answer | None = None
    problem: Problem | None = None
    permitted: bool = True
    seen: Seen | NoAnswerError | None = None

    @property
    def version(self) -> str:
        """Its version as ``1.7``; empty where that is not known."""
        return self.answer.rows[0].now if self.answer else ""

    @property
    def title(self) -> str:
        """Its name and version."""
        return f"{self.name} {self.version}".strip()

    @property
    def limit(self) -> str | None:
        """The newest CDI version that it reads, where that is known."""
        if self.name != "containerd":
            return versions.RUNTIMES.get(self.title)
        from agent.config.runtime import limit_of

        return limit_of(self.version)


def found(spec_dir: str, state_dir: str, containerd_config: str | None) -> Iterator[Runtime]:
    """Look for all runtimes, and ask those that are here."""
    for name, program in PROGRAMS.items():
        config = containerd_config if name == "containerd" else None
        if programs.find(program) or _runs(program, config):
            yield _look(Options(runtime=name, spec_dir=spec_dir, state_dir=state_dir, runtime_config=config))


def runs(program: str) -> bool:
    """Tell whether a program runs, also to a user who may see no more of it."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{process}/comm", "rb") as file:
            if file.read().strip() == program.encode():
                return True
    return False


def _runs(program: str, config: str | None) -> bool:
    """Tell whether a daemon runs, with ``config`` one that uses that file."""
    if config is None:
        return runs(program)
    wanted = os.path.realpath(config)
    named = (one.option("--config", "-c") for one in programs.processes(program))
    return any(path is not None and os.path.realpath(path) == wanted for path in named)


def _look(options: Options) -> Runtime:
    name, config = options.runtime, options.runtime_config
    try:
        here = target(options)
    except SetupError as error:
        return Runtime(name=name, problem=error.problem, permitted=os.geteuid() == 0)
    seen = _ask(here)
    try:
        answer = here.plan(Wish(options.spec_dir))
    except FileError as error:
        return Runtime(name=name, config=config, problem=error.problem, permitted=error.permitted, seen=seen)
    return Runtime(name=name, config=config, answer=answer, seen=seen)


def _ask(here: Target) -> Seen | NoAnswerError | None:
    if here.ask is None or not here.running:
        return None
    try:
        return here.ask()
    except NoAnswerError as error:
        return error
    except FileError as error:
        return NoAnswerError(str(error.problem), unable=True)
