"""The messages against protobuf's own, made from the kubelet's interface."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.deviceplugin import messages
from agent.rpc import protobuf
from agent.rpc.protobuf import DamagedError
from tests.kubelet.pb import deviceplugin_pb2 as pb
from tests.kubelet.pb import pluginregistration_pb2 as registration

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = st.text(max_size=20)
IDS = st.lists(TEXT.filter(bool), max_size=4)
NODES = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3)
UNKNOWN = st.lists(
    st.tuples(st.integers(100, 2**29 - 1), st.binary(max_size=5) | st.integers(1, 2**64 - 1)), max_size=3
).map(
    lambda some: b"".join(
        protobuf.block(number, value) if isinstance(value, bytes) else protobuf.integer(number, value)
        for number, value in some
    )
)


@settings(deadline=None)
@given(st.booleans())
def test_options(preferred: bool) -> None:
    read = pb.DevicePluginOptions.FromString(messages.options(preferred_allocation=preferred))
    assert read == pb.DevicePluginOptions(get_preferred_allocation_available=preferred)


@settings(deadline=None)
@given(TEXT, TEXT, st.booleans())
def test_register_request(endpoint: str, resource: str, preferred: bool) -> None:
    ours = messages.register_request(endpoint, resource, messages.options(preferred_allocation=preferred))
    options = pb.DevicePluginOptions(get_preferred_allocation_available=preferred)
    assert pb.RegisterRequest.FromString(ours) == pb.RegisterRequest(
        version="v1beta1", endpoint=endpoint, resource_name=resource, options=options
    )


@settings(deadline=None)
@given(st.lists(st.tuples(TEXT, st.booleans(), NODES), max_size=4))
def test_a_list_of_devices(devices: list[tuple[str, bool, list[int]]]) -> None:
    ours = b"".join(messages.device(id_, healthy=healthy, numa=numa) for id_, healthy, numa in devices)
    read = pb.ListAndWatchResponse.FromString(ours)
    found = [(one.ID, one.health, [node.ID for node in one.topology.nodes]) for one in read.devices]
    assert found == [(id_, "Healthy" if healthy else "Unhealthy", numa) for id_, healthy, numa in devices]
    assert [one.HasField("topology") for one in read.devices] == [bool(numa) for *_, numa in devices]


@settings(deadline=None)
@given(st.lists(IDS, max_size=3), UNKNOWN)
def test_allocate_request(containers: list[list[str]], unknown: bytes) -> None:
    theirs = pb.AllocateRequest(container_requests=[pb.ContainerAllocateRequest(devices_ids=ids) for ids in containers])
    inner = b"".join(
        protobuf.block(1, unknown + one.SerializeToString() + unknown) for one in theirs.container_requests
    )
    for data in (theirs.SerializeToString(), unknown + inner + unknown):
        assert messages.allocate_request(data) == tuple(map(tuple, containers))


@settings(deadline=None)
@given(st.lists(IDS, max_size=3))
def test_allocate_response(containers: list[list[str]]) -> None:
    read = pb.AllocateResponse.FromString(messages.allocate_response(containers))
    wanted = [pb.ContainerAllocateResponse(cdi_devices=[pb.CDIDevice(name=one) for one in ids]) for ids in containers]
    assert read == pb.AllocateResponse(container_responses=wanted)


@settings(deadline=None)
@given(st.lists(st.tuples(IDS, IDS, st.integers(-(2**31), 2**31 - 1)), max_size=3), UNKNOWN, st.randoms())
def test_preferred_allocation_request(
    asked: list[tuple[list[str], list[str], int]], unknown: bytes, chance: Any
) -> None:
    theirs = [
        pb.ContainerPreferredAllocationRequest(
            available_deviceIDs=available, must_include_deviceIDs=required, allocation_size=size
        )
        for available, required, size in asked
    ]
    plain = pb.PreferredAllocationRequest(container_requests=theirs).SerializeToString()
    wanted = tuple(messages.Preference(tuple(available), tuple(required), size) for available, required, size in asked)
    assert messages.preferred_allocation_request(plain) == wanted
    shuffled = b"".join(protobuf.block(1, _in_other_order(*one, unknown, chance)) for one in asked)
    assert messages.preferred_allocation_request(unknown + shuffled) == wanted


def _in_other_order(available: list[str], required: list[str], size: int, unknown: bytes, chance: Any) -> bytes:
    """Write a request with its numbers first or last, fields it has not, and ids of both lists between each other."""
    numbers = [1] * len(available) + [2] * len(required)
    chance.shuffle(numbers)
    some = {1: iter(available), 2: iter(required)}
    parts = [protobuf.text(number, next(some[number])) for number in numbers]
    said = b"\x18" + protobuf._number(size & (1 << 64) - 1)
    return b"".join([*([said, *parts] if chance.random() < 0.5 else [*parts, said]), unknown])


def test_a_number_that_is_said_twice_is_the_last_one() -> None:
    data = protobuf.block(1, protobuf.integer(3, 1) + protobuf.text(1, "a") + b"\x18\x02")
    assert pb.PreferredAllocationRequest.FromString(data).container_requests[0].allocation_size == 2
    assert messages.preferred_allocation_request(data) == (messages.Preference(("a",), (), 2),)


@settings(deadline=None)
@given(st.lists(IDS, max_size=3))
def test_preferred_allocation_response(containers: list[list[str]]) -> None:
    read = pb.PreferredAllocationResponse.FromString(messages.preferred_allocation_response(containers))
    assert [list(one.deviceIDs) for one in read.container_responses] == containers


@settings(deadline=None)
@given(TEXT, TEXT)
def test_plugin_info(resource: str, endpoint: str) -> None:
    read = registration.PluginInfo.FromString(messages.plugin_info(resource, endpoint))
    assert read == registration.PluginInfo(
        type="DevicePlugin", name=resource, endpoint=endpoint, supported_versions=["v1beta1"]
    )


@settings(deadline=None)
@given(st.booleans(), TEXT, UNKNOWN)
def test_registration_status(registered: bool, error: str, unknown: bytes) -> None:
    theirs = registration.RegistrationStatus(plugin_registered=registered, error=error).SerializeToString()
    wanted = None if registered else error or "no reason is given"
    assert messages.registration_status(unknown + theirs + unknown) == wanted


READERS: list[Callable[[bytes], object]] = [
    messages.allocate_request,
    messages.preferred_allocation_request,
    messages.registration_status,
]


@pytest.mark.parametrize("read", READERS)
@settings(deadline=None)
@given(data=st.binary(max_size=40))
def test_any_bytes_are_a_message_or_damaged(read: Callable[[bytes], object], data: bytes) -> None:
    with contextlib.suppress(DamagedError):
        read(data)


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (messages.allocate_request, b"\x08\x01"),
        (messages.allocate_request, protobuf.block(1, b"\x08\x01")),
        (messages.allocate_request, protobuf.block(1, protobuf.block(1, b"\xff"))),
        (messages.allocate_request, protobuf.block(1, protobuf.text(1, "a"))[:-1]),
        (messages.preferred_allocation_request, protobuf.block(1, protobuf.text(3, "a"))),
        (messages.preferred_allocation_request, protobuf.block(1, protobuf.integer(2, 1))),
        (messages.registration_status, protobuf.text(1, "a")),
        (messages.registration_status, protobuf.integer(2, 1)),
    ],
)
def test_a_message_with_a_field_of_another_type_is_damaged(read: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(DamagedError):
        read(data)
