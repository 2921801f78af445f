"""The kubelet's file about who holds what: `kubelet_internal_checkpoint`.

Its form is that of pkg/kubelet/cm/devicemanager/checkpoint; the checksum is 32 bit FNV-1a over how Go's spew prints the
data (pkg/kubelet/checkpointmanager/checksum).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NAME = "kubelet_internal_checkpoint"
NO_NODE = -1  # of a device that reports no NUMA node


@dataclass(frozen=True, slots=True)
class Entry:
    """What one container holds of one resource: ids by NUMA node, and the plugin's answer as it was on the wire."""

    pod: str
    container: str
    resource: str
    nodes: Mapping[int, Sequence[str]]
    answer: bytes

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(one for ids in self.nodes.values() for one in ids)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file's content; `registered` has the healthy devices of each resource."""

    entries: Sequence[Entry] = ()
    registered: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def dump(self) -> bytes:
        """The file's bytes."""
        entries = [
            {
                "PodUID": entry.pod,
                "ContainerName": entry.container,
                "ResourceName": entry.resource,
                "DeviceIDs": {str(node): list(ids) for node, ids in sorted(entry.nodes.items())},
                "AllocResp": base64.b64encode(entry.answer).decode(),
            }
            for entry in self.entries
        ]
        registered = {resource: list(ids) for resource, ids in sorted(self.registered.items())}
        document = {
            "Data": {"PodDeviceEntries": entries or None, "RegisteredDevices": registered},
            "Checksum": self.checksum(),
        }
        return json.dumps(document, separators=(",", ":")).encode()

    def checksum(self) -> int:
        """The checksum that the kubelet writes and checks."""
        return _fnv(self._spew().encode())

    def _spew(self) -> str:
        entries = f"[{' '.join(map(_spew_entry, self.entries))}]" if self.entries else "<nil>"
        registered = " ".join(f"{resource}:{_spew_list(ids)}" for resource, ids in sorted(self.registered.items()))
        return (
            f"(checkpoint.checkpointData){{PodDeviceEntries:([]checkpoint.PodDevicesEntry){entries}"
            f" RegisteredDevices:(map[string][]string)map[{registered}]}}"
        )


def load(data: bytes) -> Checkpoint:
    """Read a file's bytes.

    Raises:
        ValueError: they are no checkpoint, or the checksum is another.
    """
    document: dict[str, Any] = json.loads(data)
    try:
        entries = tuple(
            Entry(
                entry["PodUID"],
                entry["ContainerName"],
                entry["ResourceName"],
                {int(node): tuple(ids) for node, ids in entry["DeviceIDs"].items()},
                base64.b64decode(entry["AllocResp"]),
            )
            for entry in document["Data"]["PodDeviceEntries"] or ()
        )
        checkpoint = Checkpoint(entries, document["Data"]["RegisteredDevices"])
        checksum = document["Checksum"]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no checkpoint: {error!r}") from None
    if checksum != checkpoint.checksum():
        raise ValueError("the checkpoint is corrupted")
    return checkpoint


def _spew_entry(entry: Entry) -> str:
    nodes = " ".join(f"{node}:{_spew_list(ids)}" for node, ids in sorted(entry.nodes.items()))
    return (
        f"{{PodUID:(string){entry.pod} ContainerName:(string){entry.container} ResourceName:(string){entry.resource}"
        f" DeviceIDs:(checkpoint.DevicesPerNUMA)map[{nodes}] AllocResp:([]uint8){_spew_list(entry.answer)}}}"
    )


def _spew_list(items: Iterable[object]) -> str:
    return f"[{' '.join(map(str, items))}]"


def _fnv(data: bytes) -> int:
    digest = 0x811C9DC5
    for byte in data:
        digest = ((digest ^ byte) * 0x01000193) & 0xFFFFFFFF
    return digest
