"""The CDI spec as values: what stands in a spec file, member for member (CDI SPEC.md 1.1.0).

The types are frozen dataclasses, not validated on construction: :mod:`cdi.validation` says what is wrong with
one, :mod:`cdi.codec` turns bytes into them and back. ``None`` and an empty value mean that a member is absent;
where the type allows ``None``, an empty value is one that stands in the file.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 whoever inspects the types, as pydantic does, must find it
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNode:
    """A device node to make in the container.

    ``path`` is the container's, ``host_path`` the host's where it differs. Without ``type`` and numbers the
    runtime looks the host's node up when the container starts. ``file_mode`` is the mode's number.
    """

    path: str
    host_path: str = ""
    type: str = ""
    major: int = 0
    minor: int = 0
    file_mode: int | None = None
    permissions: str = ""
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetDevice:
    """A host network interface to move into the container (since 1.1.0)."""

    host_interface_name: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A mount, as in the OCI runtime specification."""

    host_path: str
    container_path: str
    options: tuple[str, ...] = ()
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An OCI hook; ``timeout`` is in seconds."""

    hook_name: str
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntelRdt:
    """Cache and memory bandwidth allocation, as in the OCI runtime specification (since 0.7.0).

    An empty ``schemata`` is told from an absent one: its mere presence needs version 1.1.0.
    """

    clos_id: str = ""
    l3_cache_schema: str = ""
    mem_bw_schema: str = ""
    schemata: tuple[str, ...] | None = None
    enable_monitoring: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEdits:
    """What using a device changes in a container."""

    env: tuple[str, ...] = ()
    device_nodes: tuple[DeviceNode, ...] = ()
    net_devices: tuple[NetDevice, ...] = ()
    hooks: tuple[Hook, ...] = ()
    mounts: tuple[Mount, ...] = ()
    intel_rdt: IntelRdt | None = None
    additional_gids: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is anything to edit."""
        return bool(
            self.device_nodes
            or self.env
            or self.mounts
            or self.hooks
            or self.additional_gids
            or self.intel_rdt is not None
            or self.net_devices
        )

    def joined(self, other: ContainerEdits) -> ContainerEdits:
        """Return these edits followed by the other's; of two ``intel_rdt`` the other's stays."""
        return ContainerEdits(
            env=self.env + other.env,
            device_nodes=self.device_nodes + other.device_nodes,
            net_devices=self.net_devices + other.net_devices,
            hooks=self.hooks + other.hooks,
            mounts=self.mounts + other.mounts,
            intel_rdt=self.intel_rdt if other.intel_rdt is None else other.intel_rdt,
            additional_gids=self.additional_gids + other.additional_gids,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of a spec: its name within the kind, and its edits."""

    name: str
    container_edits: ContainerEdits = field(default_factory=ContainerEdits)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A CDI spec: one kind (``vendor/class``), its devices, and edits for every container using any of them."""

    version: str
    kind: str
    devices: tuple[Device, ...]
    container_edits: ContainerEdits = field(default_factory=ContainerEdits)
    annotations: Mapping[str, str] = field(default_factory=dict)
