from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from agent.config.settings import Resource
from agent.deviceplugin import messages
from agent.deviceplugin.serving import BOUNDS, LIST_LIMIT, Served, Tally
from agent.inventory import Listed, Listing
from tests.agent.rpc.house import SECONDS, House, channel
from tests.kubelet.client import CallError, Plugin, Registrar
from tests.kubelet.pb import deviceplugin_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UP, DOWN = Listed(healthy=True), Listed(healthy=False)
GONE = Listed(healthy=False, gone=1.0)


def listing(shares: int = 1, /, **devices: Listed) -> Listing:
    return Listing("acme.com/kind", Resource(name="acme.com/modem", shares=shares), dict(sorted(devices.items())))


class Offered(House):
    """A resource that is served, and a kubelet's connection to it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.turns = 0
        self.words: list[str | None] = []
        self.served = Served(path, listing(2, a=UP, b=DOWN, c=GONE), self._turn, self.words.append)
        self.plugin = Plugin("acme.com/modem", path, "register")

    def _turn(self) -> None:
        self.turns += 1

    def offer(self, one: Listing) -> None:
        self.do(lambda: self.served.offer(one))

    def __enter__(self) -> Offered:
        super().__enter__()
        self.do(self.served.server.start)
        return self

    def __exit__(self, *error: Any) -> None:
        self.plugin.close()
        self.do(self.served.server.stop)
        self.do(lambda: None)
        super().__exit__(*error)


@pytest.fixture
def offered(tmp_path: Path) -> Iterator[Offered]:
    with Offered(str(tmp_path / "x.sock")) as one:
        yield one


def shown(response: pb.ListAndWatchResponse) -> str:
    """A list in short: healthy ones in capitals, with their memory nodes."""
    words = (
        (one.ID.upper() if one.health == "Healthy" else one.ID) + "".join(f"@{node.ID}" for node in one.topology.nodes)
        for one in response.devices
    )
    return " ".join(words)


def test_options_say_that_there_are_preferences(offered: Offered) -> None:
    offered.plugin.dial(SECONDS)
    assert offered.plugin.options == pb.DevicePluginOptions(get_preferred_allocation_available=True)


def test_whoever_watches_hears_of_every_change_and_of_nothing_else(offered: Offered) -> None:
    lists = offered.plugin.lists()
    assert shown(next(lists)) == "A A::1 b b::1 c c::1"
    offered.await_(lambda: (offered.served.watched, offered.turns) == (True, 1))
    steps = {
        "A A::1": listing(2, a=UP),
        "A": listing(a=UP),
        "": listing(),
        "A@0 B@0@1": listing(a=replace(UP, numa=(0,)), b=replace(UP, numa=(0, 1))),
        "a@0": listing(a=replace(DOWN, numa=(0,))),
    }
    for expected, one in steps.items():
        offered.offer(one)
        offered.offer(one)
        offered.offer(replace(one, devices={name: replace(was) for name, was in one.devices.items()}))
        assert shown(next(lists)) == expected
    offered.offer(listing(z=UP))
    assert shown(next(lists)) == "Z", "there was something between"


def test_two_watchers_hear_the_same_and_the_last_one_to_leave_ends_it(offered: Offered) -> None:
    first, second = offered.plugin.lists(), offered.plugin.lists()
    next(first), next(second)
    offered.offer(listing(x=UP))
    assert (shown(next(first)), shown(next(second))) == ("X", "X")
    first.close()  # type: ignore[attr-defined] # a generator
    offered.await_(lambda: offered.turns == 3)
    assert offered.served.watched
    offered.plugin.close()
    offered.await_(lambda: not offered.served.watched)
    assert offered.turns == 4


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (["a"], ["acme.com/kind=a"]),
        (["b"], ["acme.com/kind=b"]),
        (["c"], ["acme.com/kind=c"]),
        (["a::1"], ["acme.com/kind=a"]),
        (["b", "a::1", "a"], ["acme.com/kind=b", "acme.com/kind=a"]),
        ([], []),
    ],
)
def test_allocate_answers_with_the_names_of_all_that_are_listed(
    offered: Offered, ids: list[str], names: list[str]
) -> None:
    wanted = pb.ContainerAllocateResponse(cdi_devices=[pb.CDIDevice(name=name) for name in names])
    assert offered.plugin.allocate(ids) == pb.AllocateResponse(container_responses=[wanted])


@pytest.mark.parametrize("bad", ["x", "", "a::2", "a::0", "a::" + "9" * 5000, "\u202e", "a\nb", "x" * 1_000_000])
def test_an_unknown_id_is_refused_and_told_of_in_short(
    offered: Offered, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(CallError) as refused:
        offered.plugin.allocate(["a", bad])
    assert refused.value.code is grpc.StatusCode.NOT_FOUND
    shown = bad if len(bad) <= 80 else f"{bad[:80]}..."
    assert refused.value.details == f"acme.com/modem has no device {shown!r}; see cdi-sync status for those it has"
    assert offered.log.said == [f"acme.com/modem: the kubelet asks for {shown!r}, which is no device of it"]
    offered.log.said.clear()
    assert offered.served.tally.refusals == 1
    assert sum(offered.served.tally.times) == 1


def test_what_is_no_message_is_refused_and_counted(offered: Offered) -> None:
    with channel(offered.plugin.socket) as one:
        for method in (messages.ALLOCATE, messages.PREFERRED_ALLOCATION, messages.NOTIFY_REGISTRATION_STATUS):
            with pytest.raises(grpc.RpcError, match="the request cannot be read"):
                one.unary_unary(method)(b"\x0a\x05a", timeout=SECONDS)
    assert offered.served.tally.refusals == 1
    assert offered.words == []


def test_several_containers_are_answered_in_order(offered: Offered) -> None:
    request = pb.AllocateRequest(
        container_requests=[pb.ContainerAllocateRequest(devices_ids=ids) for ids in (["a"], [], ["b"])]
    )
    answer = offered.plugin.call("v1beta1.DevicePlugin/Allocate", request, pb.AllocateResponse, SECONDS)
    names = [[device.name for device in one.cdi_devices] for one in answer.container_responses]
    assert names == [["acme.com/kind=a"], [], ["acme.com/kind=b"]]


def test_preferences_and_the_start_of_a_container_are_answered(offered: Offered) -> None:
    assert offered.plugin.prefer(["a", "a::1", "b"], 2) == {"a", "b"}
    offered.plugin.pre_start(["a"])
    offered.plugin.pre_start(["nonsense"])


def test_a_kubelet_that_finds_the_socket_by_itself_is_told_of_it(offered: Offered) -> None:
    registrar = Registrar(offered.plugin.socket)
    info = registrar.info(SECONDS)
    assert (info.type, info.name, info.endpoint) == ("DevicePlugin", "acme.com/modem", offered.plugin.socket)
    assert list(info.supported_versions) == ["v1beta1"]
    registrar.notify()
    registrar.notify("it is not wanted")
    registrar.close()
    assert offered.words == [None, "it is not wanted"]


def test_ten_thousand_devices_are_one_message(offered: Offered) -> None:
    offered.offer(listing(**{f"device-{number:05}": replace(UP, numa=(1,)) for number in range(10_000)}))
    assert len(next(offered.plugin.lists()).devices) == 10_000


@pytest.mark.parametrize(("devices", "shares"), [(100_000, 1), (1_000, 200), (3, 100_000)])
def test_a_list_that_the_kubelet_would_not_take_is_cut(offered: Offered, devices: int, shares: int) -> None:
    offered.offer(listing(shares, **{f"device-{number:06}-{'x' * 40}": UP for number in range(devices)}))
    response = next(offered.plugin.lists())
    assert len(response.SerializeToString()) <= LIST_LIMIT
    assert len(response.devices) > 30_000
    (said,) = offered.log.said
    assert said.startswith("acme.com/modem: the kubelet takes no list of ")
    offered.log.said.clear()
    last = f"device-{devices - 1:06}-{'x' * 40}"
    assert [one.name for one in offered.plugin.allocate([last]).container_responses[0].cdi_devices] == [
        f"acme.com/kind={last}"
    ]


def test_calls_are_counted_by_how_long_they_took() -> None:
    tally = Tally()
    for seconds in (0.0, BOUNDS[0], math.nextafter(BOUNDS[0], 1), BOUNDS[-1], 5.0):
        tally.took(seconds)
    assert tally.times == [2, 1, 0, 0, 0, 0, 0, 0, 1, 1]
    assert tally.seconds == pytest.approx(5.1001)
