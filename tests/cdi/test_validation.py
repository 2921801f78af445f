from dataclasses import replace

import pytest

from cdi import validation
from cdi.hostnode import HostNode
from cdi.model import ContainerEdits, Device, DeviceNode, Hook, IntelRdt, Mount, NetDevice, Spec

EDITS = ContainerEdits(env=("A=1",))
DEVICE = Device(name="a", container_edits=EDITS)
SPEC = Spec(version="1.1.0", kind="acme.com/modem", devices=(DEVICE,))


def having(**edits: object) -> Spec:
    return replace(SPEC, devices=(replace(DEVICE, container_edits=ContainerEdits(**edits)),))  # type: ignore[arg-type]


def node(**members: object) -> Spec:
    return having(device_nodes=(DeviceNode(**{"path": "/dev/x", **members}),))  # type: ignore[arg-type]


def hook(**members: object) -> Spec:
    return having(hooks=(Hook(**{"hook_name": "poststop", "path": "/x", **members}),))  # type: ignore[arg-type]


def nets(*pairs: tuple[str, str]) -> Spec:
    return having(net_devices=tuple(NetDevice(host_interface_name=host, name=name) for host, name in pairs))


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        replace(SPEC, version="v1.1.0"),
        node(type="u", permissions="none"),
        node(permissions="rrww"),
        hook(path="relative", timeout=-1),
        having(intel_rdt=IntelRdt(clos_id="/")),
        nets(("a", "b"), ("b", "a")),
    ],
)
def test_what_runtimes_accept(spec: Spec) -> None:
    assert validation.check(spec) == ()


@pytest.mark.parametrize(
    ("spec", "where", "fact"),
    [
        (replace(SPEC, version="0.9.0"), "cdiVersion", "there is no CDI version '0.9.0'"),
        (replace(SPEC, version="0.2.0"), "cdiVersion", "0.3.0 is the lowest that is read"),
        (
            replace(node(host_path="/dev/y"), version="0.4.0"),
            "cdiVersion",
            "hostPath at devices[0].containerEdits.deviceNodes needs 0.5.0",
        ),
        (replace(SPEC, kind="modem"), "kind", "not of the form vendor/class"),
        (replace(SPEC, kind="acme.com/m"), "kind", "crashes containerd"),
        (replace(SPEC, kind="-/modem"), "kind", "does not begin"),
        (replace(SPEC, devices=()), "devices", "there is no device"),
        (replace(SPEC, devices=(DEVICE, DEVICE)), "devices[1].name", "defined already, as devices[0]"),
        (replace(SPEC, devices=(replace(DEVICE, name=""),)), "devices[0].name", "empty"),
        (having(), "devices[0].containerEdits", "changes nothing"),
        (having(env=("=1",)), "devices[0].containerEdits.env[0]", "does not set a variable"),
        (having(env=("A=1", "B")), "devices[0].containerEdits.env[1]", "does not set a variable"),
        (
            replace(SPEC, container_edits=ContainerEdits(env=("A",))),
            "containerEdits.env[0]",
            "does not set a variable",
        ),
        (node(path=""), "devices[0].containerEdits.deviceNodes[0].path", "empty"),
        (node(type="char"), "devices[0].containerEdits.deviceNodes[0].type", "no device type 'char'"),
        (node(permissions="rx"), "devices[0].containerEdits.deviceNodes[0].permissions", "no permissions"),
        (hook(hook_name="stop"), "devices[0].containerEdits.hooks[0].hookName", "no hook 'stop'"),
        (hook(path=""), "devices[0].containerEdits.hooks[0].path", "empty"),
        (hook(env=("A",)), "devices[0].containerEdits.hooks[0].env[0]", "does not set a variable"),
        (
            having(mounts=(Mount(host_path="", container_path="/x"),)),
            "devices[0].containerEdits.mounts[0].hostPath",
            "empty",
        ),
        (
            having(mounts=(Mount(host_path="/x", container_path=""),)),
            "devices[0].containerEdits.mounts[0].containerPath",
            "empty",
        ),
        (
            having(intel_rdt=IntelRdt(clos_id="..")),
            "devices[0].containerEdits.intelRdt.closID",
            "cannot be the name of a directory",
        ),
        (
            having(intel_rdt=IntelRdt(clos_id="é" * 2048)),
            "devices[0].containerEdits.intelRdt.closID",
            "cannot be the name of a directory",
        ),
        (nets(("", "b")), "devices[0].containerEdits.netDevices[0].hostInterfaceName", "empty"),
        (nets(("a", "")), "devices[0].containerEdits.netDevices[0].name", "empty"),
        (nets(("a", "b"), ("a", "c")), "devices[0].containerEdits.netDevices[1].hostInterfaceName", "taken"),
        (nets(("a", "b"), ("c", "b")), "devices[0].containerEdits.netDevices[1].name", "taken"),
    ],
)
def test_what_is_an_error(spec: Spec, where: str, fact: str) -> None:
    (problem,) = validation.check(spec)
    assert problem.where == where
    assert fact in str(problem)


def test_one_rule_is_ours_alone() -> None:
    spec = replace(SPEC, kind="a/b")
    assert validation.rejected(spec) == ()
    assert len(validation.check(spec)) == 2


def test_all_errors_are_told() -> None:
    spec = replace(SPEC, version="9", kind="x", devices=())
    assert [problem.where for problem in validation.check(spec)] == ["cdiVersion", "kind", "devices"]


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (replace(SPEC, version="v1.1.0"), "cdiVersion"),
        (replace(SPEC, kind="Acme.com/modem"), "kind"),
        (replace(SPEC, kind=f"{'a' * 254}/modem"), "kind"),
        (replace(SPEC, kind=f"acme.com/{'m' * 64}"), "kind"),
        (replace(SPEC, devices=(replace(DEVICE, name="a:b"),)), "devices[0].name"),
        (replace(SPEC, annotations={"a b": "c"}), 'annotations["a b"]'),
        (replace(SPEC, annotations={"/b": "c"}), 'annotations["/b"]'),
        (replace(SPEC, annotations={"a": "c" * 300_000}), "annotations"),
        (replace(SPEC, devices=(replace(DEVICE, annotations={"-": ""}),)), 'devices[0].annotations["-"]'),
        (node(permissions="none"), "devices[0].containerEdits.deviceNodes[0].permissions"),
        (hook(hook_name="prestart"), "devices[0].containerEdits.hooks[0].hookName"),
        (hook(path="x"), "devices[0].containerEdits.hooks[0].path"),
        (hook(timeout=0), "devices[0].containerEdits.hooks[0].timeout"),
        (having(additional_gids=(5, 0)), "devices[0].containerEdits.additionalGids[1]"),
    ],
)
def test_what_deserves_a_warning_is_no_error(spec: Spec, where: str) -> None:
    assert validation.check(spec) == ()
    assert [problem.where for problem in validation.warnings(spec)] == [where]


def test_a_version_that_only_runtimes_find_high_enough_deserves_a_warning() -> None:
    (linked,) = node(host_path="/dev/y").devices
    spec = replace(SPEC, version="0.3.0", devices=(linked, replace(DEVICE, name="b")))
    assert validation.check(spec) == ()
    (problem,) = validation.warnings(spec)
    assert "hostPath at devices[0].containerEdits.deviceNodes needs 0.5.0" in problem.message


NODE = HostNode("c", 10, 229)


@pytest.mark.parametrize(
    ("spec", "live", "where"),
    [
        (node(), NODE, None),
        (node(), None, None),
        (node(), HostNode("other"), None),
        (node(type="c", major=10, minor=229), NODE, None),
        (node(type="c", major=10, minor=1), NODE, "devices[0].containerEdits.deviceNodes[0].major"),
        (node(), HostNode("link"), "devices[0].containerEdits.deviceNodes[0].path"),
        (node(host_path="/l"), HostNode("link"), "devices[0].containerEdits.deviceNodes[0].hostPath"),
        (node(type="c", major=10), HostNode("link"), None),
    ],
)
def test_advice_goes_by_the_live_node(spec: Spec, live: HostNode | None, where: str | None) -> None:
    advice = validation.advice(spec, lambda path: live)
    assert [problem.where for problem in advice] == [where] * (where is not None)


def test_advice_knows_what_a_runtime_reads() -> None:
    (problem,) = validation.advice(SPEC, lambda path: None, "podman 4.3")
    assert problem.message == "podman 4.3 reads at most version 0.5.0, not 1.1.0"
    assert validation.advice(SPEC, lambda path: None, "containerd 2.3") == ()
