"""The kubelet's checkpoint as a whole: what is registered with it, and what its pods hold."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Record:
    """``registered``: the healthy devices of each resource; ``held``: what containers were given."""

    registered: Mapping[str, tuple[str, ...]]
    held: tuple[checkpoint.Held, ...]


def read(directory: str) -> Record | None:
    """Return the record in a kubelet's directory for device plugins, ``None`` where it has none yet.

    Raises:
        OSError: it cannot be read.
        checkpoint.UnreadableError: it is damaged.
    """
    try:
        with open(os.path.join(directory, checkpoint.NAME), "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        found = json.loads(data)["Data"]["RegisteredDevices"] or {}
        registered = {str(name): tuple(map(str, ids or ())) for name, ids in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise checkpoint.UnreadableError("it is no record of devices") from None
    return Record(registered, checkpoint.read(directory))
