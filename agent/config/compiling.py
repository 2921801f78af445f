"""From the checked form of a configuration to settings: globs, templates, kinds and CDI's own edits."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import os
import re
from typing import TYPE_CHECKING, Any

from agent import templates
from agent.patterns import Pattern, PatternError, path_pattern, value_pattern
from agent.templates import Template, TemplateError
from cdi import codec, names, schema, validation, versions
from cdi.errors import CDIError, Problem
from cdi.model import ContainerEdits, Device, Spec

from . import files
from .settings import (
    DEFAULT_GROUP_NAME,
    DEFAULT_NAME,
    Containerd,
    Declared,
    DeviceClass,
    EditsTemplate,
    Kubelet,
    NodeEdits,
    Parent,
    Resource,
    Selector,
    Settings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.toml import Path

    from . import model
    from .settings import Patterns

Fault = tuple["Path", str, str]

_SOCKETS_LIMIT = 70  # bytes; of the 107 of a socket's path, our names need 37
KIND_LIMIT = 200  # characters; prefix, suffix and the mark of a temporary file must fit beside it into 255
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_IDS = frozenset({"vendor", "product", "device", "class"})
_GROUP = re.compile(r"parent:[a-z0-9_-]+|[A-Z][A-Z0-9_]*")
_DOMAIN = re.compile(r"(?=.{1,244}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_RESOURCE = re.compile(r"(?=.{1,63}$)[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_FIELDS = 'write it like "{ID_SERIAL_SHORT|ID_PATH|sysname}"; docs/configuration.md lists the fields'


def compile_config(config: model.Config, place: Callable[[Path], str]) -> tuple[Settings, list[Fault]]:
    """Compile a configuration that fits the model; ``place`` tells where a path stands.

    Returns the settings and every fault found: path, fact, advice. With faults the settings are of no use.
    """
    faults: list[Fault] = []
    classes = []
    seen: dict[str, str] = {}
    resources: dict[str, str] = {}
    served = config.kubelet.device_plugin is not False
    notes: list[Problem] = []
    for index, entry in enumerate(config.classes):
        path: Path = ("class", index)
        compiler = _Compiler(path, faults)
        compiled = compiler.device_class(entry, place((*path, "kind")))
        if entry.kind and entry.kind in seen:
            compiler.fault(("kind",), f"{entry.kind!r} is the kind of another class already, at {seen[entry.kind]}",
                           "a kind is one spec file: merge the classes, or name one differently")  # fmt: skip
            continue
        seen[entry.kind] = place((*path, "kind"))
        resource, reason = compiler.resource(entry, resources, place)
        if reason and served:
            notes.append(Problem(place((*path, "kind")), reason, "give it a kubernetes.resource, or enabled = false"))
        classes.append(dataclasses.replace(compiled, resource=resource))
    faults += _directory_faults(config)
    faults += _agent_faults(config.agent)
    return dataclasses.replace(_settings(config, tuple(classes)), notes=tuple(notes)), faults


def _settings(config: model.Config, classes: tuple[DeviceClass, ...]) -> Settings:
    agent, runtime = config.agent, config.containerd
    return Settings(
        spec_dir=os.path.normpath(agent.spec_dir),
        state_dir=os.path.normpath(agent.state_dir),
        settle=seconds(agent.settle),
        resync=max(1.0, seconds(agent.resync)),
        max_cdi_version=None if agent.max_cdi_version == "auto" else agent.max_cdi_version,
        log=agent.log,
        classes=classes,
        files=(),
        containerd=Containerd(enable_cdi=runtime.enable_cdi, restart=runtime.restart, config=runtime.config),
        kubelet=_kubelet(config.kubelet),
        metrics=agent.metrics,
    )


def _kubelet(kubelet: model.Kubelet) -> Kubelet:
    return Kubelet(
        device_plugin=None if kubelet.device_plugin == "auto" else kubelet.device_plugin,
        directory=os.path.normpath(kubelet.directory),
        watched=kubelet.registration == "plugin-watcher",
        tombstones=seconds(kubelet.tombstones),
    )


def _directory_faults(config: model.Config) -> list[Fault]:
    directories: list[tuple[Path, str]] = [
        (("agent", "spec_dir"), config.agent.spec_dir),
        (("agent", "state_dir"), config.agent.state_dir),
        (("kubelet", "directory"), config.kubelet.directory),
    ]
    faults: list[Fault] = [
        (path, "has a control character", "write it without") for path, text in directories if not text.isprintable()
    ]
    if len(os.fsencode(_kubelet(config.kubelet).sockets)) > _SOCKETS_LIMIT:
        faults.append((("kubelet", "directory"), "is too long: the path of a socket has at most 107 bytes",
                       "name a shorter one"))  # fmt: skip
    return faults


def _agent_faults(agent: model.Agent) -> list[Fault]:
    faults: list[Fault] = []
    version = agent.max_cdi_version
    if version != "auto" and version not in versions.ALL:
        known = ", ".join(versions.ALL)
        faults.append((("agent", "max_cdi_version"), f"{version!r} is no version of CDI", f"known are {known}"))
    if agent.metrics is not None and (reason := _address_problem(agent.metrics)):
        faults.append((("agent", "metrics"), reason, 'write it like "127.0.0.1:9464" or "[::1]:9464"'))
    return faults


def _address_problem(address: str) -> str | None:
    """Say why nobody can listen at an address; names are none, since they may come to mean another."""
    host, _, port = address.rpartition(":")
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return f"{host!r} is no IP address"
    return None if 0 < int(port) < 65536 else f"there is no port {int(port)}"


def seconds(text: str) -> float:
    """Turn ``"100ms"``, ``"1.5s"``, ``"10m"``, ``"2h"`` or ``"7d"`` into seconds."""
    number = text.rstrip("mshd")
    return float(number) * _UNITS[text[len(number) :]]


def _resource_problem(name: str) -> str | None:
    """Say why the kubelet would not register a resource of this name (k8s.io/component-helpers, extended resources)."""
    domain, slash, rest = name.partition("/")
    if not slash or not _DOMAIN.fullmatch(domain) or not _RESOURCE.fullmatch(rest):
        return f"{name!r} is no name of a resource: domain in lower case, /, at most 63 letters, digits, - _ ."
    if domain.endswith("kubernetes.io") or domain.startswith("requests."):
        return f"{name!r} is reserved by Kubernetes"
    return None


class _Compiler:
    """Compiles one class; notes faults instead of stopping at the first."""

    def __init__(self, path: Path, faults: list[Fault]) -> None:
        self.path = path
        self.faults = faults

    def fault(self, path: Path, message: str, hint: str) -> None:
        self.faults.append(((*self.path, *path), message, hint))

    def device_class(self, entry: model.Class, origin: str) -> DeviceClass:
        if entry.preset is not None and entry.preset not in files.preset_names():
            known = ", ".join(files.preset_names())
            self.fault(("preset",), f"there is no preset {entry.preset!r}", f"known are {known}")
        self.kind(entry)
        if not entry.select and not entry.device and entry.preset is None:
            self.fault((), "takes no device", "add a [[class.select]] or a [[class.device]], or name a preset")
        edits = self.edits(entry.container_edits, ("containerEdits",))
        self.same_names(entry)
        return DeviceClass(
            kind=entry.kind,
            origin=origin,
            name=self.template(_name_of(entry), ("name",)),
            selects=tuple(self.selector(one, ("select", index)) for index, one in enumerate(entry.select)),
            excludes=tuple(self.selector(one, ("exclude", index)) for index, one in enumerate(entry.exclude)),
            node=self.node(entry.node),
            container_edits=edits,
            device_edits=self.device_edits(entry),
            group_by=self.group_by(entry),
            requires=entry.requires,
            all_name=self.all_name(entry),
            only_all=entry.only_all,
            declared=tuple(self.declared(one, ("device", index)) for index, one in enumerate(entry.device)),
        )

    def kind(self, entry: model.Class) -> None:
        if not entry.kind:
            if entry.preset is None or entry.preset in files.preset_names():  # an unknown one is a fault by itself
                self.fault(("kind",), "is missing", 'a class needs a kind, such as "acme.com/modem"')
        elif reason := names.kind_problem(entry.kind):
            self.fault(("kind",), reason, 'write it like "acme.com/modem"')
        elif len(entry.kind) > KIND_LIMIT:
            self.fault(("kind",), f"is longer than {KIND_LIMIT} characters, too long for a file name", "shorten it")

    def same_names(self, entry: model.Class) -> None:
        seen: dict[str, int] = {}
        for index, device in enumerate(entry.device):
            if seen.setdefault(device.name, index) != index:
                self.fault(("device", index, "name"), f"{device.name!r} is declared twice", "rename one")

    def template(self, text: str, path: Path) -> Template:
        try:
            return templates.parse(text)
        except TemplateError as error:
            self.fault(path, f"this template cannot be used: {error}", _FIELDS)
            return Template(text, ())

    def selector(self, entry: model.Select, path: Path) -> Selector:
        before = len(self.faults)
        selector = Selector(
            devnode=self.patterns(entry.devnode, (*path, "devnode"), path_pattern),
            sysname=self.patterns(entry.sysname, (*path, "sysname")),
            subsystem=self.patterns(entry.subsystem, (*path, "subsystem")),
            driver=self.patterns(entry.driver, (*path, "driver")),
            tags=self.patterns(entry.tags, (*path, "tags")),
            properties=self.tables(entry.properties, (*path, "properties")),
            attributes=self.attributes(entry.attributes, (*path, "attributes")),
            mountpoint=self.patterns(entry.mountpoint, (*path, "mountpoint")),
            parent=self.parent(entry.parent, (*path, "parent")) if entry.parent else None,
            usb=self.bus(entry.usb, (*path, "usb")),
            pci=self.bus(entry.pci, (*path, "pci")),
        )
        if selector == Selector() and len(self.faults) == before:
            self.fault(path, "has no key, and would take every device", "give at least one, such as devnode")
        return selector

    def parent(self, entry: model.Parent, path: Path) -> Parent:
        parent = Parent(
            sysname=self.patterns(entry.sysname, (*path, "sysname")),
            subsystem=self.patterns(entry.subsystem, (*path, "subsystem")),
            driver=self.patterns(entry.driver, (*path, "driver")),
            attributes=self.attributes(entry.attributes, (*path, "attributes")),
        )
        if parent == Parent():
            self.fault(path, "has no key, and would fit every ancestor", "give at least one, such as subsystem")
        return parent

    def attributes(self, entries: dict[str, model.Globs], path: Path) -> dict[str, Patterns]:
        for name in entries:
            if not templates.is_attribute(name):
                self.fault(
                    (*path, name), "is no path inside the device's directory", 'write it like "queue/rotational"'
                )
        return self.tables(entries, path)

    def bus(self, entry: model.Usb | model.Pci | None, path: Path) -> dict[str, Patterns]:
        """Compile what a USB or PCI device must be. Ids are hexadecimal, in lower case and without 0x, as in sysfs."""
        compiled = {}
        for field in dataclasses.fields(entry) if entry else ():
            name = str(field.metadata.get("alias", field.name))
            globs = getattr(entry, field.name)
            if name in _IDS:
                globs = _as_in_sysfs(globs)
            if globs:
                compiled[name] = self.patterns(globs, (*path, name))
        if entry and not compiled:
            self.fault(path, "has no key, and would fit every device on the bus", "give at least one, such as vendor")
        return compiled

    def tables(self, entries: dict[str, model.Globs], path: Path) -> dict[str, Patterns]:
        return {name: self.patterns(globs, (*path, name)) for name, globs in entries.items()}

    def patterns(
        self, globs: model.Globs, path: Path, compile_one: Callable[[str], Pattern] = value_pattern
    ) -> Patterns:
        if isinstance(globs, str):
            return self.pattern(globs, path, compile_one)
        return tuple(
            pattern for index, glob in enumerate(globs) for pattern in self.pattern(glob, (*path, index), compile_one)
        )

    def pattern(self, glob: str, path: Path, compile_one: Callable[[str], Pattern]) -> tuple[Pattern, ...]:
        try:
            return (compile_one(glob),)
        except PatternError as error:
            self.fault(
                path,
                f"this glob cannot be used: {error}",
                "correct it; globs know *, ?, [a-z] and, in paths, **",
            )
            return ()

    def node(self, entry: model.Node) -> NodeEdits:
        if len(set(entry.permissions)) < len(entry.permissions):
            self.fault(
                ("node", "permissions"),
                f"{entry.permissions!r} repeats a letter",
                "write each of r, w, m once",
            )
        if entry.path is None:
            return NodeEdits(permissions=entry.permissions, group=entry.group)
        try:
            path = templates.parse(entry.path, extra=templates.IN_EDITS)
        except TemplateError as error:
            self.fault(("node", "path"), f"this template cannot be used: {error}", _FIELDS)
            return NodeEdits()
        if not entry.path.startswith("/") or any(part in ("", ".", "..") for part in entry.path[1:].split("/")):
            self.fault(
                ("node", "path"),
                "must be an absolute path without empty, '.' or '..' parts",
                'write it like "/dev/block/{name}"',
            )
        elif not entry.path.isprintable():
            self.fault(("node", "path"), "has a control character", "write it without")
        return NodeEdits(permissions=entry.permissions, path=path, group=entry.group)

    def resource(
        self, entry: model.Class, seen: dict[str, str], place: Callable[[Path], str]
    ) -> tuple[Resource | None, str | None]:
        """Compile the resource that a class is offered as; ``seen`` has those of the classes before, by name.

        One that the kubelet would refuse is a fault if it was asked for. If the class only has no other, it is not
        offered, and the reason is returned.
        """
        table = entry.kubernetes
        name = table.resource or entry.kind
        if not table.enabled or not name:
            return None, None
        path: Path = ("kubernetes", "resource")
        if reason := _resource_problem(name):
            if table != type(table)():
                self.fault(path, reason, 'write it like "acme.com/modem"')
            return None, f"{reason}, so the kubelet is not offered this class"
        if name in seen:
            self.fault(path, f"{name!r} is the resource of another class already, at {seen[name]}",
                       "give each class a resource of its own")  # fmt: skip
        seen.setdefault(name, place((*self.path, *path)))
        return Resource(name=name, shares=table.shares, opens=table.health == "open"), None

    def group_by(self, entry: model.Class) -> str | None:
        by = entry.group_by
        if by is None and entry.requires > 1:
            self.fault(
                ("requires",), "counts the nodes of a group, and there is no group_by", "add group_by, or drop it"
            )
        if by is not None and by not in ("usb", "pci") and not _GROUP.fullmatch(by):
            self.fault(
                ("group_by",), f"{by!r} is nothing to group by", 'write "usb", "pci", "parent:SUBSYSTEM" or a property'
            )
        return by

    def all_name(self, entry: model.Class) -> str | None:
        if entry.all is None:
            if entry.only_all:
                self.fault(("only_all",), "there is no device to write, since all is not set", 'add all = "all"')
        elif reason := names.device_problem(entry.all):
            self.fault(("all",), reason, "name it with letters, digits and . _ - :")
        return entry.all

    def device_edits(self, entry: model.Class) -> EditsTemplate | None:
        """Compile edits whose texts are templates; they are judged with a stand-in for each."""
        if not entry.device_edits:
            return None
        path: Path = ("deviceEdits",)
        parsed: dict[str, Template] = {}
        stand_in = self.with_stand_ins(entry.device_edits, path, parsed)
        before = len(self.faults)
        self.edits(stand_in, path)
        if len(self.faults) > before:
            return None
        edits, _ = _decoded(_document(entry.device_edits))
        return EditsTemplate(edits=edits.devices[0].container_edits, templates=parsed) if edits else None

    def with_stand_ins(self, value: Any, path: Path, parsed: dict[str, Template]) -> Any:
        """Parse every text below ``value`` as a template; returns the same with an example in place of each."""
        if isinstance(value, dict):
            return {key: self.with_stand_ins(inner, (*path, key), parsed) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.with_stand_ins(inner, (*path, index), parsed) for index, inner in enumerate(value)]
        if not isinstance(value, str) or not ("{" in value or "}" in value):
            return value
        if "hooks" in path and path[-1] != "env" and "env" not in path:
            self.fault(path, "is part of a hook's command, where no device may have a say", "write it without braces")
            return value
        try:
            parsed[value] = templates.parse(value, extra=templates.IN_EDITS)
        except TemplateError as error:
            self.fault(path, f"this template cannot be used: {error}", _FIELDS)
            return value
        filled = parsed[value].fill(lambda _: "x")
        return filled if isinstance(filled, str) else value

    def declared(self, entry: model.Declared, path: Path) -> Declared:
        if reason := names.device_problem(entry.name) if entry.name else "is missing":
            self.fault((*path, "name"), reason, "name it with letters, digits and . _ - :")
        edits = self.edits(entry.container_edits, (*path, "containerEdits"))
        if not entry.container_edits:
            self.fault(path, "edits nothing", "add containerEdits, such as deviceNodes")
        device = Device(name=entry.name, container_edits=edits, annotations=entry.annotations)
        try:
            codec.encode(Spec(version=versions.ALL[-1], kind="vendor.example/class", devices=(device,)))
        except CDIError as error:
            self.fault((*path, "annotations"), error.problems[0].message, error.problems[0].hint or "shorten it")
        return Declared(device=device, always=entry.when == "always")

    def edits(self, raw: dict[str, Any], path: Path) -> ContainerEdits:
        """Check CDI's own edits as part of the smallest spec that could hold them."""
        if not raw:
            return ContainerEdits()
        document = _document(raw)
        spec, problems = _decoded(document)
        for problem in problems:
            inner = _steps(problem.where)[3:]
            self.fault((*path, *inner), problem.message, problem.hint or "see CDI's SPEC.md")
        return spec.devices[0].container_edits if spec and not problems else ContainerEdits()


def _name_of(entry: model.Class) -> str:
    if entry.name is not None:
        return entry.name
    return DEFAULT_NAME if entry.group_by is None else DEFAULT_GROUP_NAME


def _as_in_sysfs(globs: model.Globs) -> model.Globs:
    if isinstance(globs, str):
        return globs.lower().removeprefix("0x")
    return tuple(glob.lower().removeprefix("0x") for glob in globs)


def _document(edits: dict[str, Any]) -> dict[str, Any]:
    """Return the smallest spec that holds some edits."""
    return {
        "cdiVersion": versions.ALL[-1],
        "kind": "vendor.example/class",
        "devices": [{"name": "device", "containerEdits": edits}],
    }


def _decoded(document: dict[str, Any]) -> tuple[Spec | None, list[Problem]]:
    try:
        spec = codec.decode(json.dumps(document, default=str).encode())
    except CDIError as error:
        return None, list(error.problems)
    return spec, list(schema.check(document) or validation.check(spec))


def _steps(where: str) -> Path:
    """Turn ``devices[0].containerEdits.env[1]`` into its steps."""
    return tuple(name or int(index) for name, index in _STEP.findall(where.strip()))
