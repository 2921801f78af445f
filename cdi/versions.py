"""The published versions of the CDI spec, and what in a spec needs which of them.

One table for each place where a member can stand. A version that added nothing to the format (0.8.0, 1.0.0) has
no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cdi.model import ContainerEdits, Device, Spec

ALL = ("0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0")
EARLIEST = "0.3.0"  # nothing needs less, so a spec that declares 0.1.0 or 0.2.0 is always refused
CURRENT = ALL[-1]

# The highest version that a runtime reads, found by running it.
RUNTIMES = {
    "podman 4.3": "0.5.0",
    "containerd 1.7": "0.8.0",
    "containerd 2.0": "1.0.0",
    "containerd 2.1": "1.0.0",
    "containerd 2.3": "1.1.0",
}

_ORDER = {version: place for place, version in enumerate(ALL)}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Need:
    """What in a spec (``where``, a JSON path) needs which version, because of what."""

    version: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class _Row(Generic[_T]):
    version: str
    member: str
    what: str
    used: Callable[[_T], bool]


def _has_dotted_class(spec: Spec) -> bool:
    return "." in spec.kind.partition("/")[2]


def _begins_with_digit(device: Device) -> bool:
    return "0" <= device.name[:1] <= "9"


def _has_new_rdt(edits: ContainerEdits) -> bool:
    rdt = edits.intel_rdt
    return rdt is not None and (rdt.schemata is not None or rdt.enable_monitoring)


_SPEC: tuple[_Row[Spec], ...] = (
    _Row("0.6.0", "annotations", "annotations", lambda spec: bool(spec.annotations)),
    _Row("0.6.0", "kind", "a dot in the class", _has_dotted_class),
)
_DEVICE: tuple[_Row[Device], ...] = (
    _Row(
        "0.5.0",
        "name",
        "a device name that begins with a digit",
        _begins_with_digit,
    ),
    _Row("0.6.0", "annotations", "annotations", lambda device: bool(device.annotations)),
)
_NODES_AND_MOUNTS: tuple[_Row[ContainerEdits], ...] = (
    _Row("0.4.0", "mounts", "the type of a mount", lambda edits: any(mount.type for mount in edits.mounts)),
    _Row("0.5.0", "deviceNodes", "hostPath", lambda edits: any(node.host_path for node in edits.device_nodes)),
)
_EDITS: tuple[_Row[ContainerEdits], ...] = (
    _Row("0.7.0", "intelRdt", "intelRdt", lambda edits: edits.intel_rdt is not None),
    _Row("0.7.0", "additionalGids", "additionalGids", lambda edits: bool(edits.additional_gids)),
    _Row("1.1.0", "intelRdt", "schemata or enableMonitoring", _has_new_rdt),
    _Row("1.1.0", "netDevices", "netDevices", lambda edits: bool(edits.net_devices)),
)


def order(version: str) -> int:
    """Return the place of a version among all of them, oldest first; -1 for one that does not exist.

    One leading ``v`` does not count: runtimes take it off.
    """
    return _ORDER.get(version.removeprefix("v"), -1)


def minimum_version(spec: Spec) -> str:
    """Return the lowest version that has all that is in ``spec``, whatever it declares."""
    return _lowest(spec, spec.devices)


def enforced_version(spec: Spec) -> str:
    """Return the lowest version with which runtimes let ``spec`` pass, at most :func:`minimum_version`.

    Where they look for a mount's type and for hostPath, a loop of theirs sees the edits of the last device only.
    """
    return _lowest(spec, spec.devices[-1:])


def _lowest(spec: Spec, searched: Sequence[Device]) -> str:
    edits = (spec.container_edits, *(device.container_edits for device in spec.devices))
    searched_edits = (spec.container_edits, *(device.container_edits for device in searched))
    needed = (
        *(row.version for row in _SPEC if row.used(spec)),
        *(row.version for row in _DEVICE if any(map(row.used, spec.devices))),
        *(row.version for row in _NODES_AND_MOUNTS if any(map(row.used, searched_edits))),
        *(row.version for row in _EDITS if any(map(row.used, edits))),
    )
    return max(needed, key=order, default=EARLIEST)


def needs(spec: Spec) -> tuple[Need, ...]:
    """Return everything in ``spec`` that needs more than the earliest version, and where it stands."""
    return tuple(_needs(spec))


def _needs(spec: Spec) -> Iterator[Need]:
    yield from (Need(row.version, row.member, row.what) for row in _SPEC if row.used(spec))
    yield from _edits_needs("containerEdits", spec.container_edits)
    for index, device in enumerate(spec.devices):
        place = f"devices[{index}]"
        yield from (Need(row.version, f"{place}.{row.member}", row.what) for row in _DEVICE if row.used(device))
        yield from _edits_needs(f"{place}.containerEdits", device.container_edits)


def _edits_needs(place: str, edits: ContainerEdits) -> Iterator[Need]:
    rows = (*_NODES_AND_MOUNTS, *_EDITS)
    return (Need(row.version, f"{place}.{row.member}", row.what) for row in rows if row.used(edits))
