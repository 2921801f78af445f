from typing import Any

import pytest

from cdi import wire
from cdi.model import ContainerEdits, Device, DeviceNode, IntelRdt, Spec

TREE = {
    "cdiVersion": "1.1.0",
    "kind": "acme.com/modem",
    "devices": [{"name": "a", "containerEdits": {"deviceNodes": [{"path": "/dev/x"}]}}],
}


def read(tree: wire.Tree) -> tuple[Spec | None, list[str], list[str]]:
    findings = wire.Findings()
    spec = wire.read(tree, findings)
    return spec, [problem.where for problem in findings.faults], [note.where for note in findings.notes]


def node_tree(**members: wire.Tree) -> wire.Tree:
    device = {"name": "a", "containerEdits": {"deviceNodes": [{"path": "/dev/x", **members}]}}
    return {**TREE, "devices": [device]}


def node(tree: wire.Tree) -> DeviceNode:
    spec, faults, _ = read(tree)
    assert faults == []
    assert spec is not None
    return spec.devices[0].container_edits.device_nodes[0]


def test_a_spec_comes_and_goes() -> None:
    spec, faults, notes = read(TREE)
    assert (faults, notes) == ([], [])
    edits = ContainerEdits(device_nodes=(DeviceNode(path="/dev/x"),))
    assert spec == Spec(version="1.1.0", kind="acme.com/modem", devices=(Device(name="a", container_edits=edits),))
    assert wire.write(spec) == TREE


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"type": 5}, {"type": "5"}),
        ({"type": True}, {"type": "true"}),
        ({"type": 1.5}, {"type": "1.5"}),
        ({"type": 1e20}, {"type": "1e+20"}),
        ({"type": 16777217.0}, {"type": "1.6777216e+07"}),
        ({"type": float("inf")}, {"type": "+Inf"}),
        ({"type": 1e39}, {"type": "+Inf"}),
        ({"type": float("nan")}, {"type": "NaN"}),
        ({"type": 2**64}, {"type": "1.8446744e+19"}),
        ({"type": 10**400}, {"type": "1" + "0" * 400}),
        ({"type": None}, {"type": ""}),
        ({"major": 5.0}, {"major": 5}),
        ({"major": 1e15}, {"major": 10**15}),
        ({"major": 18014398509481985.0}, {"major": 18014398509481984}),
        ({"major": None, "uid": None, "fileMode": None}, {"major": 0, "uid": None, "file_mode": None}),
        ({"uid": 0, "fileMode": 0}, {"uid": 0, "file_mode": 0}),
    ],
)
def test_values_become_what_runtimes_take_them_for(members: dict[str, Any], expected: dict[str, Any]) -> None:
    found = node(node_tree(**members))
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    "members",
    [
        {"type": []},
        {"type": {}},
        {"major": "5"},
        {"major": 5.5},
        {"major": True},
        {"major": 1e21},
        {"major": float("nan")},
        {"major": -9.3e18},
        {"major": 2**63},
        {"uid": -1},
        {"uid": -0.0},
        {"uid": 2**32},
        {"uuid": 1},
    ],
)
def test_values_of_the_wrong_type(members: dict[str, Any]) -> None:
    (name,) = members
    assert read(node_tree(**members))[1] == [f"devices[0].containerEdits.deviceNodes[0].{name}"]


def test_all_faults_are_told() -> None:
    tree = {"cdiVersion": [], "kind": {}, "devices": [5, {"name": []}], "annotations": {"a": []}, "x y": 1}
    assert sorted(read(tree)[1]) == sorted(
        ["cdiVersion", "kind", "devices[0]", "devices[1].name", "annotations.a", '["x y"]']
    )


def test_an_unknown_member_brings_a_suggestion() -> None:
    findings = wire.Findings()
    wire.read({**TREE, "device": []}, findings)
    assert str(findings.faults[0]) == "device: there is no such member; did you mean devices?"


@pytest.mark.parametrize("name", ["KIND", "Kind", "\u212aind"])
def test_member_names_match_whatever_their_case(name: str) -> None:
    tree = {name: "acme.com/modem", "cdiVersion": "1.1.0", "devices": TREE["devices"]}
    spec, faults, notes = read(tree)
    assert faults == []
    assert notes == [name if name.isascii() else f'["{name}"]']
    assert spec is not None
    assert spec.kind == "acme.com/modem"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # Whatever their order in the file, capitals come first, and what comes last is read over the rest.
        ({"kind": "a.b/lower"}, {"KIND": "a.b/upper"}, "a.b/lower"),
        ({"KIND": "a.b/upper"}, {"kind": "a.b/lower"}, "a.b/lower"),
        ({"KIND": "a.b/upper"}, {"kind": None}, "a.b/upper"),
        ({"KIND": "a.b/upper"}, {"Kind": "a.b/title"}, "a.b/title"),
    ],
)
def test_of_two_spellings_the_last_one_wins(first: dict[str, Any], second: dict[str, Any], expected: str) -> None:
    spec, faults, notes = read({**first, **second, "cdiVersion": "1.1.0", "devices": TREE["devices"]})
    assert faults == []
    assert notes
    assert spec is not None
    assert spec.kind == expected


def test_maps_and_lists_of_two_spellings_are_merged() -> None:
    edits = {
        "INTELRDT": {"closID": "a", "memBwSchema": "b"},
        "intelRdt": {"closID": "c"},
        "DEVICENODES": [{"path": "/a", "type": "c"}, {"path": "/b"}],
        "deviceNodes": [{"path": "/c"}],
        "ENV": ["A=1"],
        "env": None,
    }
    spec, _, _ = read({**TREE, "containerEdits": edits})
    assert spec is not None
    assert spec.container_edits == ContainerEdits(
        intel_rdt=IntelRdt(clos_id="c", mem_bw_schema="b"), device_nodes=(DeviceNode(path="/c", type="c"),)
    )


@pytest.mark.parametrize("member", ["deviceNodes", "netDevices", "mounts", "hooks"])
def test_a_null_that_crashes_runtimes_is_a_fault(member: str) -> None:
    _, faults, _ = read({**TREE, "containerEdits": {member: [{}, None]}})
    assert faults == [f"containerEdits.{member}[1]"]


def test_other_nulls_are_empty_values() -> None:
    spec, faults, notes = read({**TREE, "containerEdits": {"env": [None], "additionalGids": [None], "hooks": None}})
    assert faults == []
    assert len(notes) == 3
    assert spec is not None
    assert spec.container_edits == ContainerEdits(env=("",), additional_gids=(0,))


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((), ""),
        (((), "devices"), "devices"),
        (((((), "devices"), 0), "name"), "devices[0].name"),
        ((((), "annotations"), 'a."b'), 'annotations["a.\\"b"]'),
    ],
)
def test_paths(place: wire.Place, expected: str) -> None:
    assert wire.path(place) == expected


def test_nothing_is_no_spec() -> None:
    assert read(None)[1] == [""]
    assert read([])[1] == [""]
    assert read("x")[1] == [""]
