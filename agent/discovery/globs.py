"""Path patterns against directories: which paths exist, and which directories could not be listed."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.host import Blind
from agent.patterns import component_pattern

if TYPE_CHECKING:
    from agent.patterns import Pattern

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}


@dataclass(frozen=True, slots=True)
class Expansion:
    """The sorted paths that a pattern matches, and what stayed unseen on the way."""

    paths: tuple[str, ...]
    blind: tuple[Blind, ...] = ()


class Tree:
    """Directory listings, each read once."""

    def __init__(self) -> None:
        self._names: dict[str, tuple[str, ...]] = {}
        self.blind: dict[str, Blind] = {}

    def names(self, directory: str) -> tuple[str, ...]:
        """List a directory, sorted; one that is not there is empty, one that cannot be read is noted as blind."""
        if directory not in self._names:
            try:
                self._names[directory] = tuple(sorted(os.listdir(directory)))
            except OSError as error:
                self._names[directory] = ()
                self._note(directory, "cannot be listed", error)
        return self._names[directory]

    def is_directory(self, path: str) -> bool:
        """Tell whether a directory, and no link to one, is there; what cannot be looked at is noted as blind."""
        try:
            return stat.S_ISDIR(os.lstat(path).st_mode)
        except OSError as error:
            self._note(path, "cannot be looked at", error)
            return False

    def _note(self, path: str, fact: str, error: OSError) -> None:
        if error.errno not in _ABSENT:
            reason = f"{fact}: {(error.strerror or str(error)).lower()}"
            self.blind[path] = Blind(os.path.realpath(path), reason, below=True)


def watched_directory(pattern: Pattern) -> str:
    """Return the deepest directory that all matches of a path pattern are below."""
    parts = pattern.text.split("/")
    for index, part in enumerate(parts):
        if not component_pattern(part or "-").literal:
            return "/".join(parts[:index]) or "/"
    return os.path.dirname(pattern.text)


def expand(pattern: Pattern, tree: Tree) -> Expansion:
    """Find the paths that ``pattern`` matches; links to directories are followed but by ``**``, as in a shell.

    A path that the pattern spells out is named whether it exists or not.
    """
    walk = _Walk(pattern, tree)
    walk.along(pattern.text[1:].split("/"))
    return Expansion(tuple(sorted(walk.paths)), tuple(walk.blind))


class _Walk:
    def __init__(self, pattern: Pattern, tree: Tree) -> None:
        self.pattern = pattern
        self.tree = tree
        self.paths: set[str] = set()
        self.blind: list[Blind] = []

    def names(self, directory: str) -> tuple[str, ...]:
        names = self.tree.names(directory)
        self.heed(directory)
        return names

    def heed(self, path: str) -> None:
        if path in self.tree.blind:
            self.blind.append(self.tree.blind[path])

    def along(self, parts: list[str]) -> None:
        """Go from the root along the parts of the pattern, however many."""
        waiting = [("", 0)]
        while waiting:
            directory, index = waiting.pop()
            head = parts[index]
            if "**" in head:
                self.everything(directory)
                continue
            component = component_pattern(head)
            if component.literal:
                paths = [f"{directory}/{head}"]
            else:
                paths = [f"{directory}/{name}" for name in self.names(directory or "/") if component.matches(name)]
            if index + 1 == len(parts):
                self.paths.update(paths)
            else:
                waiting.extend((path, index + 1) for path in reversed(paths))

    def everything(self, top: str) -> None:
        """Take what the pattern matches of all that is below a directory."""
        waiting = [top]
        while waiting:
            directory = waiting.pop()
            below = []
            for name in self.names(directory or "/"):
                path = f"{directory}/{name}"
                if self.pattern.matches(path):
                    self.paths.add(path)
                if self.tree.is_directory(path):
                    below.append(path)
                else:
                    self.heed(path)
            waiting.extend(reversed(below))
