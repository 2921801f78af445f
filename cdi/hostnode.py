"""What the live node has at a path: a fact that callers look up and hand in, so that the rules here stay pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

FileType = Literal["b", "c", "p", "link", "other"]


@dataclass(frozen=True, slots=True)
class HostNode:
    """A file of the host, not followed where it is a link: its type, its device number, its mode's low 12 bits.

    ``type`` is ``b``, ``c`` or ``p`` for what a container can be given, as CDI writes it.
    """

    type: FileType
    major: int = 0
    minor: int = 0
    mode: int = 0


# Answers None where there is nothing, or nothing that can be looked at.
Look = Callable[[str], HostNode | None]
