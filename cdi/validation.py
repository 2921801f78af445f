"""Rules between the members of a spec, in three judgements that are kept apart.

:func:`check` finds what a runtime rejects, and what would crash one; :func:`warnings` what runtimes accept although
SPEC.md forbids it; :func:`advice` what is allowed, and yet may not do what was meant on this node.
``where`` of every problem is a JSON path such as ``devices[0].containerEdits.deviceNodes[1].path``. No judgement finds
more than :data:`cdi.errors.MOST` problems.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from cdi import versions
from cdi.errors import MOST, Problem, shown
from cdi.names import class_problem, device_problem, split_kind, vendor_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cdi.hostnode import HostNode, Look
    from cdi.model import ContainerEdits, DeviceNode, Hook, IntelRdt, Mount, NetDevice, Spec

HOOK_NAMES = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
NODE_TYPES = ("b", "c", "u", "p")
NO_PERMISSIONS = "none"

# Characters that a resctrl group, being a directory, cannot have in its name; "/" alone is the root group.
_NO_CLOS = re.compile("[/\n]")
_CLOS_LENGTH = 4096

_DNS_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_DNS_SUBDOMAIN = re.compile(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*")
_ANNOTATION_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_ANNOTATIONS_SIZE = 256 * 1024
_VENDOR_LENGTH = 253
_CLASS_LENGTH = 63


def check(spec: Spec) -> tuple[Problem, ...]:
    """Return the errors of a spec: all that makes runtimes reject the file, or die of it."""
    return tuple(islice(_errors(spec, strict=True), MOST))


def rejected(spec: Spec) -> tuple[Problem, ...]:
    """Return only what makes runtimes reject the file: :func:`check` without the rule that is ours alone."""
    return tuple(islice(_errors(spec, strict=False), MOST))


def warnings(spec: Spec) -> tuple[Problem, ...]:
    """Return what SPEC.md forbids, although runtimes accept it."""
    return tuple(islice(_warnings(spec), MOST))


def advice(spec: Spec, look: Look, runtime: str | None = None) -> tuple[Problem, ...]:
    """Return what may go wrong on one node.

    ``look`` tells what the node has at a path. ``runtime`` is a key of :data:`cdi.versions.RUNTIMES`; with None,
    nothing is said about versions.
    """
    return tuple(islice(_advice(spec, look, runtime), MOST))


def _errors(spec: Spec, *, strict: bool) -> Iterator[Problem]:
    yield from _version_errors(spec)
    yield from _kind_errors(spec.kind, strict=strict)
    yield from _edits_errors("containerEdits", spec.container_edits)
    if not spec.devices:
        yield Problem("devices", "there is no device", "a spec needs at least one; remove the file instead")
    seen: dict[str, int] = {}
    for index, device in enumerate(spec.devices):
        place = f"devices[{index}]"
        if problem := device_problem(device.name):
            yield Problem(f"{place}.name", problem)
        if (first := seen.setdefault(device.name, index)) != index:
            yield Problem(f"{place}.name", f"device {shown(device.name)} is defined already, as devices[{first}]")
        if not device.container_edits:
            yield Problem(
                f"{place}.containerEdits",
                "the device changes nothing in a container",
                "give it at least one edit",
            )
        yield from _edits_errors(f"{place}.containerEdits", device.container_edits)


def _version_errors(spec: Spec) -> Iterator[Problem]:
    declared = versions.order(spec.version)
    if declared < 0:
        known = ", ".join(versions.ALL[versions.order(versions.EARLIEST) :])
        yield Problem("cdiVersion", f"there is no CDI version {shown(spec.version)}", f"use one of {known}")
        return
    minimum = versions.enforced_version(spec)
    if declared < versions.order(minimum):
        need = next((need for need in versions.needs(spec) if need.version == minimum), None)
        why = f"{need.what} at {need.where} needs {minimum}" if need else f"{minimum} is the lowest that is read"
        yield Problem("cdiVersion", f"version {spec.version} is too low: {why}", f"declare {minimum}")


def _kind_errors(kind: str, *, strict: bool) -> Iterator[Problem]:
    vendor, class_ = split_kind(kind)
    if not vendor:
        yield Problem("kind", f"kind {shown(kind)} is not of the form vendor/class", "write it like acme.com/modem")
        return
    for problem in (vendor_problem(vendor, strict=strict), class_problem(class_, strict=strict)):
        if problem:
            yield Problem("kind", problem)


def _edits_errors(place: str, edits: ContainerEdits) -> Iterator[Problem]:
    yield from _env_errors(f"{place}.env", edits.env)
    for index, node in enumerate(edits.device_nodes):
        yield from _node_errors(f"{place}.deviceNodes[{index}]", node)
    for index, hook in enumerate(edits.hooks):
        yield from _hook_errors(f"{place}.hooks[{index}]", hook)
    for index, mount in enumerate(edits.mounts):
        yield from _mount_errors(f"{place}.mounts[{index}]", mount)
    if edits.intel_rdt is not None:
        yield from _rdt_errors(f"{place}.intelRdt", edits.intel_rdt)
    yield from _net_errors(f"{place}.netDevices", edits.net_devices)


def _env_errors(place: str, env: Iterable[str]) -> Iterator[Problem]:
    for index, variable in enumerate(env):
        if variable.find("=") <= 0:
            yield Problem(f"{place}[{index}]", f"{shown(variable)} does not set a variable", "write it like NAME=VALUE")


def _node_errors(place: str, node: DeviceNode) -> Iterator[Problem]:
    if not node.path:
        yield Problem(f"{place}.path", "the path is empty")
    if node.type and node.type not in NODE_TYPES:
        yield Problem(
            f"{place}.type", f"there is no device type {shown(node.type)}", "use b, c, u or p, or leave it out"
        )
    if node.permissions != NO_PERMISSIONS and node.permissions.strip("rwm"):
        yield Problem(
            f"{place}.permissions", f"{shown(node.permissions)} are no permissions", "use letters of r, w and m"
        )


def _hook_errors(place: str, hook: Hook) -> Iterator[Problem]:
    if hook.hook_name not in HOOK_NAMES:
        yield Problem(
            f"{place}.hookName",
            f"there is no hook {shown(hook.hook_name)}",
            f"use one of {', '.join(HOOK_NAMES[1:])}",
        )
    if not hook.path:
        yield Problem(f"{place}.path", "the path is empty")
    yield from _env_errors(f"{place}.env", hook.env)


def _mount_errors(place: str, mount: Mount) -> Iterator[Problem]:
    if not mount.host_path:
        yield Problem(f"{place}.hostPath", "the path is empty")
    if not mount.container_path:
        yield Problem(f"{place}.containerPath", "the path is empty")


def _rdt_errors(place: str, rdt: IntelRdt) -> Iterator[Problem]:
    clos = rdt.clos_id
    if clos == "/":
        return
    if clos in {".", ".."} or _NO_CLOS.search(clos) or len(clos.encode(errors="replace")) >= _CLOS_LENGTH:
        yield Problem(f"{place}.closID", f"{shown(clos)} cannot be the name of a directory")


def _net_errors(place: str, devices: Iterable[NetDevice]) -> Iterator[Problem]:
    hosts: dict[str, int] = {}
    names: dict[str, int] = {}
    for index, device in enumerate(devices):
        for member, value, seen in (
            ("hostInterfaceName", device.host_interface_name, hosts),
            ("name", device.name, names),
        ):
            if not value:
                yield Problem(f"{place}[{index}].{member}", "the name is empty")
            elif (first := seen.setdefault(value, index)) != index:
                yield Problem(f"{place}[{index}].{member}", f"{shown(value)} is taken already, by item {first}")


def _warnings(spec: Spec) -> Iterator[Problem]:
    minimum = versions.minimum_version(spec)
    if spec.version.startswith("v"):
        yield Problem("cdiVersion", f"{shown(spec.version)} is not a semantic version", "leave out the v")
    if versions.order(versions.enforced_version(spec)) <= versions.order(spec.version) < versions.order(minimum):
        need = next(need for need in versions.needs(spec) if need.version == minimum)
        yield Problem(
            "cdiVersion",
            f"version {spec.version} is too low: {need.what} at {need.where} needs {minimum}",
            "runtimes overlook it in all devices but the last",
        )
    yield from _kind_warnings(spec.kind)
    yield from _annotation_warnings("annotations", spec.annotations)
    yield from _edits_warnings("containerEdits", spec.container_edits)
    for index, device in enumerate(spec.devices):
        place = f"devices[{index}]"
        if ":" in device.name:
            yield Problem(
                f"{place}.name", f"device name {shown(device.name)} has a colon", "SPEC.md allows '-', '_', '.'"
            )
        yield from _annotation_warnings(f"{place}.annotations", device.annotations)
        yield from _edits_warnings(f"{place}.containerEdits", device.container_edits)


def _kind_warnings(kind: str) -> Iterator[Problem]:
    vendor, class_ = split_kind(kind)
    if vendor and not _DNS_SUBDOMAIN.fullmatch(vendor):
        yield Problem("kind", f"vendor {shown(vendor)} is not a DNS name in lower case")
    if len(vendor) > _VENDOR_LENGTH:
        yield Problem("kind", f"the vendor has {len(vendor)} characters", f"at most {_VENDOR_LENGTH} are allowed")
    if len(class_) > _CLASS_LENGTH:
        yield Problem("kind", f"the class has {len(class_)} characters", f"at most {_CLASS_LENGTH} are allowed")


def _annotation_warnings(place: str, annotations: Mapping[str, str]) -> Iterator[Problem]:
    for key in annotations:
        prefix, slash, name = key.rpartition("/")
        if (slash and not _DNS_SUBDOMAIN.fullmatch(prefix.lower())) or len(prefix) > _VENDOR_LENGTH:
            yield Problem(f"{place}[{_quoted(key)}]", "the part before the slash is not a DNS name")
        if not _ANNOTATION_NAME.fullmatch(name) or len(name) > _CLASS_LENGTH:
            yield Problem(
                f"{place}[{_quoted(key)}]",
                "the name is not made of letters, digits, '-', '_' and '.' between alphanumerics",
                f"at most {_CLASS_LENGTH} characters are allowed",
            )
    size = sum(len(text.encode(errors="replace")) for item in annotations.items() for text in item)
    if size > _ANNOTATIONS_SIZE:
        yield Problem(place, f"the annotations have {size} bytes", f"at most {_ANNOTATIONS_SIZE} are allowed")


def _edits_warnings(place: str, edits: ContainerEdits) -> Iterator[Problem]:
    for index, node in enumerate(edits.device_nodes):
        if node.permissions == NO_PERMISSIONS:
            yield Problem(
                f"{place}.deviceNodes[{index}].permissions",
                "released runtimes do not know the permissions 'none'",
            )
    for index, hook in enumerate(edits.hooks):
        yield from _hook_warnings(f"{place}.hooks[{index}]", hook)
    for index, gid in enumerate(edits.additional_gids):
        if gid == 0:
            yield Problem(f"{place}.additionalGids[{index}]", "group 0 is ignored", "leave it out")


def _hook_warnings(place: str, hook: Hook) -> Iterator[Problem]:
    if hook.hook_name == HOOK_NAMES[0]:
        yield Problem(f"{place}.hookName", "prestart hooks are not part of CDI, and deprecated", "use createRuntime")
    if not hook.path.startswith("/"):
        yield Problem(f"{place}.path", f"hook path {shown(hook.path)} is not absolute")
    if hook.timeout is not None and hook.timeout <= 0:
        yield Problem(f"{place}.timeout", f"timeout {hook.timeout} is not greater than zero", "leave it out for none")


def _advice(spec: Spec, look: Look, runtime: str | None) -> Iterator[Problem]:
    if runtime is not None and versions.order(spec.version) > versions.order(versions.RUNTIMES[runtime]):
        highest = versions.RUNTIMES[runtime]
        yield Problem("cdiVersion", f"{runtime} reads at most version {highest}, not {spec.version}")
    yield from _nodes_advice("containerEdits", spec.container_edits, look)
    for index, device in enumerate(spec.devices):
        yield from _nodes_advice(f"devices[{index}].containerEdits", device.container_edits, look)


def _nodes_advice(place: str, edits: ContainerEdits, look: Look) -> Iterator[Problem]:
    for index, node in enumerate(edits.device_nodes):
        path = node.host_path or node.path
        if (live := look(path)) is not None:
            member = "hostPath" if node.host_path else "path"
            yield from _node_advice(f"{place}.deviceNodes[{index}]", member, node, live)


def _node_advice(place: str, member: str, node: DeviceNode, live: HostNode) -> Iterator[Problem]:
    path = node.host_path or node.path
    fixed = node.type not in {"", "p"} and node.major != 0
    if live.type == "link" and not fixed:
        yield Problem(f"{place}.{member}", f"{path} is a link, and runtimes follow none", "name its target")
    elif live.type in {"b", "c"} and fixed and (node.major, node.minor) != (live.major, live.minor):
        yield Problem(
            f"{place}.major",
            f"{path} is device {live.major}:{live.minor} now, and the spec says {node.major}:{node.minor}",
            "leave type, major and minor out, so that the runtime looks them up",
        )


def _quoted(key: str) -> str:
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
