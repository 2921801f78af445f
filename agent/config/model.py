"""What may stand in a configuration file, key by key: the one source of parsing, schema and reference page.

Plain dataclasses; pydantic reads them (through a ``TypeAdapter``) together with the metadata of each field:
``description`` and, where TOML's spelling differs, ``alias``. Scalars are strict: ``"4"`` is no number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from .settings import DEFAULT_GROUP_NAME, DEFAULT_NAME

Globs = str | tuple[str, ...]

_STRICT = {"extra": "forbid"}


def _key(description: str, /, *, default: Any = None, factory: Any = None, **rules: Any) -> Any:
    metadata = {"description": description, **rules}
    if factory is not None:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


def _duration(description: str, default: str) -> Any:
    return _key(description, default=default, pattern=r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """The table ``[agent]``."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    spec_dir: str = _key("where the specs go", default="/etc/cdi", pattern="^/")
    state_dir: str = _key("what must survive a restart", default="/var/lib/cdi-sync", pattern="^/")
    settle: str = _duration(
        "quiet time within a burst of events, at most ten times that; the first event acts at once", "100ms"
    )
    resync: str = _duration("a full pass even without events", "10m")
    max_cdi_version: str = _key(
        "never write a spec that needs a newer cdiVersion than this; `auto`: than the installed containerd reads",
        default="auto",
        pattern=r"^(auto|[0-9]+\.[0-9]+\.[0-9]+)$",
    )
    metrics: str | None = _key(
        "where to serve `/metrics`, `/healthz` and `/readyz`, such as `127.0.0.1:9464`; without one no port is open",
        pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):[0-9]{1,5}$",
    )
    log: Literal["text", "json"] = _key("form of the log lines on standard error", default="text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Containerd:
    """The table ``[containerd]``."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    enable_cdi: bool = _key(
        "the agent switches CDI on in containerd's files as `setup containerd` does, and keeps it so; an explicit "
        "`enable_cdi = false` there is reported, not overruled",
        default=False,
        strict=True,
    )
    restart: bool = _key(
        "restart containerd after such a change; else the agent says that it is needed", default=False, strict=True
    )
    config: str | None = _key(
        "containerd's file; default: what the running daemon uses, or `/etc/containerd/config.toml`", pattern="^/"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubelet:
    """The table ``[kubelet]``."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    device_plugin: Literal["auto", True, False] = _key(
        "serve the kubelet as a device plugin: where its directory is, always, or never", default="auto"
    )
    directory: str = _key(
        "where the kubelet looks for device plugins", default="/var/lib/kubelet/device-plugins", pattern="^/"
    )
    registration: Literal["register", "plugin-watcher"] = _key(
        "how it learns of our resources: we call it, or it finds our sockets in `plugins_registry` beside `directory`",
        default="register",
    )
    tombstones: str = _duration("how long a device that vanished stays listed, as unhealthy", "7d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubernetes:
    """The table ``[class.kubernetes]``."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    enabled: bool = _key("offer the class to the kubelet", default=True, strict=True)
    resource: str | None = _key("name of the resource; default: the kind")
    shares: int = _key("how many pods may hold one device at once", default=1, strict=True, ge=1, le=100_000)
    health: Literal["present", "open"] = _key(
        "healthy while its nodes are there, or while they also open", default="present"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The table ``parent`` of a select or exclude."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    sysname: Globs = _key("the kernel's name, such as `1-1.4`", default=())
    subsystem: Globs = _key("the kernel's subsystem, such as `usb`", default=())
    driver: Globs = _key("the driver bound to it", default=())
    attributes: dict[str, Globs] = _key("sysfs attributes by path below it", factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usb:
    """The table ``usb`` of a select or exclude."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    vendor: Globs = _key("vendor id, four hexadecimal digits", default=())
    product: Globs = _key("product id, four hexadecimal digits", default=())
    serial: Globs = _key("serial number; `*` means that it has one", default=())
    port: Globs = _key("where it is plugged in, such as `1-1.4`", default=())
    interface: Globs = _key("which of its interfaces the node is of, such as `1-1.4:1.0`", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Pci:
    """The table ``pci`` of a select or exclude."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    address: Globs = _key("address on the bus, such as `0000:03:00.0`", default=())
    vendor: Globs = _key("vendor id, four hexadecimal digits", default=())
    device: Globs = _key("device id, four hexadecimal digits", default=())
    class_: Globs = _key("class code, six hexadecimal digits, such as `03*` for displays", default=(), alias="class")


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """One ``[[class.select]]`` or ``[[class.exclude]]``: all keys must match, a list means any of its globs."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    devnode: Globs = _key("the device node or any link to it; `*` stops at `/`, `**` crosses it", default=())
    sysname: Globs = _key("the kernel's name, such as `sda` or `ttyUSB0`", default=())
    subsystem: Globs = _key("the kernel's subsystem, such as `block`, `tty` or `drm`", default=())
    driver: Globs = _key("the driver of the device or of its nearest ancestor that has one", default=())
    tags: Globs = _key("udev tags; any of the device's may match", default=())
    properties: dict[str, Globs] = _key("udev properties by name", factory=dict)
    attributes: dict[str, Globs] = _key("sysfs attributes by path below the device", factory=dict)
    mountpoint: Globs = _key(
        "where anything on the disk is mounted that it is or lies on (partitions, LVM, RAID, dm-crypt and multipath "
        "included); `swap` for swap space",
        default=(),
    )
    parent: Parent | None = _key("one ancestor, any, must match all of this")
    usb: Usb | None = _key("the USB device that it is or belongs to")
    pci: Pci | None = _key("the PCI function that it is or belongs to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The table ``[class.node]``: how a device's node looks in the container."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    permissions: str = _key("what the container may do: r, w, m", default="rw", pattern="^[rwm]{1,3}$")
    path: str | None = _key("path inside the container, a template; default: the host node's own")
    group: bool = _key("add the node's group to the container process", default=False, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One ``[[class.device]]``: a device written as it stands here, not discovered."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    name: str = _key("the CDI device name", default="")
    container_edits: dict[str, Any] = _key("CDI's own edits", factory=dict, alias="containerEdits")
    annotations: dict[str, str] = _key("CDI's own annotations", factory=dict)
    when: Literal["present", "always"] = _key(
        "its health: while its nodes exist, or without a check", default="present"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """One ``[[class]]``: one CDI kind, and so one spec file."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    preset: str | None = _key("a built-in class to start from; keys given here override its own")
    kind: str = _key("the CDI kind, `vendor/class`", default="")
    name: str | None = _key(
        "device name, a template; must be stable and unique; "
        f"default `{DEFAULT_NAME}`, of a group `{DEFAULT_GROUP_NAME}`"
    )
    group_by: str | None = _key(
        "make one CDI device of all nodes of a `usb` or `pci` device, of the nearest ancestor of a subsystem "
        "(`parent:SUBSYSTEM`), or of one value of a udev property (its name)"
    )
    requires: int = _key("a group of fewer nodes than this exists and is unhealthy", default=1, strict=True, ge=1)
    all: str | None = _key("name of an extra device that holds the nodes of all others")
    only_all: bool = _key("write only that one; its members need no name", default=False, strict=True)
    select: tuple[Select, ...] = _key("a device is taken when any of these matches", default=())
    exclude: tuple[Select, ...] = _key("and none of these does", default=())
    node: Node = _key("how the node looks in the container", factory=Node)
    container_edits: dict[str, Any] = _key(
        "CDI's own edits, for every container using this class", factory=dict, alias="containerEdits"
    )
    device_edits: dict[str, Any] = _key(
        "CDI's own edits, for each device; their texts are templates", factory=dict, alias="deviceEdits"
    )
    device: tuple[Declared, ...] = _key("devices that are declared, not discovered", default=())
    kubernetes: Kubernetes = _key("the class as a resource of Kubernetes", factory=Kubernetes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole configuration."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    version: Literal[1] = _key("version of the configuration's form", default=1)
    agent: Agent = _key("the agent itself", factory=Agent)
    kubelet: Kubelet = _key("the kubelet", factory=Kubelet)
    containerd: Containerd = _key("what the agent does to containerd", factory=Containerd)
    classes: tuple[Class, ...] = _key("the classes of devices", default=(), alias="class")
