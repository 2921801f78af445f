"""What in the system matters to which devices a configuration takes: pure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.discovery import globs

if TYPE_CHECKING:
    from agent.config.settings import Settings


def nodeless(settings: Settings, subsystem: str) -> bool:
    """Tell whether some class takes devices without a node from this subsystem; only network interfaces are."""
    return subsystem == "net" and any(
        pattern.matches(subsystem)
        for device_class in settings.classes
        for selector in device_class.selects
        for pattern in selector.subsystem
    )


def mounts(settings: Settings) -> bool:
    """Tell whether some class asks where a disk is mounted, of which no device event tells."""
    return any(
        selector.mountpoint
        for device_class in settings.classes
        for selector in (*device_class.selects, *device_class.excludes)
    )


def directories(settings: Settings) -> dict[str, bool]:
    """Name the directories that patterns are below, and whether what is below them in turn matters.

    Those of declared nodes, too: one that mknod makes is no event of the kernel.
    """
    found: dict[str, bool] = {}
    for device_class in settings.classes:
        for selector in (*device_class.selects, *device_class.excludes):
            for pattern in selector.devnode:
                directory = globs.watched_directory(pattern)
                deep = "/" in pattern.text[len(directory) + 1 :] and not f"{directory}/".startswith("/dev/")
                found[directory] = deep or found.get(directory, False)
        for declared in device_class.declared:
            for node in declared.device.container_edits.device_nodes:
                found.setdefault(os.path.dirname(node.host_path or node.path), False)
    return found
