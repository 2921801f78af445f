"""What a kubelet without an API server tells of devices: its resources, its pods, and the runtime's containers."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.request
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

from tests.contrib.node import CONTRIB, PLUGINS
from tests.real.cri import CRI, CRIError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_POD_RESOURCES = "var/lib/kubelet/pod-resources/kubelet.sock"
_METADATA = "io.cri-containerd.container.metadata"


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod: `health` is resource -> device id -> the kubelet's word."""

    pod: str
    name: str
    state: str
    id: str
    health: Mapping[str, Mapping[str, str]]

    def __str__(self) -> str:
        devices = sorted(f"{key} {word}" for ids in self.health.values() for key, word in ids.items())
        return f"pod {self.pod}, container {self.name}: {self.state}; {', '.join(devices) or 'no devices'}"


@dataclass(frozen=True, slots=True)
class Injection:
    """The CDI devices that the runtime was asked for, and the device nodes that the container has of them."""

    names: tuple[str, ...]
    nodes: tuple[str, ...]


def allocatable(tree: Path) -> dict[str, tuple[str, ...]]:
    """The resources that the kubelet has had registered, with the ids of their healthy devices.

    The ids come from the pod-resources service, which knows of a resource without a healthy device nothing at all. Its
    name stays in the checkpoint, whose ids in turn outlive the plugin that has gone.
    """
    try:
        document = json.loads((tree / PLUGINS / "kubelet_internal_checkpoint").read_text())
    except FileNotFoundError:
        return {}
    healthy = _healthy(tree / _POD_RESOURCES)
    return {name: tuple(sorted(healthy.get(name, ()))) for name in sorted(document["Data"]["RegisteredDevices"])}


def _healthy(socket: Path) -> Mapping[str, list[str]]:
    service = CRI(socket)
    try:
        answer = service.call("v1.PodResourcesLister/GetAllocatableResources", Empty(), Empty)
    except CRIError:
        return {}
    finally:
        service.close()
    return healthy_devices(answer.SerializeToString())


def healthy_devices(answer: bytes) -> dict[str, list[str]]:
    """Resource -> ids out of an AllocatableResourcesResponse: field 1 is a device; of that, 1 its resource, 2 an id."""
    found: dict[str, list[str]] = {}
    for device in _fields(answer)[1]:
        fields = _fields(device)
        found.setdefault(fields[1][0].decode(), []).extend(one.decode() for one in fields[2])
    return found


def _fields(message: bytes) -> Mapping[int, list[bytes]]:
    """The fields of a message without its schema: protobuf keeps those that are unknown to `Empty`, which all are."""
    fields: dict[int, list[bytes]] = defaultdict(list)
    unknown = UnknownFieldSet(Empty.FromString(message))
    for index in range(len(unknown)):
        fields[unknown[index].field_number].append(unknown[index].data)
    return fields


def containers() -> list[Container]:
    """The containers of all pods; before the kubelet has made them, their names and why they wait."""
    port = yaml.safe_load((CONTRIB / "kubelet.yaml").read_text())["readOnlyPort"]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/pods", timeout=10) as answer:
            pods = json.load(answer)["items"]
    except OSError:
        return []
    return [found for pod in pods or () for found in of_pod(pod)]


def of_pod(pod: Mapping[str, Any]) -> list[Container]:
    """The containers of one pod of the kubelet's list; one that it has refused has a single nameless one."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if status.get("phase") == "Failed":
        return [Container(name, "-", f"{status.get('reason', 'failed')}: {status.get('message', '')}", "", {})]
    return [_container(name, found) for found in status.get("containerStatuses", ())]


def injection(tree: Path, container: str) -> Injection:
    """What the runtime has recorded of a container.

    Raises:
        subprocess.CalledProcessError: there is no such container.
    """
    done = subprocess.run([tree / "ctr", "containers", "info", container], check=True, capture_output=True)
    document = json.loads(done.stdout)
    asked = json.loads(base64.b64decode(document["Extensions"][_METADATA]["value"]))["Metadata"]["Config"]
    nodes = document["Spec"]["linux"].get("devices", ())
    return Injection(
        tuple(device["name"] for device in asked.get("CDI_devices", ())),
        tuple(f"{node['path']} ({node['type']} {node.get('major')}:{node.get('minor')})" for node in nodes),
    )


def _container(pod: str, status: Mapping[str, Any]) -> Container:
    ((state, details),) = status["state"].items()
    words = [state, *(details[key] for key in ("reason", "message") if key in details)]
    health = {
        resource["name"]: {
            device["resourceID"]: device.get("health", "Unknown") for device in resource.get("resources", ())
        }
        for resource in status.get("allocatedResourcesStatus", ())
    }
    return Container(pod, status["name"], ": ".join(words), status.get("containerID", "").rpartition("//")[2], health)
