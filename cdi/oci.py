"""Devices into an OCI runtime spec: a ``config.json`` and edits to a new ``config.json``, as runtimes make it.

Order of application: environment, device nodes, network interfaces, mounts, hooks, intelRdt, groups. The edits of a
spec itself come before those of the first of its devices. Facts about device nodes come in as a function.
"""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from cdi.errors import CDIError, Problem, shown
from cdi.model import ContainerEdits, DeviceNode, Hook, IntelRdt, Mount
from cdi.validation import HOOK_NAMES, NO_PERMISSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cdi.hostnode import Look
    from cdi.registry import Registry

_Object: TypeAlias = dict[str, Any]

_CGROUP_TYPES = ("b", "c")
_ID_MAPPED = {"bind": "idmap", "rbind": "ridmap"}


class UnresolvedError(CDIError):
    """Devices were asked for that nothing offers; ``names`` are theirs."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(*(Problem(name, "no spec offers this device") for name in self.names))


class NoOCISpecError(CDIError):
    """What was given as an OCI runtime spec is none; ``where`` of the problem is a path in it."""


def inject(registry: Registry, spec: Mapping[str, Any], names: Iterable[str], look: Look) -> dict[str, Any]:
    """Return an OCI runtime spec with devices added; ``spec`` is left as it is.

    ``names`` are qualified; ``look`` tells what the node has at a path, links not followed.

    Raises:
        UnresolvedError: a name is that of no device; all such names are in it.
        CDIError: a device node is not there, or not of the type that its spec says.
        NoOCISpecError: that is what ``spec`` is.
    """
    return apply(edits_of(registry, names), spec, look)


def edits_of(registry: Registry, names: Iterable[str]) -> ContainerEdits:
    """Return the joined edits of devices, those of each spec before those of the first of its devices.

    Raises:
        UnresolvedError: a name is that of no device.
    """
    names = tuple(names)
    entries = [registry.resolve(name) for name in names]
    unresolved = [name for name, entry in zip(names, entries, strict=True) if entry is None]
    if unresolved:
        raise UnresolvedError(unresolved)
    parts: list[ContainerEdits] = []
    seen: set[str] = set()
    for entry in entries:
        if entry is None:
            continue
        if entry.file.path not in seen:
            seen.add(entry.file.path)
            parts.append(entry.spec.container_edits)
        parts.append(entry.device.container_edits)
    return _joined(parts)


def _joined(parts: Sequence[ContainerEdits]) -> ContainerEdits:
    """Join by halves: one after another, thousands would be copied thousands of times."""
    if len(parts) <= 1:
        return parts[0] if parts else ContainerEdits()
    middle = len(parts) // 2
    return _joined(parts[:middle]).joined(_joined(parts[middle:]))


def apply(edits: ContainerEdits, spec: Mapping[str, Any], look: Look) -> dict[str, Any]:
    """Return an OCI runtime spec with edits applied; ``spec`` is left as it is.

    Raises:
        CDIError: a device node is not there, or not of the type that its spec says.
        NoOCISpecError: that is what ``spec`` is.
    """
    edited = _copied(spec)
    _add_env(edited, edits.env)
    _add_nodes(edited, edits.device_nodes, look)
    for net_device in edits.net_devices:
        interfaces = _section(_section(edited, "linux"), "netDevices", "linux")
        interfaces[net_device.host_interface_name] = {"name": net_device.name}
    _add_mounts(edited, edits.mounts)
    for hook in edits.hooks:
        _add_hook(edited, hook)
    if edits.intel_rdt is not None:
        _section(edited, "linux")["intelRdt"] = _rdt(edits.intel_rdt)
    _add_groups(edited, edits.additional_gids)
    return edited


def _add_env(spec: _Object, env: Iterable[str]) -> None:
    """Set variables: the last of the same name is replaced where it stands."""
    if not env:
        return
    present: list[str] = _list(_process(spec), "env", "process", _is_text)
    places = {variable.partition("=")[0]: index for index, variable in enumerate(present)}
    for variable in env:
        name = variable.partition("=")[0]
        if name in places:
            present[places[name]] = variable
        else:
            places[name] = len(present)
            present.append(variable)


def _add_nodes(spec: _Object, nodes: Iterable[DeviceNode], look: Look) -> None:
    if not nodes:
        return
    user = _present(_present(spec, "process"), "user", "process")
    # A process that is not root could not open the node otherwise.
    owner = {member: number for member in ("uid", "gid") if (number := _number(user, member, "process.user"))}
    linux = _section(spec, "linux")
    devices: list[_Object] = _list(linux, "devices", "linux", _is_object)
    taken = _texts_at(devices, "path")
    rules: list[_Object] = []
    for node in nodes:
        own = {"uid": node.uid, "gid": node.gid}
        device = {**_device(node, look), **owner, **{name: id_ for name, id_ in own.items() if id_ is not None}}
        if node.path in taken:
            _remove_first(devices, "path", node.path)
            _replace_or_add(devices, device)
        else:
            devices.append(device)
        taken.add(node.path)
        if device["type"] in _CGROUP_TYPES:
            rules.append(_cgroup_rule(device, node.permissions))
    if rules:
        _list(_section(linux, "resources", "linux"), "devices", "linux.resources", _is_object).extend(rules)


def _replace_or_add(devices: list[_Object], device: _Object) -> None:
    same = next((index for index, other in enumerate(devices) if other.get("path") == device["path"]), len(devices))
    devices[same : same + 1] = [device]


def _device(node: DeviceNode, look: Look) -> _Object:
    """Return a node as OCI has it; what its spec does not say is taken from the host.

    Raises:
        CDIError: the host has no such node, and the spec does not say all that is needed.
    """
    path = node.host_path or node.path
    type_, major, minor, mode = node.type, node.major, node.minor, node.file_mode
    is_complete = bool(type_) and (major != 0 or type_ == "p")
    live = look(path)
    if live is None or live.type not in {"b", "c", "p"}:
        if not is_complete:
            fact = "is not there" if live is None else "is no device node (links are not followed)"
            raise CDIError(Problem(path, f"the host's device node {fact}"))
    else:
        mode = live.mode if mode is None else mode
        type_ = type_ or live.type
        if not is_complete and type_ != live.type:
            raise CDIError(
                Problem(path, f"the host's device node is of type {live.type}, not {type_} as the spec says")
            )
        if not is_complete and type_ != "p" and major == 0:
            major, minor = live.major, live.minor
    device: _Object = {"path": node.path, "type": type_, "major": major, "minor": minor}
    return device if mode is None else {**device, "fileMode": mode}


def _cgroup_rule(device: _Object, permissions: str) -> _Object:
    rule = {"allow": True, "type": device["type"], "major": device["major"], "minor": device["minor"]}
    if permissions == NO_PERMISSIONS:
        return rule
    return {**rule, "access": permissions or "rwm"}


def _add_mounts(spec: _Object, mounts: Iterable[Mount]) -> None:
    """Add mounts, each in the place of one with the same destination; then the shallow come before the deep."""
    if not mounts:
        return
    present: list[_Object] = _list(spec, "mounts", "", _is_object)
    taken = _texts_at(present, "destination")
    id_mapped = _has_user_namespace(spec)
    for mount in mounts:
        if mount.container_path in taken:
            _remove_first(present, "destination", mount.container_path)
        present.append(_mount(mount, id_mapped=id_mapped))
        taken.add(mount.container_path)
    present.sort(key=_depth)


def _mount(mount: Mount, *, id_mapped: bool) -> _Object:
    options = list(mount.options)
    if id_mapped and (option := _id_mapping(mount)):
        options.append(option)
    return _without_empty(
        {"destination": mount.container_path},
        type=mount.type,
        source=mount.host_path,
        options=options,
    )


def _id_mapping(mount: Mount) -> str:
    """Return the option that a bind mount needs in a user namespace; empty where it needs none or has one."""
    if not {"idmap", "ridmap"}.isdisjoint(mount.options):
        return ""
    kinds = (mount.type if mount.type == "bind" else "", *mount.options)
    return next((_ID_MAPPED[kind] for kind in reversed(kinds) if kind in _ID_MAPPED), "")


def _depth(mount: _Object) -> int:
    path = posixpath.normpath(str(mount.get("destination") or ""))
    return path.removeprefix("/" if path.startswith("//") else "").count("/")


def _has_user_namespace(spec: _Object) -> bool:
    linux = _present(spec, "linux")
    if linux.get("namespaces") is None:
        return False
    return any(namespace.get("type") == "user" for namespace in _list(linux, "namespaces", "linux", _is_object))


def _add_hook(spec: _Object, hook: Hook) -> None:
    if hook.hook_name not in HOOK_NAMES:
        raise CDIError(Problem("", f"there is no hook {shown(hook.hook_name)}"))
    hooks = _list(_section(spec, "hooks"), hook.hook_name, "hooks", _is_object)
    added = _without_empty({"path": hook.path}, args=list(hook.args), env=list(hook.env))
    hooks.append(added if hook.timeout is None else {**added, "timeout": hook.timeout})


def _rdt(rdt: IntelRdt) -> _Object:
    return _without_empty(
        {},
        closID=rdt.clos_id,
        schemata=list(rdt.schemata or ()),
        l3CacheSchema=rdt.l3_cache_schema,
        memBwSchema=rdt.mem_bw_schema,
        enableMonitoring=rdt.enable_monitoring,
    )


def _add_groups(spec: _Object, gids: Iterable[int]) -> None:
    wanted = [gid for gid in gids if gid != 0]
    if not wanted:
        return
    user = _section(_process(spec), "user", "process")
    present = _list(user, "additionalGids", "process.user", _is_number)
    taken = set(present)
    present += [gid for gid in dict.fromkeys(wanted) if gid not in taken]


# An OCI spec is somebody's file: what is missing is made, what is of another type than it must be is refused.


def _process(spec: _Object) -> _Object:
    process = _section(spec, "process")
    if not process:
        process.update({"user": {"uid": 0, "gid": 0}, "cwd": ""})
    return process


def _section(parent: _Object, name: str, place: str = "") -> _Object:
    if parent.get(name) is None:
        parent[name] = {}
    return _present(parent, name, place)


def _present(parent: _Object, name: str, place: str = "") -> _Object:
    section = {} if parent.get(name) is None else parent[name]
    if not isinstance(section, dict):
        raise NoOCISpecError(
            Problem(f"{place}.{name}".lstrip("."), "this is not the object that an OCI spec has there")
        )
    return section


def _copied(spec: object) -> _Object:
    if not isinstance(spec, Mapping):
        raise NoOCISpecError(Problem("", "an OCI spec is an object"))
    try:
        return copy.deepcopy(dict(spec))
    except RecursionError:
        raise NoOCISpecError(Problem("", "the OCI spec is nested too deep")) from None


def _number(parent: _Object, name: str, place: str) -> int:
    number = 0 if parent.get(name) is None else parent[name]
    if not _is_number(number):
        raise NoOCISpecError(Problem(f"{place}.{name}", "this is not the number that an OCI spec has there"))
    return int(number)


def _list(parent: _Object, name: str, place: str, is_item: Callable[[Any], bool]) -> list[Any]:
    if parent.get(name) is None:
        parent[name] = []
    items = parent[name]
    if not isinstance(items, list) or not all(map(is_item, items)):
        raise NoOCISpecError(Problem(f"{place}.{name}".lstrip("."), "this is not the list that an OCI spec has there"))
    return items


def _is_text(item: Any) -> bool:
    return isinstance(item, str)


def _is_object(item: Any) -> bool:
    return isinstance(item, dict)


def _is_number(item: Any) -> bool:
    return type(item) is int and item >= 0


def _texts_at(items: Iterable[_Object], member: str) -> set[str]:
    """Return what a member of some objects says, which tells most often that none must be looked for."""
    return {text for item in items if isinstance(text := item.get(member), str)}


def _remove_first(items: list[_Object], member: str, value: str) -> None:
    for index, item in enumerate(items):
        if item.get(member) == value:
            del items[index]
            return


def _without_empty(first: _Object, **others: Any) -> _Object:
    return first | {name: value for name, value in others.items() if value}
