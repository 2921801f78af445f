"""What a runtime on this machine, or in an image, is to the procedure that all runtimes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.runtimes import tomltext
from agent.setup import files

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.runtimes.answers import Answer, Row, Wish
    from agent.runtimes.undo import Language
    from cdi.errors import Problem


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


def read(path: str, root: str | None) -> bytes | None:
    """Return what a file of the runtime holds; raises `FileError`."""
    return files.read(files.real(path, root))
