"""The directories: whether they are there, whose they are, who can read and write them, and what lies in them."""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import TYPE_CHECKING

from agent.doctor.findings import Finding, command, fail, mode, ok, or_ok, some, unseen, warn, writers
from agent.doctor.node import ANSWER
from agent.runtimes.answers import lists
from agent.store import passing
from cdi.specdirs import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.doctor.node import Node

_OTHERS_ENTER = stat.S_IROTH | stat.S_IXOTH
_ALMOST_NOTHING = 64 * 1024  # bytes; a spec of a usual node has a few thousand
_FEW = 16  # files
_REMOUNT = "see in findmnt which it is and bring its server back, or umount -f -l it and mount it again"
_SETTLED = 60.0  # seconds; a younger temporary file may be in the making
_MISNAMED = {".yml": ".yaml", ".json5": ".json", ".jsonc": ".json"}
_FOREIGN_LABELS = {"unlabeled_t", "default_t", "file_t"}
_FOREIGN_ENDS = ("tmp_t", "home_t")  # user_tmp_t, admin_home_t


def file_systems(node: Node) -> Iterator[Finding]:
    """Name the directories whose file systems do not answer: what is to be found in them, no other check waits for."""
    yield from or_ok(
        (
            fail(path, f"does not answer within {ANSWER:.0f} s: its file system hangs", _REMOUNT)
            for path in sorted(node.silent)
        ),
        "file systems",
        "of specs, of state and of the kubelet answer",
    )


def spec_dirs(node: Node) -> Iterator[Finding]:
    """Tell of each spec directory whether runtimes, rootless ones too, can read it and nobody else can write it."""
    for path in node.directories:
        node.reach(path)
        try:
            status = os.stat(path)
        except FileNotFoundError:
            yield from _missing(path, node)
        except OSError as error:
            yield unseen(path, error)
        else:
            yield from or_ok(_of_directory(path, status), path, f"mode {mode(status)}, of user {status.st_uid}")


def _missing(path: str, node: Node) -> Iterator[Finding]:
    if os.path.islink(path):
        yield fail(
            path, f"is a link to {os.readlink(path)}, which is not there", f"remove the link: {command('rm', path)}"
        )
    elif not lists((path,), node.spec_dir):
        yield ok(path, "is not there, and nobody here needs it")
    elif node.outcome and not node.outcome.changes:
        yield ok(path, "is not there, and there is no spec to write")
    else:
        yield fail(
            path,
            "is not there, and so none of our specs",
            f"run {node.command('--once')}, or start the agent: both make it",
        )


def _of_directory(path: str, status: os.stat_result) -> Iterator[Finding]:
    if not stat.S_ISDIR(status.st_mode):
        yield fail(path, "is no directory", "move it away")
        return
    yield from writers(path, status, "give containers any device")
    if status.st_mode & _OTHERS_ENTER != _OTHERS_ENTER:
        yield warn(path, f"rootless runtimes cannot read it (mode {mode(status)})", command("chmod", "0755", path))


def spec_files(node: Node) -> Iterator[Finding]:
    """Tell of each spec file whether runtimes, rootless ones too, can read it and nobody else can write it."""
    found = [file.path for file in node.specs.registry.files]
    yield from or_ok(
        (finding for path in found for finding in _of_file(path)), "files", f"{len(found)} can be read by all runtimes"
    )


def _of_file(path: str) -> Iterator[Finding]:
    try:
        status = os.stat(path)
    except OSError:
        return  # gone, or the check of specs says so
    if not stat.S_ISREG(status.st_mode):
        return  # the same; and what a link leads to may be of everybody by right, as /dev/zero is
    yield from writers(path, status, "give containers any device")
    if not status.st_mode & stat.S_IROTH:
        yield warn(path, f"rootless runtimes cannot read it (mode {mode(status)})", command("chmod", "0644", path))


def names(node: Node) -> Iterator[Finding]:
    """Name what lies in the spec directories and is read by nobody."""
    for directory in node.directories:
        node.reach(directory)
        try:
            with os.scandir(directory) as entries:
                found = [finding for entry in entries for finding in _of_entry(entry)]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            found = [unseen(directory, error)]
        yield from or_ok(sorted(found, key=lambda one: one.subject), directory, "holds nothing that nobody reads")


def _of_entry(entry: os.DirEntry[str]) -> Iterator[Finding]:
    try:
        yield from _of_name(entry)
    except FileNotFoundError:
        return  # gone meanwhile
    except OSError as error:
        yield unseen(entry.path, error)


def _of_name(entry: os.DirEntry[str]) -> Iterator[Finding]:
    name, lower = entry.name, entry.name.lower()
    if entry.is_dir(follow_symlinks=False):
        if name.endswith(EXTENSIONS) or any(one.lower().endswith(EXTENSIONS) for one in os.listdir(entry.path)):
            yield warn(entry.path, "is a directory, and runtimes look into none", "move its specs one level up")
    elif lower.endswith((*EXTENSIONS, *_MISNAMED)) and not name.endswith(EXTENSIONS):
        yield warn(entry.path, "no runtime reads a file of this name: only .json and .yaml", _rename(entry.path))
    elif _is_leftover(entry):
        yield warn(entry.path, "is a temporary file of a writer that was killed", command("rm", entry.path))


def _rename(path: str) -> str:
    stem, extension = os.path.splitext(path)
    right = stem + _MISNAMED.get(extension.lower(), extension.lower())
    if os.path.lexists(right):
        return f"remove it, or the {os.path.basename(right)} beside it that is read"
    return command("mv", path, right)


def _is_leftover(entry: os.DirEntry[str]) -> bool:
    """Tell whether a file was to become a spec: ours end in .tmp, those of CDI's own library in .tmp and digits."""
    temporary = (passing(entry.name) and entry.name.endswith(".tmp")) or (
        entry.name.startswith("spec") and ".tmp" in entry.name
    )
    return temporary and time.time() - entry.stat(follow_symlinks=False).st_mtime > _SETTLED


def space(node: Node) -> Iterator[Finding]:
    """Tell whether there is room to write specs and state, and whether writing is possible at all."""
    for path in dict.fromkeys((node.spec_dir, node.state_dir)):
        node.reach(path)
        place = _nearest(path)
        try:
            yield of_file_system(path, os.statvfs(place))
        except OSError as error:
            yield unseen(path, error)


def of_file_system(path: str, facts: os.statvfs_result) -> Finding:
    """Judge the file system that a directory of ours is on, or would be made on."""
    if facts.f_flag & os.ST_RDONLY:
        return fail(path, "its file system is mounted read-only", "mount it writable: mount -o remount,rw")
    free, files = facts.f_bavail * facts.f_frsize, facts.f_favail
    if free < _ALMOST_NOTHING:
        return fail(path, f"its file system is full: {free} bytes are left", "free some space")
    if facts.f_files and files < _FEW:
        return fail(path, f"its file system has room for {files} more files", "remove some files")
    return ok(path, f"{free // 2**20} MiB are free")


def _nearest(path: str) -> str:
    """Return the directory itself, or the nearest one above that is there."""
    while path != "/" and not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def writable(node: Node) -> Iterator[Finding]:
    """Tell whether the directory of our specs and that of our state can be written."""
    for path in dict.fromkeys((node.spec_dir, node.state_dir)):
        node.reach(path)
        if path == node.spec_dir and not os.path.isdir(path):
            continue  # the check of spec directories says so
        yield from _of_others(path, node)
        yield _of_writing(path)


def _of_others(path: str, node: Node) -> Iterator[Finding]:
    """Name who else can write our state; that of the spec directory, the check of those says."""
    if path == node.spec_dir or not os.path.isdir(path):
        return
    status = os.stat(path)
    if not status.st_mode & stat.S_ISVTX:
        yield from writers(path, status, "change what --revert puts back")


def _of_writing(path: str) -> Finding:
    place = _nearest(path)
    if not os.path.isdir(place):
        return fail(path, f"cannot be made: {place} is no directory", f"move {place} away")
    if os.access(place, os.W_OK | os.X_OK):
        return ok(path, "can be written" if place == path else "is not there, and is made when it is needed")
    if os.geteuid() != 0:
        return unseen(path, PermissionError(errno.EACCES, "only root may write there"))
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        return fail(path, "cannot be written: its file system is read-only", "mount it writable: mount -o remount,rw")
    return fail(
        path, "cannot be written, even by root", f"where lsattr -d calls it immutable: {command('chattr', '-i', place)}"
    )


def selinux(node: Node) -> Iterator[Finding]:
    """Tell whether SELinux's labels let runtimes read the specs."""
    try:
        with open(f"{node.asked.sys}/fs/selinux/enforce", encoding="ascii") as file:
            enforcing = file.read().strip() == "1"
    except FileNotFoundError:
        yield ok("SELinux", "is not here")
        return
    except OSError as error:
        yield unseen("SELinux", error)
        return
    if not enforcing:
        yield ok("SELinux", "enforces nothing")
        return
    labels = {path: _label(path) for path in _labelled(node)}
    yield from or_ok(of_labels(labels), "SELinux", "enforces, and no label of a spec is foreign")


def of_labels(labels: dict[str, str]) -> Iterator[Finding]:
    """Name the files whose label tells that they were made elsewhere and moved here, where none may read them."""
    foreign: dict[str, list[str]] = {}
    for path, label in labels.items():
        type_ = f"{label}:::".split(":")[2]
        if type_ in _FOREIGN_LABELS or type_.endswith(_FOREIGN_ENDS):
            foreign.setdefault(type_, []).append(path)
    for type_, paths in sorted(foreign.items()):
        places = sorted({path if os.path.isdir(path) else os.path.dirname(path) for path in paths})
        yield warn(
            some(paths),
            f"SELinux may keep runtimes from reading it (label {type_})",
            command("restorecon", "-Rv", *places),
        )


def _labelled(node: Node) -> Iterator[str]:
    yield from filter(os.path.isdir, node.directories)
    yield from (file.path for file in node.specs.registry.files)


def _label(path: str) -> str:
    try:
        return os.getxattr(path, "security.selinux").decode("ascii", "replace").rstrip("\0")
    except OSError:
        return ""
