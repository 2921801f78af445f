"""The kernel and the process: what the agent needs of them to hear of devices."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import sys
from typing import TYPE_CHECKING, NamedTuple

from agent.doctor.findings import Finding, fail, ok, unseen, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.doctor.node import Node

_KOBJECT_UEVENT = 15  # linux/netlink.h
_KERNEL_GROUP = 1
_LEAST_INSTANCES = 16  # one for each watched directory
_LEAST_WATCHES = 64
_LEAST_DESCRIPTORS = 256
_UNLIMITED = sys.maxsize


class Limit(NamedTuple):
    """A number of things: how many there may be, and how many there are."""

    most: int
    used: int

    @property
    def left(self) -> int:
        """How many more there may be."""
        return self.most - self.used


def events(_: Node) -> Iterator[Finding]:
    """Open the socket on which the kernel tells of devices, as the agent does."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _KOBJECT_UEVENT) as heard:
            heard.bind((0, _KERNEL_GROUP))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        yield fail("uevent netlink", f"cannot be opened: {reason}",
                   "allow AF_NETLINK in the unit's RestrictAddressFamilies, or the container's seccomp")  # fmt: skip
    else:
        yield ok("uevent netlink", "the kernel tells of devices that come and go")


def inotify(node: Node) -> Iterator[Finding]:
    """Tell whether directories can be watched, and how many more."""
    try:
        _watch_something()
    except OSError as error:
        yield fail("inotify", f"nothing can be watched: {(error.strerror or str(error)).lower()}",
                   _raise_limit("instances" if error.errno == errno.EMFILE else "watches"))  # fmt: skip
        return
    instances, watches = inotify_limits(node.asked.proc, os.geteuid())
    yield from of_inotify(instances, watches)


def of_inotify(instances: Limit, watches: Limit) -> Iterator[Finding]:
    """Judge what is left of what inotify allows one user."""
    for name, limit, least in (("instances", instances, _LEAST_INSTANCES), ("watches", watches, _LEAST_WATCHES)):
        subject = f"inotify {name}"
        if limit.left < least:
            yield warn(subject, f"{limit.used} of {limit.most} are in use", _raise_limit(name))
        else:
            yield ok(subject, f"{limit.used} of {limit.most} are in use")


def _raise_limit(name: str) -> str:
    most = {"instances": 1024, "watches": 524288}[name]
    return (f"sysctl fs.inotify.max_user_{name}={most} user.max_inotify_{name}={most}, "
            "and the same in a file of /etc/sysctl.d")  # fmt: skip


def inotify_limits(proc: str, user: int) -> tuple[Limit, Limit]:
    """Return the instances and the watches of a user: the limits, and what is used by processes that may be seen."""
    instances = watches = 0
    for process in filter(str.isdigit, os.listdir(proc)):
        with contextlib.suppress(OSError):  # it has ended, or is not ours to look at
            if os.stat(f"{proc}/{process}").st_uid == user:
                for descriptor in _inotify_descriptors(f"{proc}/{process}/fd"):
                    instances += 1
                    watches += _watches(f"{proc}/{process}/fdinfo/{descriptor}")
    return Limit(_least(proc, "instances"), instances), Limit(_least(proc, "watches"), watches)


def _inotify_descriptors(directory: str) -> Iterator[str]:
    for descriptor in os.listdir(directory):
        with contextlib.suppress(OSError):
            if os.readlink(f"{directory}/{descriptor}") in {"anon_inode:inotify", "anon_inode:[inotify]"}:
                yield descriptor


def _watches(path: str) -> int:
    with open(path, encoding="ascii", errors="replace") as file:
        return sum(line.startswith("inotify ") for line in file)


def _least(proc: str, name: str) -> int:
    """Return the tighter of two limits: the one of all users, and the one of this user namespace."""
    found = [_UNLIMITED]
    for path in (f"{proc}/sys/fs/inotify/max_user_{name}", f"{proc}/sys/user/max_inotify_{name}"):
        with contextlib.suppress(FileNotFoundError), open(path, encoding="ascii") as file:
            found.append(int(file.read()))
    return min(found)


def _watch_something() -> None:
    """Watch a directory for a moment. Raises `OSError`."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    instance = library.inotify_init1(os.O_CLOEXEC)
    if instance < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        if library.inotify_add_watch(instance, b"/", 0x400) < 0:  # IN_DELETE_SELF
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(instance)


def descriptors(node: Node) -> Iterator[Finding]:
    """Tell how many files the agent may have open; without one, how many this process may."""
    holder = node.holder
    try:
        limit = _of_process(f"{node.asked.proc}/{holder.pid}") if holder else None
    except OSError as error:
        yield unseen(f"process {holder.pid if holder else ''}", error)
        return
    subject = f"process {holder.pid}" if holder and limit else "this process"
    limit = limit or Limit(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 0)
    most = _UNLIMITED if limit.most == resource.RLIM_INFINITY else limit.most
    shown = "any number" if most == _UNLIMITED else str(most)
    if most - limit.used < _LEAST_DESCRIPTORS:
        yield warn(subject, f"may have {shown} files open, and has {limit.used}",
                   "raise it: LimitNOFILE= in the service's unit, or ulimit -n, and start it again")  # fmt: skip
    else:
        yield ok(subject, f"may have {shown} files open")


def _of_process(directory: str) -> Limit:
    """Return the descriptors of another process. Raises `OSError`."""
    with open(f"{directory}/limits", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("Max open files"))
    soft = line.split()[3]
    used = len(os.listdir(f"{directory}/fd")) if os.access(f"{directory}/fd", os.R_OK) else 0
    return Limit(_UNLIMITED if soft == "unlimited" else int(soft), used)
