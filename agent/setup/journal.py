"""What was changed in files of others, with the originals, kept in the state directory from before the change on."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Self

from agent.runtimes.answers import KeyChange
from agent.setup import files
from agent.setup.files import FileError
from cdi.errors import Problem

if TYPE_CHECKING:
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Step:
    """One file as it was before and after we changed it; ``path`` is as the runtime sees it.

    ``directories`` are those that were made for it, likewise.
    """

    path: str
    before: bytes | None
    after: bytes
    keys: tuple[KeyChange, ...] = ()
    directories: list[str] = field(default_factory=list)


class Journal:
    """The steps of one runtime, oldest first; nobody else writes them while it is open.

    A step is recorded before its file is replaced, so one whose file still is as before was never made. Raises
    `FileError` where the state directory cannot be used.
    """

    def __init__(self, state_dir: str, runtime: str) -> None:
        self.directory = os.path.join(state_dir, "setup", runtime)
        self._index = os.path.join(self.directory, "journal.json")
        self.steps: list[Step] = []
        self._lock = -1

    def __enter__(self) -> Self:
        try:
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            os.chmod(self.directory, 0o700)  # a configuration may hold the passwords of registries
            self._lock = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise FileError(Problem(self.directory, "is used by another cdi-sync setup", "wait for its end")) from None
        except OSError as error:
            raise files.failure(self.directory, "used", error) from None
        try:
            self.steps = read(self.directory)
        except FileError:
            os.close(self._lock)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    def record(self, steps: list[Step]) -> None:
        """Replace the steps, durably; the originals lie beside them as plain files."""
        wanted = {"journal.json"}
        entries = []
        for number, step in enumerate(steps):
            names = {}
            for side, data in (("before", step.before), ("after", step.after)):
                if data is not None:
                    names[side] = f"{number:04}.{os.path.basename(step.path)}.{side}"
                    self._keep(names[side], data)
            wanted |= set(names.values())
            keys = [asdict(key) for key in step.keys]
            entries.append({"path": step.path, "directories": step.directories, "keys": keys, **names})
        if not steps:
            self._forget(set())
            self.steps = []
            return
        self._keep("journal.json", json.dumps({"version": 1, "steps": entries}, indent=1).encode())
        self.steps = list(steps)
        self._forget(wanted)

    def _keep(self, name: str, data: bytes) -> None:
        path = os.path.join(self.directory, name)
        present = files.read(path)
        if present != data:
            files.replace(path, data, present, 0o600)

    def _forget(self, wanted: set[str]) -> None:
        with contextlib.suppress(OSError):
            for name in sorted(set(os.listdir(self.directory)) - wanted, reverse=True):  # the journal goes first
                os.unlink(os.path.join(self.directory, name))


def read(directory: str) -> list[Step]:
    """Return the recorded steps, none where there is no journal; raises `FileError` where it cannot be read."""
    data = files.read(os.path.join(directory, "journal.json"))
    if data is None:
        return []
    try:
        return [_step(directory, entry) for entry in json.loads(data)["steps"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise FileError(
            Problem(os.path.join(directory, "journal.json"), "is damaged",
                    "the originals lie beside it (*.before): put them back by hand, then remove the directory")
        ) from None  # fmt: skip


def _step(directory: str, entry: dict[str, object]) -> Step:
    sides = {}
    for side in ("before", "after"):
        name = entry.get(side)
        sides[side] = files.read(os.path.join(directory, os.path.basename(str(name)))) if name else None
    if sides["after"] is None or (entry.get("before") and sides["before"] is None):
        raise ValueError("a kept file is missing")
    listed, made = entry["keys"], entry["directories"]
    if not isinstance(listed, list) or not isinstance(made, list):
        raise TypeError("no lists")
    keys = tuple(KeyChange(**{**one, "path": tuple(one["path"])}) for one in listed)
    words = (entry["path"], *made, *(word for key in keys for word in (*key.path, key.after, key.text)))
    perhaps = (word for key in keys for word in (key.before, key.added) if word is not None)
    if not all(isinstance(word, str) for word in (*words, *perhaps)):
        raise TypeError("no text")
    return Step(str(entry["path"]), sides["before"], sides["after"], keys, [str(one) for one in made])
