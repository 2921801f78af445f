"""Run inside a sandbox, this prints as JSON what each attempt came to: `done`, or why not."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

UEVENTS = 15  # NETLINK_KOBJECT_UEVENT


def attempt(do: Callable[[], object]) -> str:
    try:
        do()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "done"


def opening(path: str) -> Callable[[], None]:
    return lambda: os.close(os.open(path, os.O_RDWR))


def writing(path: str) -> Callable[[], None]:
    def write() -> None:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.unlink(path)

    return write


def speaking(family: int, kind: int, protocol: int = 0) -> Callable[[], None]:
    return lambda: socket.socket(family, kind, protocol).close()


def give_away() -> None:
    path = "/etc/containerd/given"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
    os.chown(path, 1, 1)


def restart_containerd() -> None:
    done = subprocess.run(["systemctl", "restart", "containerd.service"], check=False)
    if done.returncode:
        raise PermissionError(1, "refused")


ATTEMPTS: dict[str, Callable[[], object]] = {
    "open a device": opening("/dev/zero"),
    "open a device of another user": opening("/dev/other"),
    "open a character device of a driver to come": opening("/dev/late-character"),
    "open a block device of a driver to come": opening("/dev/late-block"),
    "make a device": lambda: os.mknod("/run/cdi/node", stat.S_IFCHR, os.makedev(1, 3)),
    "hear uevents": speaking(socket.AF_NETLINK, socket.SOCK_RAW, UEVENTS),
    "use a local socket": speaking(socket.AF_UNIX, socket.SOCK_STREAM),
    "use the network": speaking(socket.AF_INET, socket.SOCK_STREAM),
    "see which program a daemon is": lambda: os.readlink("/proc/1/exe"),
    "leave a file to its owner": give_away,
    "restart containerd": restart_containerd,
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
    "read what udev knows": lambda: os.listdir("/run/udev"),
}


if __name__ == "__main__":
    everything = {**ATTEMPTS, **{f"write below {path}": writing(f"{path}/new") for path in sys.argv[1:]}}
    sys.stdout.write(json.dumps({name: attempt(do) for name, do in everything.items()}))
