from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import checkpoint
from agent.checkpoint import Held, UnreadableError
from tests.agent.users import as_nobody
from tests.kubelet.pb import deviceplugin_pb2 as pb

if TYPE_CHECKING:
    from pathlib import Path


def answer(*names: str) -> str:
    """What Allocate answered, as the kubelet stores it; a device of another plugin's way beside."""
    response = pb.ContainerAllocateResponse(
        cdi_devices=[pb.CDIDevice(name=name) for name in names],
        envs={"A": "B"},
        devices=[pb.DeviceSpec(container_path="/dev/x", host_path="/dev/x", permissions="rw")],
    )
    return base64.b64encode(response.SerializeToString()).decode()


def entry(ids: Any = None, response: str | None = "", **others: Any) -> dict[str, Any]:
    return {"PodUID": "p", "ContainerName": "c", "ResourceName": "acme.com/modem", "DeviceIDs": ids or {"-1": ["a"]},
            "AllocResp": response} | others  # fmt: skip


def write(directory: Path, document: Any) -> None:
    (directory / checkpoint.NAME).write_text(document if isinstance(document, str) else json.dumps(document))


def entries(*some: Any) -> dict[str, Any]:
    return {"Data": {"PodDeviceEntries": list(some), "RegisteredDevices": {}}, "Checksum": 1}


@pytest.mark.parametrize("ids", [{"-1": ["a", "a::1"]}, {"0": ["a"], "1": ["a::1"]}, ["a", "a::1"]])
def test_what_pods_hold(tmp_path: Path, ids: Any) -> None:
    names = ("acme.com/modem=a", "acme.com/other=b")
    write(tmp_path, entries(entry(ids, answer(*names)), entry(response=None)))
    held = checkpoint.read(str(tmp_path))
    assert held == (
        Held("p", "c", "acme.com/modem", ("a", "a::1"), names),
        Held("p", "c", "acme.com/modem", ("a",), ()),
    )
    assert checkpoint.kinds(held) == {"acme.com/modem", "acme.com/other"}


@pytest.mark.parametrize("some", [None, []])
def test_no_pod_holds_anything(tmp_path: Path, some: Any) -> None:
    write(tmp_path, {"Data": {"PodDeviceEntries": some}})
    assert checkpoint.read(str(tmp_path)) == ()
    assert checkpoint.kinds(()) == frozenset()


def test_without_a_checkpoint_no_pod_holds_anything(tmp_path: Path) -> None:
    assert checkpoint.read(str(tmp_path)) == ()
    assert checkpoint.read(str(tmp_path / "gone")) == ()
    (tmp_path / "file").touch()
    assert checkpoint.read(str(tmp_path / "file")) == ()


DAMAGED = {
    "empty": "",
    "cut": json.dumps(entries(entry()))[:-20],
    "no JSON": "Data",
    "NUL bytes": "\0" * 100,
    "a list": [],
    "a number": 1,
    "null": None,
    "without data": {},
    "with data of another kind": {"Data": 1},
    "with nothing as data": {"Data": None},
    "without entries": {"Data": {}},
    "entries of another kind": {"Data": {"PodDeviceEntries": 1}},
    "entries that are an object": {"Data": {"PodDeviceEntries": {"a": 1}}},
    "an entry that is none": entries(1),
    "an entry without ids": entries({"PodUID": "p"}),
    "an entry with ids of another kind": entries(entry(ids=7)),
    "an entry with a number for ids": entries(entry(ids={"-1": 7})),
    "an entry without an answer": entries({key: value for key, value in entry().items() if key != "AllocResp"}),
    "an answer that is no base64": entries(entry(response="a")),
    "an answer that is no message": entries(entry(response=base64.b64encode(b"\x0a\x05a").decode())),
    "an answer with a name that is no text": entries(
        entry(response=base64.b64encode(b"\x2a\x03\x0a\x01\xff").decode())
    ),
    "an answer with a number for a device": entries(entry(response=base64.b64encode(b"\x28\x01").decode())),
    "very deep": "[" * 100_000,
    "a very long number": '{"Data": ' + "9" * 5000 + "}",
}


@pytest.mark.parametrize("document", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_one_cannot_be_read(tmp_path: Path, document: Any) -> None:
    write(tmp_path, document)
    with pytest.raises(UnreadableError, match="it is damaged, or of a kubelet that is not known yet"):
        checkpoint.read(str(tmp_path))


def test_a_directory_in_its_place_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / checkpoint.NAME).mkdir()
    with pytest.raises(UnreadableError, match="is a directory"):
        checkpoint.read(str(tmp_path))


@pytest.mark.root
def test_one_that_may_not_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    write(tmp_path, entries(entry()))
    (tmp_path / checkpoint.NAME).chmod(0o600)

    def attempt() -> str:
        try:
            return str(checkpoint.read(str(tmp_path)))
        except UnreadableError as error:
            return str(error)

    assert as_nobody(attempt, tmp_path) == "permission denied"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=5), some, max_size=3),
    max_leaves=6,
)


FIELDS = {
    **dict.fromkeys(("PodUID", "ContainerName", "ResourceName", "DeviceIDs"), JSON),
    "AllocResp": JSON | st.binary(max_size=20).map(lambda one: base64.b64encode(one).decode()),
}


def test_any_document_is_read_or_refused(tmp_path: Path) -> None:
    @settings(deadline=None)
    @given(st.fixed_dictionaries(FIELDS))
    def fuzz(one: dict[str, Any]) -> None:
        write(tmp_path, entries(one))
        try:
            held = checkpoint.read(str(tmp_path))
        except UnreadableError:
            return
        assert len(held) == 1

    fuzz()
    assert os.listdir(tmp_path) == [checkpoint.NAME]
