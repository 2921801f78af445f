"""The node of ``make kubelet``: its files, what is read of its kubelet, and the whole, where a KUBELET is named."""

from __future__ import annotations

import os
import signal
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    deploy,
    find_containerd,
    is_running,
    resources,
)
from tests.real.devices import make_node
from tests.real.images import BUSYBOX

if TYPE_CHECKING:
    from collections.abc import Iterator

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


class Bench:
    """A running node, and what its kubelet says, as a test asks for it."""

    def __init__(self, node: Node, tree: Path) -> None:
        self.node, self.tree = node, tree

    def offers(self, count: int) -> None:
        """Wait until so many shares of the stand-ins are allocatable."""
        self.node.wait(f"{count} of {NULL}", lambda: len(kubelet.allocatable(self.tree).get(NULL, ())) == count)

    def container(self, but: str = "") -> kubelet.Container:
        """Wait until the one container runs, and is another than that of this id."""
        self.node.wait("the container", lambda: [one.state for one in self._but(but)] == ["running"])
        (container,) = self._but(but)
        return container

    def health(self, key: str, word: str) -> None:
        """Wait until the pod's status says this word of a device."""
        self.node.wait(f"{key} {word}", lambda: [one.health[NULL][key] for one in kubelet.containers()] == [word])

    def deploy(self) -> kubelet.Container:
        deploy(CONTRIB / "pod.yaml", self.tree)
        return self.container()

    def pull(self, name: str) -> None:
        (self.tree / "run/stand-in" / name).unlink()

    def plug(self, name: str, minor: int) -> None:
        make_node(self.tree / "run/stand-in" / name, 1, minor)

    def nodes(self, container: kubelet.Container) -> tuple[str, ...]:
        return kubelet.injection(self.tree, container.id).nodes

    def _but(self, but: str) -> list[kubelet.Container]:
        return [one for one in kubelet.containers() if one.id != but]


def start(tree: Path) -> Node:
    # Other tests have a udevd of their own at work on this machine's devices.
    program, containerd = Path(os.environ["KUBELET"]), find_containerd(os.environ.get("CONTAINERD"))
    return Node(program.absolute(), containerd, tree=tree, private=[Path("/run/udev")])


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    if "KUBELET" not in os.environ:
        # It is the user's own: no part that could be provisioned, and none to miss in CI.
        pytest.skip("the environment names no KUBELET")
    with start(tmp_path) as node:
        found = Bench(node, tmp_path)
        node.wait("all resources", lambda: all(map(kubelet.allocatable(tmp_path).get, resources())))
        found.offers(4)
        yield found
    assert not is_running(tmp_path)


def test_a_container_gets_its_devices_by_their_names(bench: Bench) -> None:
    container = bench.deploy()
    (held,) = container.health[NULL]
    device = held.partition("::")[0]
    assert set(kubelet.injection(bench.tree, container.id).names) == {f"{KVM}=kvm0", f"{NULL}={device}"}
    assert f"/dev/{device} (c 1:3)" in bench.nodes(container)


def test_a_tree_has_one_node(bench: Bench) -> None:
    with pytest.raises(NodeError, match="another one runs"), start(bench.tree):
        pass


def test_a_pulled_device_shows_and_a_restart_finds_it_by_the_old_answer(bench: Bench) -> None:
    before = bench.deploy()
    (held,) = before.health[NULL]
    device = held.partition("::")[0]
    bench.pull(device)
    bench.health(held, "Unhealthy")
    bench.offers(2)
    bench.plug(device, 5)
    bench.health(held, "Healthy")
    bench.offers(4)
    assert f"/dev/{device} (c 1:3)" in bench.nodes(before)
    subprocess.run([bench.tree / "ctr", "tasks", "kill", "--signal", "KILL", before.id], check=True)
    assert f"/dev/{device} (c 1:5)" in bench.nodes(bench.container(but=before.id))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("part", ["kubelet", "cdi-sync"])
def test_registration_outlives_either_side(bench: Bench, part: str, how: signal.Signals) -> None:
    container = bench.deploy()
    bench.node.restart(part, how)
    bench.pull("null1")
    bench.offers(2)
    bench.plug("null1", 3)
    bench.offers(4)
    assert bench.container().id == container.id


def test_resources_follow_the_configuration(bench: Bench) -> None:
    bench.deploy()
    path = bench.tree / "etc/cdi-sync/config.toml"
    text = path.read_text()
    path.write_text(text.replace(f'kind = "{NULL}"', 'kind = "example.com/other"').replace(NULL, "example.com/other"))
    bench.node.wait("the new one", lambda: len(kubelet.allocatable(bench.tree).get("example.com/other", ())) == 4)
    bench.offers(0)
    # A pod holds one of its devices, and would not start again without.
    assert (bench.tree / "etc/cdi/cdi-sync+example.com+null.json").exists()
    path.write_text(text)
    bench.offers(4)
