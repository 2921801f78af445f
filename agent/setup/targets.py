"""What a runtime on this machine, or in an image, is to the procedure that all runtimes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.runtimes import tomltext
from agent.setup import files, programs
from cdi.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.runtimes.answers import Answer, Row, Version, Wish
    from agent.runtimes.undo import Language


class SetupError(Exception):
    """It cannot be set up at all; ``usage``: because of how the command was called."""

    def __init__(self, problem: Problem, *, usage: bool = False) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.usage = usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line, or the agent, asks for. ``patience``: seconds for a restarted daemon to answer."""

    runtime: str
    spec_dir: str
    state_dir: str
    place: Any = "auto"
    dry_run: bool = False
    restart: bool = False
    restart_command: str | None = None
    root: str | None = None
    runtime_version: str | None = None
    runtime_config: str | None = None
    overrule: bool = True
    patience: float = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """How somebody sees CDI: whether it is on, for which directories, and all the rest of the configuration."""

    enabled: bool
    spec_dirs: tuple[str, ...]
    rest: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A runtime that can be set up.

    ``plan`` looks at its files; ``view`` is how its program reads them (``None``: it cannot be asked, and raises
    `ProgramError` with the reason where it refuses them); ``ask`` is how the running daemon has them (raises
    `NoAnswerError`), ``None`` for a runtime without a daemon.
    """

    plan: Callable[[Wish], Answer]
    unit: str
    rows: tuple[Row, ...] = ()
    view: Callable[[], Seen | None] = lambda: None
    ask: Callable[[], Seen] | None = None
    running: bool = False
    language: Language = tomltext
    mode: int = 0o644


def version_of(options: Options, binary: str | None, name: str) -> Version:
    """Return the version that is given or that the binary tells; raises `SetupError` where there is neither."""
    if options.runtime_version:
        given = programs.version(options.runtime_version)
        if given is None:
            problem = Problem("--runtime-version", f"{options.runtime_version!r} is no version", "write it like 1.7")
            raise SetupError(problem, usage=True)
        return given
    found = programs.installed_version(binary) if binary else None
    if found is None:
        fact = f"{name} cannot be asked for its version" if binary or options.root else f"{name} is not installed"
        raise SetupError(Problem("", fact, "say which it is: --runtime-version X.Y"), usage=bool(options.root))
    return found


def state(options: Options, running: bool) -> str:
    """Say whether a daemon runs; an image has none."""
    return "not asked (an image)" if options.root else "running" if running else "not running"


def read(path: str, root: str | None) -> bytes | None:
    """Return what a file of the runtime holds; raises `FileError`."""
    return files.read(files.real(path, root))
