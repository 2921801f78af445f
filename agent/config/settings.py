"""What the agent runs on: a configuration that was checked, with every glob and template compiled."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from cdi.model import ContainerEdits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.patterns import Pattern
    from agent.templates import Template
    from cdi.errors import Problem
    from cdi.model import Device

SPEC_PREFIX = "cdi-sync+"
SPEC_SUFFIX = ".json"
DEFAULT_NAME = "{DM_UUID|link|serial|ID_PATH|sysname}"
DEFAULT_GROUP_NAME = "{serial|usb:port|pci:address|sysname}"


Patterns: TypeAlias = "tuple[Pattern, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """What one ancestor of a device must be: all given keys must match it."""

    sysname: Patterns = ()
    subsystem: Patterns = ()
    driver: Patterns = ()
    attributes: Mapping[str, Patterns] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """One compiled select or exclude: all given keys must match, each through any of its patterns."""

    devnode: Patterns = ()
    sysname: Patterns = ()
    subsystem: Patterns = ()
    driver: Patterns = ()
    tags: Patterns = ()
    properties: Mapping[str, Patterns] = field(default_factory=dict)
    attributes: Mapping[str, Patterns] = field(default_factory=dict)
    mountpoint: Patterns = ()
    parent: Parent | None = None
    usb: Mapping[str, Patterns] = field(default_factory=dict)
    pci: Mapping[str, Patterns] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEdits:
    """How a device's node looks in the container; ``path`` is ``None`` for the host's own."""

    permissions: str = "rw"
    path: Template | None = None
    group: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EditsTemplate:
    """Edits whose texts are templates: ``edits`` holds the texts as they were written, ``templates`` them parsed."""

    edits: ContainerEdits
    templates: Mapping[str, Template]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A device that is written as configured; ``always``: its health is not looked at."""

    device: Device
    always: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A class as the kubelet is offered it: ``shares`` pods may hold one device at once.

    ``opens``: a device is healthy only while its nodes open.
    """

    name: str
    shares: int = 1
    opens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClass:
    """One CDI kind: which devices it takes, what they are called, and what using one changes.

    ``group_by`` makes one CDI device of the nodes of each ``usb`` or ``pci`` device, of each nearest ancestor of a
    subsystem (``parent:SUBSYSTEM``) or of each value of a udev property; fewer nodes than ``requires`` are unhealthy.
    ``all_name`` is an extra device with the nodes of all others; with ``only_all`` it is the only one.
    """

    kind: str
    origin: str
    name: Template
    selects: tuple[Selector, ...] = ()
    excludes: tuple[Selector, ...] = ()
    node: NodeEdits = field(default_factory=NodeEdits)
    container_edits: ContainerEdits = field(default_factory=ContainerEdits)
    device_edits: EditsTemplate | None = None
    group_by: str | None = None
    requires: int = 1
    all_name: str | None = None
    only_all: bool = False
    declared: tuple[Declared, ...] = ()
    resource: Resource | None = None

    @property
    def file_name(self) -> str:
        """The spec file's name; ``+`` occurs in no kind, so two kinds never share one."""
        return f"{SPEC_PREFIX}{self.kind.replace('/', '+')}{SPEC_SUFFIX}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Containerd:
    """What the agent does to containerd's files; ``config`` is ``None`` where it is to find them."""

    enable_cdi: bool = False
    restart: bool = False
    config: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubelet:
    """How the kubelet is served.

    ``device_plugin`` is ``None`` where that is decided by whether ``directory`` is there. A device that vanished stays
    listed for ``tombstones`` seconds.
    """

    device_plugin: bool | None = None
    directory: str = "/var/lib/kubelet/device-plugins"
    watched: bool = False
    """Whether the kubelet finds our sockets by itself (its plugin watcher) instead of being told of them."""
    tombstones: float = 7 * 86400.0

    @property
    def sockets(self) -> str:
        """The directory of our sockets: the kubelet's plugin watcher has its own, beside that of device plugins."""
        return f"{os.path.dirname(self.directory)}/plugins_registry" if self.watched else self.directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole configuration; times are in seconds. Without ``max_cdi_version`` nothing limits what may be written."""

    spec_dir: str
    state_dir: str
    settle: float
    resync: float
    max_cdi_version: str | None
    log: Literal["text", "json"]
    classes: tuple[DeviceClass, ...]
    files: tuple[str, ...]
    """The files that were read, in order; the embedded default counts as none."""
    containerd: Containerd = field(default_factory=Containerd)
    kubelet: Kubelet = field(default_factory=Kubelet)
    metrics: str | None = None
    """Where to serve metrics, ``ADDRESS:PORT``."""
    notes: tuple[Problem, ...] = ()
    """What is odd in the configuration and no mistake."""

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What the kubelet is to be offered; nothing where it is not served."""
        if self.kubelet.device_plugin is False:
            return ()
        return tuple(one.resource for one in self.classes if one.resource)
