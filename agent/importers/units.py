"""What generic-device-plugin's groups of nodes are here: one device a node, one of several, or a declared one."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from agent.config.model import Class, Declared, Node, Select
from agent.config.model import Usb as UsbKeys

from .draft import DraftClass, Remark
from .globs import UntranslatableError, from_go, is_literal, literal
from .nodes import are_told_apart, below_directories, constant, is_directory, is_link_place, kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .reading import Item

_MOUNT = ["rbind", "rprivate"]  # as a runtime mounts what the kubelet hands it


@dataclass(frozen=True, slots=True)
class Path:
    """One of a group's paths; all fields are as in the peer's file, defaults filled in."""

    item: Item
    path: str
    inside: str
    permissions: str
    kind: str
    limit: int
    read_only: bool
    optional: bool

    @property
    def literal(self) -> bool:
        """Whether the path is one and not a pattern."""
        return is_literal(self.path)

    @property
    def target(self) -> str:
        """The path in the container, of a literal path."""
        inside = self.inside or self.path
        return posixpath.normpath(inside + posixpath.basename(self.path) if inside.endswith("/") else inside)


@dataclass(frozen=True, slots=True)
class Usb:
    """One of a group's USB devices: ids as sysfs writes them, and a serial number or nothing."""

    item: Item
    vendor: str
    product: str
    serial: str
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """One group of a resource: paths or USB devices, and how many pods may hold a unit of it."""

    item: Item
    paths: tuple[Path, ...]
    usb: tuple[Usb, ...]
    count: int


@dataclass(frozen=True, slots=True)
class _Units:
    """What a group comes to.

    Nodes that ``selects`` take are a device each, or with ``together`` one; ``declared`` is a device as it stands.
    ``edits`` come with each of them. ``inside`` is the path in the container, a template.
    """

    group: Group
    selects: tuple[Select, ...] = ()
    permissions: str = ""
    inside: str | None = None
    name: str | None = None
    together: bool = False
    declared: dict[str, Any] = field(default_factory=dict)
    edits: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()


class _LeftOutError(Exception):
    """A group has no equivalent: fact and advice."""


def compose(item: Item, resource: str, groups: tuple[Group, ...]) -> tuple[DraftClass | None, tuple[Remark, ...]]:
    """Make a class of a resource; returns it, or ``None`` and the remarks that say why nothing is left of it."""
    composer = _Composer(resource)
    for group in groups:
        composer.add(group)
    if not composer.units:
        fact = "has no group that could be told here, and is left out" if groups else "has no groups, and is left out"
        return None, (*composer.remarks, item.remark(f"{resource} {fact}"))
    return composer.draft(item), ()


class _Composer:
    def __init__(self, resource: str) -> None:
        self.resource = resource
        self.units: list[_Units] = []
        self.remarks: list[Remark] = []

    def add(self, group: Group) -> None:
        """Add a group's units, unless they have no equivalent beside those that are there."""
        try:
            units = self.beside(_units(group))
        except _LeftOutError as reason:
            fact, advice = reason.args
            self.remarks.append(group.item.remark(f"is left out: {fact}", advice))
        else:
            self.units.append(units)
            self.remarks += units.remarks

    def beside(self, new: _Units) -> _Units:
        for old in self.units:
            if old.together or new.together:
                raise _LeftOutError(
                    "it is one device of all its nodes, which a class cannot have beside others",
                    "make it a class of its own, which is a resource of its own",
                )
            if old.edits or new.edits:
                raise _LeftOutError(
                    "each of its devices has something with it that those of the others have not",
                    "make it a class of its own, which is a resource of its own",
                )
        discovered = [old for old in self.units if old.selects]
        if not discovered or not new.selects:
            return new
        return self.reconciled(discovered[0], new)

    def reconciled(self, old: _Units, new: _Units) -> _Units:
        """Make room for further nodes in a class, whose nodes all have one path template and one set of permissions."""
        if _shifts(old) or _shifts(new):
            if old.inside != new.inside:
                raise _LeftOutError(
                    "its nodes have another path in the container, of which a class has one for all",
                    "make it a class of its own, which is a resource of its own",
                )
        elif old.inside != new.inside:
            self.units = [replace(one, inside=None) for one in self.units]
            new = replace(new, inside=None)
            self.remarks += [
                path.item.remark(
                    f"{path.path} is a link: a container sees its node by the kernel's name here",
                    "make it a class of its own to keep the path",
                )
                for path in (*old.group.paths, *new.group.paths)
                if path.literal and is_link_place(path.path)
            ]
        shared = "".join(letter for letter in old.permissions if letter in new.permissions)
        if old.permissions == new.permissions:
            return new
        if not shared:
            raise _LeftOutError(
                "it has other permissions, of which a class has one set for all",
                "make it a class of its own, which is a resource of its own",
            )
        self.units = [replace(one, permissions=shared if one.selects else one.permissions) for one in self.units]
        self.remarks.append(
            new.group.item.remark(
                f"its permissions differ from those of the groups before it; all have {shared} here",
                "make it a class of its own to keep them",
            )
        )
        return replace(new, permissions=shared)

    def draft(self, item: Item) -> DraftClass:
        discovered = [one for one in self.units if one.selects]
        together = discovered[0] if discovered and discovered[0].together else None
        edits: dict[str, Any] = next((one.edits for one in self.units if one.edits), {})
        entry = Class(
            kind=kind(self.resource),
            name=None if together else self.name(discovered),
            all=self.resource.partition("/")[2] if together else None,
            only_all=bool(together),
            select=_merged(one.selects for one in discovered),
            node=Node(permissions=discovered[0].permissions, path=discovered[0].inside) if discovered else Node(),
            container_edits=edits,
            device=tuple(self.declared()),
        )
        counts = {one.group.count for one in self.units}
        if len(counts) > 1:
            self.remarks.append(
                item.remark(
                    f"its groups have different counts, of which a class has one for all: the smallest, {min(counts)}"
                )
            )
        return DraftClass(entry, self.resource, min(counts), item.place, tuple(self.remarks))

    def name(self, discovered: list[_Units]) -> str | None:
        """Return the template of names: the default where it tells the devices apart, else as the kernel has them."""
        if not discovered:
            return None
        if len(discovered) == 1 and discovered[0].name:
            return constant(discovered[0].name)
        globs = tuple(glob for one in discovered for select in one.selects for glob in _globs_of(select))
        return None if are_told_apart(globs) else "{sysname}"

    def declared(self) -> Iterable[Declared]:
        name = self.resource.partition("/")[2]
        for number, one in enumerate(one for one in self.units if one.declared):
            yield Declared(name=f"{name}-{number}", container_edits=one.declared)


def _units(group: Group) -> _Units:
    if group.usb:
        return _usb_units(group)
    if not group.paths:
        raise _LeftOutError("it has neither paths nor usb", "")
    strange = next((path for path in group.paths if path.kind not in ("Device", "Mount")), None)
    if strange:
        raise _LeftOutError(f"generic-device-plugin knows no type {strange.kind!r}, and does nothing for it", "")
    if len(group.paths) == 1:
        return _single(group, group.paths[0])
    if all(path.literal for path in group.paths):
        return _all_literal(group)
    return _with_companions(group)


def _usb_units(group: Group) -> _Units:
    selects = []
    for usb in group.usb:
        if "0000" in (usb.vendor, usb.product):
            raise _LeftOutError("a vendor or product that is not given matches no device there", "give both")
        keys = UsbKeys(vendor=usb.vendor, product=usb.product, serial=literal(usb.serial) if usb.serial else ())
        selects.append(Select(subsystem="usb", usb=keys))
    remarks = tuple(remark for usb in group.usb for remark in usb.remarks)
    single = group.item.remark(
        "generic-device-plugin makes one unit of several such devices; here each is a device", aloud=False
    )
    together = len(selects) > 1
    return _Units(group, tuple(selects), "rw", together=together, remarks=remarks if together else (*remarks, single))


def _single(group: Group, path: Path) -> _Units:
    if path.kind == "Mount":
        if not path.literal:
            raise _LeftOutError(
                "its mounts are found by a pattern, and only device nodes are found here",
                "declare a device for each, with containerEdits.mounts",
            )
        return _Units(group, declared=_edits((path,)))
    glob = _glob(path)
    permissions = _letters(path)
    if path.literal and is_directory(path.path):
        if path.inside and path.target != path.path:
            raise _LeftOutError(
                "it is a directory under another path in the container, where all nodes keep their own",
                "select its nodes one by one, with node.path",
            )
        return _Units(group, (Select(devnode=(f"{glob}/**",)),), permissions, together=True)
    if path.literal:
        name = posixpath.basename(path.path)
        return _Units(group, (Select(devnode=(glob,)),), permissions, constant(path.target), name)
    remarks: tuple[Remark, ...] = ()
    if is_link_place(glob) and (not path.inside or path.inside.endswith("/")):
        remarks = (
            path.item.remark(
                f"{glob} are links: a container sees their nodes by the kernel's names here",
                "set node.path to see them by another, such as {link}",
            ),
        )
    inside = constant(path.inside) or None
    if inside and inside.endswith("/"):
        inside += "{devnode}"
    return _Units(group, (Select(devnode=(glob, *below_directories(glob))),), permissions, inside, remarks=remarks)


def _all_literal(group: Group) -> _Units:
    if any(path.kind == "Device" and is_directory(path.path) for path in group.paths):
        raise _LeftOutError("it has a directory among other paths", "declare a device with its nodes")
    required = tuple(path for path in group.paths if not path.optional)
    if required:
        left = [path.path for path in group.paths if path.optional]
        remarks = (
            group.item.remark(
                f"the optional {', '.join(left)} is left out, since a declared device has all its nodes or none",
                "add it to deviceNodes where it is always there",
            ),
        )
        return _Units(group, declared=_edits(required), remarks=(*(remarks if left else ()), *_linked(required)))
    moved = next((path for path in group.paths if path.kind == "Mount" or path.target != path.path), None)
    if moved or len({_letters(path) for path in group.paths}) > 1:
        raise _LeftOutError(
            "all its paths are optional, and not all are nodes under their own path with the same permissions",
            "declare a device with those that are always there",
        )
    selects = (Select(devnode=tuple(map(_glob, group.paths))),)
    return _Units(group, selects, _letters(group.paths[0]), together=True)


def _linked(paths: tuple[Path, ...]) -> tuple[Remark, ...]:
    return tuple(
        path.item.remark(
            f"{path.path} is a link, which runtimes do not follow in CDI specs",
            "name the node itself, or select it with devnode",
        )
        for path in paths
        if path.kind == "Device" and is_link_place(path.path)
    )


def _with_companions(group: Group) -> _Units:
    """One glob, and paths that come with each node that it matches."""
    wild = [path for path in group.paths if not path.literal]
    others = tuple(path for path in group.paths if path.literal)
    advice = 'if all belong to one USB device, group_by = "usb" with one select for each is what is meant'
    if len(wild) > 1 or wild[0].kind == "Mount":
        raise _LeftOutError("it pairs what several patterns match in the order of their names, which is chance", advice)
    limit = min(path.limit for path in others)
    if limit == 1:
        raise _LeftOutError(
            "it takes the first node only that a pattern matches, which is chance",
            "name the node, or give the other paths a limit",
        )
    if any(path.optional or is_directory(path.path) for path in others):
        raise _LeftOutError("an optional path or a directory cannot come with each node", "select it by itself")
    units = _single(replace(group, paths=(wild[0],)), wild[0])
    capped = group.item.remark(f"there the limit keeps the nodes to {limit}; here all are devices", aloud=False)
    return replace(units, edits=_edits(others), remarks=(*units.remarks, capped, *_linked(others)))


def _edits(paths: tuple[Path, ...]) -> dict[str, Any]:
    nodes = [
        {
            "path": path.target,
            **({"hostPath": path.path} if path.target != path.path else {}),
            "permissions": _letters(path),
        }
        for path in paths
        if path.kind == "Device"
    ]
    mounts = [
        {"hostPath": path.path, "containerPath": path.target, "options": [*_MOUNT, "ro" if path.read_only else "rw"]}
        for path in paths
        if path.kind == "Mount"
    ]
    return {key: value for key, value in (("deviceNodes", nodes), ("mounts", mounts)) if value}


def _glob(path: Path) -> str:
    try:
        return from_go(path.path)
    except UntranslatableError as error:
        raise _LeftOutError(f"{path.path!r} cannot be used, since {error}", "write a class for what it means") from None


def _letters(path: Path) -> str:
    if not path.permissions or set(path.permissions) - set("rwm"):
        raise _LeftOutError(f"{path.permissions!r} are no permissions", "write letters out of r, w and m")
    return "".join(letter for letter in "rwm" if letter in path.permissions)


def _shifts(units: _Units) -> bool:
    """Tell whether nodes are under another path in the container; a link that keeps its own path may lose it."""
    return any(path.inside and path.inside != path.path for path in units.group.paths)


def _globs_of(select: Select) -> tuple[str, ...]:
    return (select.devnode,) if isinstance(select.devnode, str) else select.devnode


def _merged(selects: Iterable[tuple[Select, ...]]) -> tuple[Select, ...]:
    """Make one select of all that only name nodes."""
    flat = [select for several in selects for select in several]
    globs = tuple(dict.fromkeys(glob for select in flat for glob in _globs_of(select)))
    named = (Select(devnode=globs),) if globs else ()
    return (*named, *(select for select in flat if not select.devnode))
