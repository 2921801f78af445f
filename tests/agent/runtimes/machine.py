"""A runtime's files in memory: plans applied and undone without a disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.runtimes import containerd, tomltext, undo
from agent.runtimes.answers import Answer, Source, Wish

if TYPE_CHECKING:
    from agent.runtimes.answers import Version

CONFIG = containerd.CONFIG


class Machine:
    def __init__(self, version: Version, text: bytes | None, wish: Wish) -> None:
        self.version, self.wish = version, wish
        self.files: dict[str, bytes] = {} if text is None else {CONFIG: text}
        self.done: list[Answer] = []

    def sources(self) -> list[Source]:
        """Return the main file and the one drop-in that may be imported."""
        return [Source(path, self.files[path]) for path in (CONFIG, *sorted(self.files.keys() - {CONFIG}))]

    def plan(self) -> Answer:
        return containerd.plan(self.version, CONFIG, self.sources() if CONFIG in self.files else [], self.wish)

    def apply(self) -> Answer:
        answer = self.plan()
        for change in answer.changes:
            assert self.files.get(change.write.name) == change.write.before
            self.files[change.write.name] = change.write.data
        self.done.append(answer)
        return answer

    def revert(self) -> tuple[str, ...]:
        reasons: tuple[str, ...] = ()
        for answer in reversed(self.done):
            for change in reversed(answer.changes):
                write = change.write
                now, said = undo.undone(self.files.get(write.name), write.before, write.data, change.keys, tomltext)
                reasons += said
                if now is None:
                    self.files.pop(write.name, None)
                else:
                    self.files[write.name] = now
        return reasons
