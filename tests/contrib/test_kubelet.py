"""The node of ``make kubelet``: its files, what is read of its kubelet, and the whole, where a KUBELET is named."""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contrib import kubelet
from tests.contrib.__main__ import main
from tests.contrib.node import (
    CONTRIB,
    MANIFESTS,
    PAUSE,
    Node,
    NodeError,
    find_containerd,
    is_running,
    resources,
)
from tests.real.images import BUSYBOX

KVM, NULL = "github.com.ihcsim/kvm", "example.com/null"


def settings() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((CONTRIB / "kubelet.yaml").read_text())
    return document


def test_the_kubelet_asks_nobody_and_is_reached_from_this_machine_only() -> None:
    found = settings()
    assert found["kind"] == "KubeletConfiguration"
    assert found["registerNode"] is False
    assert found["address"] == "127.0.0.1"
    assert found["authentication"] == {"anonymous": {"enabled": False}, "webhook": {"enabled": False}}
    assert found["authorization"] == {"mode": "AlwaysAllow"}


def test_the_kubelet_meets_its_neighbours_where_they_are() -> None:
    found = settings()
    assert found["staticPodPath"] == f"/{MANIFESTS}"
    assert found["containerRuntimeEndpoint"] == "unix:///run/containerd/containerd.sock"
    assert found["featureGates"] == {"ResourceHealthStatus": True}


def test_the_kubelet_runs_on_any_machine() -> None:
    wanted = {
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "localStorageCapacityIsolation": False,
    }
    assert settings().items() >= wanted.items()


def test_containerd_has_cdi_on_and_no_image_to_pull() -> None:
    table = tomllib.loads((CONTRIB / "containerd.toml").read_text())["plugins"]["io.containerd.grpc.v1.cri"]
    assert table["enable_cdi"] is True
    assert table["cdi_spec_dirs"] == ["/etc/cdi", "/var/run/cdi"]
    assert table["sandbox_image"] == PAUSE


def test_the_static_pod_needs_neither_registry_nor_network() -> None:
    pod = yaml.safe_load((CONTRIB / "pod.yaml").read_text())
    assert pod["spec"]["hostNetwork"] is True
    assert [(one["image"], one["imagePullPolicy"]) for one in pod["spec"]["containers"]] == [(BUSYBOX, "Never")]


def status(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "client", "containerID": "containerd://e264", "state": state, **more}


def pod(**more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "kvm-localhost"}, "status": more}


HELD = [{"name": KVM, "resources": [{"resourceID": "kvm0", "health": "Unhealthy"}]}]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (
            pod(containerStatuses=[status({"running": {}}, allocatedResourcesStatus=HELD)]),
            ["pod kvm-localhost, container client: running; kvm0 Unhealthy"],
        ),
        (
            pod(containerStatuses=[status({"waiting": {"reason": "CreateContainerError", "message": "unresolvable"}})]),
            ["pod kvm-localhost, container client: waiting: CreateContainerError: unresolvable; no devices"],
        ),
        (
            pod(phase="Failed", reason="UnexpectedAdmissionError", message="Allocate failed"),
            ["pod kvm-localhost, container -: UnexpectedAdmissionError: Allocate failed; no devices"],
        ),
        (pod(), []),
        ({"metadata": {"name": "new"}}, []),
    ],
    ids=["running", "waiting", "refused", "no containers yet", "no status yet"],
)
def test_a_pod_is_told_in_one_line_for_each_container(found: dict[str, Any], told: list[str]) -> None:
    assert [str(one) for one in kubelet.of_pod(found)] == told


def test_before_the_kubelet_has_run_nothing_is_allocatable(tmp_path: Path) -> None:
    assert kubelet.allocatable(tmp_path) == {}


def field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


def test_healthy_devices_are_read_without_a_schema() -> None:
    first, second = (field(1, field(1, NULL.encode()) + field(2, key)) for key in (b"null0", b"null0::1"))
    kvm, cpus = field(1, field(1, KVM.encode()) + field(2, b"kvm0")), field(2, b"\x00\x01")
    assert kubelet.healthy_devices(b"") == {}
    assert kubelet.healthy_devices(first + kvm + second + cpus) == {NULL: ["null0", "null0::1"], KVM: ["kvm0"]}


def test_without_a_node_nothing_is_deployed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["deploy"]) == 1
    assert "error: no node runs here; start one in another terminal" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_what_is_no_kubelet_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in ("", str(tmp_path), str(tmp_path / "kubelet")):
        assert main(["kubelet", name]) == 1
        assert f"error: '{name}' is no program; name your own kubelet" in capsys.readouterr().err


# A kubelet is the user's own, so there is no part of this name to provision, and nothing to miss in CI.
needs_kubelet = pytest.mark.skipif("KUBELET" not in os.environ, reason="the environment names no KUBELET")


def start(tree: Path) -> Node:
    return Node(Path(os.environ["KUBELET"]), find_containerd(os.environ.get("CONTAINERD")), tree=tree)


@needs_kubelet
def test_a_real_kubelet_sees_what_the_agent_sees(tmp_path: Path) -> None:
    with start(tmp_path) as node:
        # Given two resources that are registered,
        node.wait("registration", lambda: kubelet.allocatable(tmp_path).keys() == set(resources()))
        node.wait("shares", lambda: len(kubelet.allocatable(tmp_path)[NULL]) == 4)
        with pytest.raises(NodeError, match="another one runs"), start(tmp_path):
            pass
        # when a pod asks for one of each, then its container has them by their CDI names;
        shutil.copyfile(CONTRIB / "pod.yaml", tmp_path / MANIFESTS / "pod.yaml")
        node.wait("the container", lambda: [one.state for one in kubelet.containers()] == ["running"])
        (container,) = kubelet.containers()
        injected = kubelet.injection(tmp_path, container.id)
        (held,) = container.health[NULL]
        device = held.partition("::")[0]
        assert set(injected.names) == {f"{KVM}=kvm0", f"{NULL}={device}"}
        assert f"/dev/{device} (c 1:3)" in injected.nodes
        # when the device is pulled, then the pod and the node show it, until it is plugged in again.
        place = tmp_path / "run/stand-in" / device
        place.unlink()
        node.wait("the loss in the pod's status", lambda: health(held) == "Unhealthy")
        node.wait("the loss on the node", lambda: len(kubelet.allocatable(tmp_path)[NULL]) == 2)
        os.mknod(place, 0o20600, os.makedev(1, 3))
        node.wait("its return", lambda: health(held) == "Healthy" and len(kubelet.allocatable(tmp_path)[NULL]) == 4)
    assert not is_running(tmp_path)


def health(device: str) -> str:
    return next(iter(kubelet.containers())).health[NULL][device]
