"""udev: who gives devices their names, links and properties."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.doctor.findings import Finding, ok, unseen, warn
from agent.host import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.doctor.node import Node

_DATA = "/run/udev/data"
_START = "start it: systemctl start systemd-udevd; in a container, mount the host's /run/udev"


def daemon(node: Node) -> Iterator[Finding]:
    """Tell whether udevd listens."""
    try:
        running = node.udev.fresh().running
    except Unreadable as error:
        yield warn("udevd", f"could not be looked at: {error}", "run this again")
        return
    if running:
        yield ok("udevd", "runs")
    else:
        yield warn("udevd", "does not run: devices have no links and no properties to select or name them by", _START)


def database(_: Node) -> Iterator[Finding]:
    """Tell whether what udevd knows can be read; nothing where it knows nothing."""
    try:
        names = os.listdir(_DATA)
        for name in names[:1]:
            with open(os.path.join(_DATA, name), "rb") as file:
                file.read(1)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield unseen(_DATA, error)
    else:
        yield of_entries(len(names))


def of_entries(count: int) -> Finding:
    """Judge the size of udev's database."""
    if count:
        return ok(_DATA, f"udev knows {count} {'device' if count == 1 else 'devices'}")
    return warn(_DATA, "udev knows no device: udevd has not seen them", "show them to it: udevadm trigger --settle")


def library(node: Node) -> Iterator[Finding]:
    """Tell whether libudev can be loaded."""
    if node.udev.available:
        yield ok("libudev", "can be loaded")
    else:
        yield warn("libudev", "cannot be loaded: what udev knows of devices is not seen",
                   "install it: libudev1 on Debian, systemd-libs on Fedora")  # fmt: skip


def unsettled(node: Node) -> Iterator[Finding]:
    """Name the devices that udevd has yet to work on, which are not taken before."""
    pending = sorted(node.outcome.pending) if node.outcome else []
    for path in pending:
        yield warn(path, "udev has yet to work on it", "udevadm settle; where that does not end, restart systemd-udevd")
