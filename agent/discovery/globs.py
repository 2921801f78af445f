"""Path patterns against directories: which paths exist, and which directories could not be listed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.host import Blind
from agent.patterns import component_pattern

if TYPE_CHECKING:
    from agent.patterns import Pattern


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
            except (FileNotFoundError, NotADirectoryError):
                self._names[directory] = ()
            except OSError as error:
                self._names[directory] = ()
                reason = f"cannot be listed: {(error.strerror or str(error)).lower()}"
                self.blind[directory] = Blind(directory, reason, below=True)
        return self._names[directory]


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
    walk.into("", pattern.text[1:].split("/"))
    return Expansion(tuple(sorted(walk.paths)), tuple(walk.blind))


class _Walk:
    def __init__(self, pattern: Pattern, tree: Tree) -> None:
        self.pattern = pattern
        self.tree = tree
        self.paths: set[str] = set()
        self.blind: list[Blind] = []

    def names(self, directory: str) -> tuple[str, ...]:
        names = self.tree.names(directory)
        if directory in self.tree.blind:
            self.blind.append(self.tree.blind[directory])
        return names

    def into(self, directory: str, parts: list[str]) -> None:
        head, rest = parts[0], parts[1:]
        if "**" in head:
            self.everything(directory)
            return
        component = component_pattern(head)
        if component.literal and rest:
            self.into(f"{directory}/{head}", rest)
        elif component.literal:
            self.paths.add(f"{directory}/{head}")
        else:
            self.matching(directory, component, rest)

    def matching(self, directory: str, component: Pattern, rest: list[str]) -> None:
        matched = [f"{directory}/{name}" for name in self.names(directory or "/") if component.matches(name)]
        if not rest:
            self.paths.update(matched)
            return
        for path in matched:
            self.into(path, rest)

    def everything(self, directory: str) -> None:
        for name in self.names(directory or "/"):
            path = f"{directory}/{name}"
            if self.pattern.matches(path):
                self.paths.add(path)
            if os.path.isdir(path) and not os.path.islink(path):
                self.everything(path)
