import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi import oci, registry
from cdi.errors import CDIError
from cdi.hostnode import HostNode
from cdi.model import ContainerEdits, Device, DeviceNode, Hook, IntelRdt, Mount, NetDevice, Spec
from cdi.registry import SpecFile
from tests.cdi.strategies import SOUND_SPECS

HOST = {
    "/dev/null": HostNode("c", 1, 3, 0o666),
    "/dev/sda": HostNode("b", 8, 0, 0o660),
    "/dev/pipe": HostNode("p", 0, 0, 0o644),
    "/dev/link": HostNode("link", mode=0o777),
}
NULL: dict[str, Any] = {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666}


def applied(spec: dict[str, Any] | None = None, **edits: object) -> dict[str, Any]:
    return oci.apply(ContainerEdits(**edits), spec or {}, HOST.get)  # type: ignore[arg-type]


def node(spec: dict[str, Any] | None = None, **members: object) -> dict[str, Any]:
    return applied(spec, device_nodes=(DeviceNode(**{"path": "/dev/null", **members}),))  # type: ignore[arg-type]


def process(**members: object) -> dict[str, Any]:
    return {"process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", **members}}


def test_variables_are_replaced_where_they_stand() -> None:
    spec = applied(process(env=["A=1", "B=1", "A=2"]), env=("A=3", "C=1", "C=2"))
    assert spec["process"]["env"] == ["A=1", "B=1", "A=3", "C=2"]


def test_a_process_is_made_where_there_is_none() -> None:
    assert applied(env=("A=1",)) == {"process": {"user": {"uid": 0, "gid": 0}, "cwd": "", "env": ["A=1"]}}
    assert applied() == {}


@pytest.mark.parametrize(
    ("members", "device", "rule"),
    [
        ({}, NULL, {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}),
        ({"permissions": "r"}, NULL, {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "r"}),
        ({"permissions": "none"}, NULL, {"allow": True, "type": "c", "major": 1, "minor": 3}),
        (
            {"path": "/dev/disk", "host_path": "/dev/sda", "uid": 0, "gid": 6},
            {"path": "/dev/disk", "type": "b", "major": 8, "minor": 0, "fileMode": 0o660, "uid": 0, "gid": 6},
            {"allow": True, "type": "b", "major": 8, "minor": 0, "access": "rwm"},
        ),
        (
            {"path": "/dev/none", "type": "c", "major": 4, "minor": 5},
            {"path": "/dev/none", "type": "c", "major": 4, "minor": 5},
            {"allow": True, "type": "c", "major": 4, "minor": 5, "access": "rwm"},
        ),
        (
            {"type": "b", "major": 4, "file_mode": 0},
            {"path": "/dev/null", "type": "b", "major": 4, "minor": 0, "fileMode": 0},
            {"allow": True, "type": "b", "major": 4, "minor": 0, "access": "rwm"},
        ),
        ({"path": "/dev/pipe"}, {"path": "/dev/pipe", "type": "p", "major": 0, "minor": 0, "fileMode": 0o644}, None),
        ({"path": "/dev/none", "type": "p"}, {"path": "/dev/none", "type": "p", "major": 0, "minor": 0}, None),
    ],
)
def test_device_nodes(members: dict[str, Any], device: dict[str, Any], rule: dict[str, Any] | None) -> None:
    linux = node(**members)["linux"]
    assert linux["devices"] == [device]
    assert linux.get("resources") == (None if rule is None else {"devices": [rule]})


@pytest.mark.parametrize(
    ("members", "fact"),
    [
        ({"path": "/dev/none"}, "/dev/none: the host's device node is not there"),
        ({"path": "/dev/link"}, "links are not followed"),
        ({"type": "b"}, "of type c, not b"),
        ({"type": "u"}, "of type c, not u"),
        ({"path": "/dev/none", "type": "c"}, "is not there"),
    ],
)
def test_device_nodes_that_cannot_be_made(members: dict[str, Any], fact: str) -> None:
    with pytest.raises(CDIError, match=fact):
        node(**members)


def test_a_node_is_given_to_the_user_of_the_process() -> None:
    spec = node(process(user={"uid": 1000, "gid": 1001}))
    assert (spec["linux"]["devices"][0]["uid"], spec["linux"]["devices"][0]["gid"]) == (1000, 1001)


def test_a_node_takes_the_place_of_one_of_the_same_path() -> None:
    others = [{"path": "/dev/null", "type": "c"}, {"path": "/dev/zero"}]
    assert node({"linux": {"devices": others}})["linux"]["devices"] == [{"path": "/dev/zero"}, NULL]
    twice = [*others, {"path": "/dev/null"}]
    assert node({"linux": {"devices": twice}})["linux"]["devices"] == [{"path": "/dev/zero"}, NULL]


def test_mounts_are_replaced_and_sorted_by_depth() -> None:
    before = [{"destination": path} for path in ("/a/b/c", "/z", "/a", "//a/b/", "/a/../b")]
    spec = applied({"mounts": before}, mounts=(Mount(host_path="/h", container_path="/a", options=("ro",)),))
    assert [mount["destination"] for mount in spec["mounts"]] == ["/z", "/a/../b", "/a", "//a/b/", "/a/b/c"]
    assert {"destination": "/a", "source": "/h", "options": ["ro"]} in spec["mounts"]


@pytest.mark.parametrize(
    ("type_", "options", "expected"),
    [
        ("", (), None),
        ("bind", (), ["idmap"]),
        ("", ("bind",), ["bind", "idmap"]),
        ("bind", ("rbind",), ["rbind", "ridmap"]),
        ("", ("rbind", "bind"), ["rbind", "bind", "idmap"]),
        ("bind", ("ridmap",), ["ridmap"]),
    ],
)
def test_bind_mounts_are_mapped_in_a_user_namespace(
    type_: str, options: tuple[str, ...], expected: list[str] | None
) -> None:
    mount = Mount(host_path="/h", container_path="/c", type=type_, options=options)
    spec = applied({"linux": {"namespaces": [{"type": "user"}]}}, mounts=(mount,))
    assert spec["mounts"][0].get("options") == expected
    assert applied({}, mounts=(mount,))["mounts"][0].get("options") == (list(options) or None)


def test_hooks_interfaces_cache_and_groups() -> None:
    spec = applied(
        process(user={"uid": 0, "gid": 0, "additionalGids": [5]}),
        hooks=(Hook(hook_name="poststop", path="/x", args=("x",), timeout=0), Hook(hook_name="prestart", path="y")),
        net_devices=(NetDevice(host_interface_name="wwan0", name="eth1"),),
        intel_rdt=IntelRdt(clos_id="gold", schemata=(), enable_monitoring=True),
        additional_gids=(0, 7, 5, 7),
    )
    assert spec == {
        "process": {"user": {"uid": 0, "gid": 0, "additionalGids": [5, 7]}, "cwd": "/"},
        "hooks": {"poststop": [{"path": "/x", "args": ["x"], "timeout": 0}], "prestart": [{"path": "y"}]},
        "linux": {
            "netDevices": {"wwan0": {"name": "eth1"}},
            "intelRdt": {"closID": "gold", "enableMonitoring": True},
        },
    }


def test_an_unknown_hook_is_refused() -> None:
    with pytest.raises(CDIError, match="no hook 'stop'"):
        applied(hooks=(Hook(hook_name="stop", path="/x"),))


DEVICES = tuple(Device(name=name, container_edits=ContainerEdits(env=(f"{name}=1",))) for name in "ab")
SPEC = Spec(version="0.5.0", kind="acme.com/modem", devices=DEVICES, container_edits=ContainerEdits(env=("SPEC=1",)))
REGISTRY = registry.index([SpecFile("/etc/cdi/a.json", 0, SPEC)])


def test_edits_of_a_spec_come_once_and_first() -> None:
    edits = oci.edits_of(REGISTRY, ["acme.com/modem=b", "acme.com/modem=a", "acme.com/modem=b"])
    assert edits.env == ("SPEC=1", "b=1", "a=1", "b=1")


def test_all_unresolved_names_are_told() -> None:
    with pytest.raises(oci.UnresolvedError) as caught:
        oci.inject(REGISTRY, {}, ["acme.com/modem=z", "acme.com/modem=a", "x"], HOST.get)
    assert caught.value.names == ("acme.com/modem=z", "x")
    assert str(caught.value.problems[0]) == "acme.com/modem=z: no spec offers this device"


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"process": []}, "process"),
        ({"process": {"env": [1]}}, "process.env"),
        *(({"process": {"user": user}}, "process.user") for user in (5, "1000", ["root"], True)),
        *(({"process": other}, "process") for other in (5, "sh", ["sh"], True)),
        *((other, "") for other in (None, 5, "{}", [["a", 1]])),
        ({"process": {"user": {"uid": "1000"}}}, "process.user.uid"),
        ({"process": {"user": {"gid": -1}}}, "process.user.gid"),
        ({"process": {"user": {"gid": True}}}, "process.user.gid"),
        ({"process": {"user": {"additionalGids": [1.5]}}}, "process.user.additionalGids"),
        ({"process": {"user": {"additionalGids": {}}}}, "process.user.additionalGids"),
        ({"linux": "x"}, "linux"),
        ({"linux": {"devices": [None]}}, "linux.devices"),
        ({"linux": {"resources": {"devices": [5]}}}, "linux.resources.devices"),
        ({"linux": {"netDevices": []}}, "linux.netDevices"),
        *(({"linux": {"namespaces": spaces}}, "linux.namespaces") for spaces in (5, 1.5, True, "user", ["user"])),
        ({"mounts": {}}, "mounts"),
        ({"hooks": {"poststop": [5]}}, "hooks.poststop"),
    ],
)
def test_what_is_no_oci_spec_is_refused(spec: Any, where: str) -> None:
    edits = ContainerEdits(
        env=("A=1",),
        device_nodes=(DeviceNode(path="/dev/null"),),
        net_devices=(NetDevice(host_interface_name="a", name="b"),),
        mounts=(Mount(host_path="/a", container_path="/b"),),
        hooks=(Hook(hook_name="poststop", path="/x"),),
        additional_gids=(5,),
    )
    with pytest.raises(CDIError) as caught:
        oci.apply(edits, spec, HOST.get)
    assert caught.value.problems[0].where == where


def test_a_bottomless_spec_is_refused() -> None:
    spec: dict[str, Any] = {}
    for _ in range(100_000):
        spec = {"annotations": spec}
    with pytest.raises(CDIError, match="nested too deep"):
        oci.apply(ContainerEdits(), spec, HOST.get)


# A document with something at every place that injection touches.
WHOLE: dict[str, Any] = {
    "process": {"env": ["X=1"], "user": {"uid": 5, "gid": 6, "additionalGids": [1]}},
    "linux": {
        "devices": [{"path": "/dev/null"}],
        "resources": {"devices": [{}]},
        "namespaces": [{"type": "user"}],
        "netDevices": {},
        "intelRdt": {},
    },
    "mounts": [{"destination": "/c"}],
    "hooks": {"poststop": [{}]},
}

_NAMES = ["process", "user", "uid", "env", "linux", "devices", "namespaces", "type", "path", "mounts", "destination"]
_TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=12,
)


def places(tree: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place, *(deeper for key, child in children for deeper in places(child, (*place, key)))]


def changed(tree: Any, place: tuple[Any, ...], new: Any) -> Any:
    """Return a tree with something else at a place; as it is where there is no such place any more."""
    if not place:
        return new
    key, *others = place
    if isinstance(tree, dict):
        return {**tree, key: changed(tree.get(key), tuple(others), new)}
    if isinstance(tree, list) and isinstance(key, int) and key < len(tree):
        return [*tree[:key], changed(tree[key], tuple(others), new), *tree[key + 1 :]]
    return tree


@given(
    spec=SOUND_SPECS,
    changes=st.lists(st.tuples(st.sampled_from(places(WHOLE)), _TREES), max_size=3),
)
def test_whatever_it_is_given_injecting_is_deterministic_and_leaves_it_alone(
    spec: Spec, changes: list[tuple[tuple[Any, ...], Any]]
) -> None:
    config = copy.deepcopy(WHOLE)
    for place, tree in changes:
        config = changed(config, place, tree)
    found = registry.index([SpecFile("/a.json", 0, spec)])
    before = copy.deepcopy(config)
    outcomes = []
    for _ in range(2):
        try:
            outcomes.append(json.dumps(oci.inject(found, config, found.devices, HOST.get)))
        except CDIError as error:
            outcomes.append(str(error))
        assert config == before
    assert outcomes[0] == outcomes[1]
