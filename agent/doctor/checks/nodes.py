"""What specs name of the host: device nodes, mounts, hooks and interfaces, against what is there now."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from agent.doctor.checks.specs import valid
from agent.doctor.findings import Finding, command, fail, or_ok, unseen, warn
from agent.store import ours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from agent.doctor.node import Node
    from cdi.model import ContainerEdits, DeviceNode

_TYPES = {stat.S_IFBLK: "b", stat.S_IFCHR: "c", stat.S_IFIFO: "p"}
_WORDS = {stat.S_IFDIR: "a directory", stat.S_IFREG: "a plain file", stat.S_IFSOCK: "a socket"}
_KINDS = {"b": "block", "c": "character", "u": "unbuffered character", "p": "FIFO"}
_RUNTIME_MODE = 0o666  # what OCI runtimes make nodes with where the spec names no mode
_NEEDED = {"r": 4, "w": 2}
_HOOK = "run as a hook"


class Part(NamedTuple):
    """The edits of a device, or of a whole spec, and what to call them; ``ours``: they stand in a spec of ours.

    ``groups`` are those that the container's process gets: a spec's own reach every device of it.
    """

    file: str
    title: str
    edits: ContainerEdits
    ours: bool
    groups: tuple[int, ...]


def parts(node: Node) -> Iterator[Part]:
    """Yield the edits of all valid specs."""
    for file, spec in valid(node.specs.registry):
        own = ours(os.path.basename(file.path))
        common = spec.container_edits
        yield Part(file.path, spec.kind, common, own, tuple(common.additional_gids))
        for device in spec.devices:
            edits = device.container_edits
            groups = (*common.additional_gids, *edits.additional_gids)
            yield Part(file.path, f"{spec.kind}={device.name}", edits, own, groups)


def _host_path(one: DeviceNode) -> str:
    return one.host_path or one.path


def _is_fixed(one: DeviceNode) -> bool:
    """Tell whether a spec gives the number itself, so that the runtime does not look the node up."""
    return one.type not in {"", "p"} and one.major != 0


def _is_looked_up(one: DeviceNode) -> bool:
    """Tell whether the runtime looks at the host's node; a FIFO it makes anew."""
    return one.type != "p" and not _is_fixed(one)


def present(node: Node) -> Iterator[Finding]:
    """Name the nodes that are missing, or are no device nodes of the type that the spec says."""
    yield from or_ok(_each(node, _of_presence), "nodes", "all that specs name are device nodes and are there")


def _each(node: Node, rule: Callable[[Node, Part, DeviceNode], Iterator[Finding]]) -> Iterator[Finding]:
    for part in parts(node):
        for one in part.edits.device_nodes:
            try:
                yield from rule(node, part, one)
            except OSError as error:
                yield unseen(_host_path(one), error)


def _of_presence(node: Node, part: Part, one: DeviceNode) -> Iterator[Finding]:
    path = _host_path(one)
    live = node.look(path)
    if live is None:
        if one.type != "p":
            yield from _missing(part, path, fixed=_is_fixed(one))
        return
    type_ = stat.S_IFMT(live.st_mode)
    if type_ == stat.S_IFLNK:
        if _is_looked_up(one):
            yield fail(path, f"is a link, which runtimes do not follow: {part.title} cannot be given",
                       f"name its target in {part.file}: {os.path.realpath(path)}")  # fmt: skip
    elif type_ not in _TYPES:
        yield fail(path, f"is {_WORDS.get(type_, 'no device node')}, not a device node: {part.title} cannot be given",
                   f"remove it: {command('rm', '-d', path)}, and have its driver make the node")  # fmt: skip
    elif one.type and _said(one) != _TYPES[type_]:
        yield fail(path, f"is a {_KINDS[_TYPES[type_]]} device, and {part.title} says {_KINDS[one.type]}",
                   f'correct "type" in {part.file}, or leave it out')  # fmt: skip


def _said(one: DeviceNode) -> str:
    """Return the type as a runtime compares it: "u" is "c", unless it looks the node up, which is never a "u" then."""
    return one.type if _is_looked_up(one) else one.type.replace("u", "c")


def _missing(part: Part, path: str, *, fixed: bool) -> Iterator[Finding]:
    if part.ours:  # a declared device is written whether or not it is there
        yield warn(path, f"is not there: no container can be given {part.title}", "plug it in, or load its driver")
    elif fixed:
        yield warn(path, f"is not there: what {part.title} gives by number may open nothing",
                   f"load its driver, or have whoever made {part.file} make it anew")  # fmt: skip
    else:
        yield fail(path, f"is not there: no container with {part.title} starts",
                   f"load its driver, or have whoever made {part.file} make it anew")  # fmt: skip


def numbers(node: Node) -> Iterator[Finding]:
    """Name the nodes whose number in a spec is another than theirs now, so that containers get another device."""
    yield from or_ok(_each(node, _of_number), "nodes", "no spec gives a number that is not the node's")


def _of_number(node: Node, part: Part, one: DeviceNode) -> Iterator[Finding]:
    path = _host_path(one)
    if not _is_fixed(one) or node.look(path) is None:
        return
    try:
        live = os.stat(path)  # of a link, what it leads to is meant
    except FileNotFoundError:
        return
    if stat.S_IFMT(live.st_mode) not in _TYPES:
        return
    now = os.major(live.st_rdev), os.minor(live.st_rdev)
    if now != (one.major, one.minor):
        yield fail(path, f"is device {now[0]}:{now[1]}, and {part.title} gives {one.major}:{one.minor}, another one",
                   f"{_unfixed(path)} in {part.file}, or have it made anew")  # fmt: skip


def _unfixed(path: str) -> str:
    """Say how to have the runtime look a node up, which follows no link."""
    alone = "leave type, major and minor out"
    return f"name the target, {os.path.realpath(path)}, and {alone}" if os.path.islink(path) else alone


def access(node: Node) -> Iterator[Finding]:
    """Name the nodes that a process in a container could not open unless it is root."""
    yield from or_ok(_each(node, _of_access), "nodes", "processes that are not root can open all, too")


def _of_access(_: Node, part: Part, one: DeviceNode) -> Iterator[Finding]:
    """Judge one node by the spec alone: without ``uid`` and ``gid`` it is given to the process, whoever that is."""
    letters = one.permissions or "rwm"
    if not set(letters) & set("rw") or len(set(letters)) != len(letters):
        yield warn(one.path, f'{part.title} gives the odd permissions "{letters}"',
                   f'write "rw" in {part.file}: r to read, w to write, m to make nodes')  # fmt: skip
        return
    file_mode = _RUNTIME_MODE if one.file_mode is None else one.file_mode
    needed = sum(bits for letter, bits in _NEEDED.items() if letter in letters)
    triples = [file_mode & 7]
    if one.uid is None:
        triples.append(file_mode >> 6 & 7)
    if one.gid is None or one.gid in part.groups:
        triples.append(file_mode >> 3 & 7)
    if not any(triple & needed == needed for triple in triples):
        yield warn(one.path, f"{part.title} gives it to user {one.uid or 0} and group {one.gid or 0} alone "
                   f"(mode {file_mode & 0o7777:04o})", _open_it(part, one))  # fmt: skip


def _open_it(part: Part, one: DeviceNode) -> str:
    if part.ours:
        return "leave uid, gid and fileMode out of the class, or set group = true in [class.node]"
    own = f", or add additionalGids: [{one.gid}]" if one.gid else ""
    return f"leave uid, gid and fileMode out of {part.file}{own}"


def others(node: Node) -> Iterator[Finding]:
    """Name the mounts, hooks and network interfaces that are not there, without which no container starts."""
    yield from or_ok(
        (finding for part in parts(node) for finding in _of_edits(node, part)),
        "mounts and hooks",
        "all that specs name are there",
    )


def _of_edits(node: Node, part: Part) -> Iterator[Finding]:
    again = f"install it again, or have whoever made {part.file} make it anew"
    starts = f"no container with {part.title} starts"
    for path, purpose in _named(part.edits):
        try:
            if node.look(path) is None:
                yield fail(path, f"is not there to be {purpose}: {starts}", again)
            elif purpose == _HOOK and not _is_program(path):
                yield fail(path, f"cannot be {purpose}: {starts}", command("chmod", "+x", path))
        except OSError as error:
            yield unseen(path, error)
    for device in part.edits.net_devices:
        name = device.host_interface_name
        if node.look(f"{node.asked.sys}/class/net/{name}") is None:
            yield fail(name, f"is no network interface here: {starts}", again)


def _named(edits: ContainerEdits) -> Iterator[tuple[str, str]]:
    """Yield the paths on the host that mounts and hooks name, and what they are to be there for."""
    for mount in edits.mounts:
        if _is_bound(mount.type, mount.options) and mount.host_path.startswith("/"):
            yield mount.host_path, "mounted"
    for path in dict.fromkeys(hook.path for hook in edits.hooks):
        yield path, _HOOK


def _is_bound(type_: str, options: Iterable[str]) -> bool:
    return type_ in {"", "none", "bind"} or not {"bind", "rbind"}.isdisjoint(options)


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and bool(os.stat(path).st_mode & 0o111)
