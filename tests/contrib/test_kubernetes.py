"""The manifests in ``contrib/kubernetes`` say what the agent keeps, and ask for what it offers."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from agent.config.load import load
from tests.contrib.node import CONTRIB as KUBELET

if TYPE_CHECKING:
    from pathlib import Path

CONTRIB = KUBELET.parent
EXAMPLES = sorted((CONTRIB / "examples").glob("*.toml"))
MANIFESTS = sorted((CONTRIB / "kubernetes").glob("*.yaml"))
PODS = [path for path in MANIFESTS if path.name.startswith("pod-")]
BUILT_IN = {"cpu", "memory"}


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


@cache
def daemon_set() -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in documents(CONTRIB / "kubernetes" / "cdi-sync.yaml")}


def configuration() -> str:
    text: str = daemon_set()["ConfigMap"]["data"]["config.toml"]
    return text


def offered(text: str) -> set[str]:
    """The resources of a configuration."""
    tables = [(entry, entry.get("kubernetes", {})) for entry in tomllib.loads(text)["class"]]
    return {table.get("resource", entry["kind"]) for entry, table in tables if table.get("enabled", True)}


def asked(pod: dict[str, Any]) -> set[str]:
    """The resources that the containers of a pod ask for."""
    tables = [container["resources"] for container in pod["spec"]["containers"]]
    return {name for table in tables for wanted in table.values() for name in wanted} - BUILT_IN


def only_container() -> dict[str, Any]:
    (container,) = daemon_set()["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    return dict(container)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_every_document_is_an_object_of_kubernetes(path: Path) -> None:
    for document in documents(path):
        assert {"apiVersion", "kind", "metadata"} <= document.keys()
        assert document["metadata"].keys() & {"name", "generateName"}


@pytest.mark.parametrize("path", PODS, ids=lambda path: path.name)
def test_a_pod_asks_for_what_the_daemon_set_offers(path: Path) -> None:
    (pod,) = documents(path)
    assert asked(pod)
    assert asked(pod) <= offered(configuration())


def test_the_pods_of_both_seeds_ask_for_what_their_examples_offer() -> None:
    wanted = {"pod-kvm.yaml": "kubelet-plugin.toml", "pod-power.yaml": "power-device-plugin.toml"}
    for pod, example in wanted.items():
        (document,) = documents(CONTRIB / "kubernetes" / pod)
        assert asked(document) <= offered((CONTRIB / "examples" / example).read_text())


def test_the_static_pod_asks_for_what_its_configuration_offers() -> None:
    (pod,) = documents(KUBELET / "pod.yaml")
    assert asked(pod) == offered((KUBELET / "config.toml").read_text())


@pytest.mark.parametrize(
    "text", [configuration(), (KUBELET / "config.toml").read_text()], ids=["daemon set", "make kubelet"]
)
def test_the_configuration_loads(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert load(str(path)).classes


def test_specs_of_the_daemon_set_do_not_outlive_a_boot(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(configuration())
    settings = load(str(path))
    mounts = {mount["mountPath"] for mount in only_container()["volumeMounts"]}
    assert settings.spec_dir == "/var/run/cdi"
    assert {settings.spec_dir, settings.state_dir} <= mounts


def test_the_daemon_set_mounts_each_directory_where_the_node_has_it() -> None:
    pod = daemon_set()["DaemonSet"]["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in only_container()["volumeMounts"]}
    assert mounts.keys() == volumes.keys()
    host = {name: volume["hostPath"]["path"] for name, volume in volumes.items() if "hostPath" in volume}
    assert {name: mounts[name] for name in host} == host
    assert volumes["config"]["configMap"]["name"] == daemon_set()["ConfigMap"]["metadata"]["name"]


def test_the_daemon_set_has_no_privilege_that_it_does_not_use() -> None:
    pod = daemon_set()["DaemonSet"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert not pod.keys() & {"hostPID", "hostIPC"}
    context = only_container()["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert "privileged" not in context
    writable = {mount["mountPath"] for mount in only_container()["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/var/run/cdi", "/var/lib/cdi-sync", "/var/lib/kubelet/device-plugins"}
