"""How many events the kernel really sent of the campaign's devices: counted where it sends them."""

from __future__ import annotations

import re
import socket
from collections import Counter

_UEVENTS = 15  # NETLINK_KOBJECT_UEVENT
_KERNELS = 1  # the group of the kernel's own events
_FORCED_BUFFER = 33  # SO_RCVBUFFORCE
_OURS = re.compile(r"/block/(zram[0-9]+|loop[7-9][0-9]{2})$|/net/cdit[0-9]+$")


class Events:
    """Counts, from its making to its end, the events of disks and interfaces that only the campaign has."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.lost = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, _UEVENTS)
        self._socket.setsockopt(socket.SOL_SOCKET, _FORCED_BUFFER, 64 << 20)
        self._socket.bind((0, _KERNELS))

    def take(self) -> None:
        """Count what has come so far."""
        while True:
            try:
                message = self._socket.recv(65536)
            except BlockingIOError:
                return
            except OSError:  # the queue was full
                self.lost += 1
                continue
            self._count(message.split(b"\0"))

    def _count(self, parts: list[bytes]) -> None:
        action, _, path = parts[0].decode(errors="replace").partition("@")
        if _OURS.search(path):
            synthetic = any(part.startswith(b"SYNTH_UUID=") for part in parts)
            self.counts[f"{action}, asked for" if synthetic else action] += 1

    def close(self) -> None:
        """Count the rest, and no more."""
        self.take()
        self._socket.close()
