"""Which devices are healthy, and who may have how much of them."""

from __future__ import annotations

import fcntl
import os
import pty
import termios
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from tests.agent.running import eventually
from tests.agent.site import KIND, NO_DRIVER, PATIENT, Site, wait_health
from tests.kubelet.client import CallError
from tests.kubelet.kubelet import UnexpectedAdmissionError
from tests.kubelet.pb import deviceplugin_pb2 as pb
from tests.real.devices import make_node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kubelet.kubelet import Kubelet

pytestmark = pytest.mark.root

OTHER = "acme.com/other"
ALL = '[[class]]\nkind = "{kind}"\nall = "all"\nonly_all = true\n[[class.select]]\ndevnode = "{nodes}/*"\n'


def declared(site: Site, when: str) -> str:
    return f"""
[[class]]
kind = "{KIND}"
[[class.device]]
name = "one"
when = "{when}"
containerEdits.deviceNodes = [
  {{ path = "/dev/one", hostPath = "{site.nodes}/x" }}, {{ path = "/dev/two", hostPath = "{site.nodes}/y" }},
]
"""


def test_a_declared_device_is_healthy_while_all_its_nodes_are_there(site: Site) -> None:
    site.configure(declared(site, "present"))
    site.node("x")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"one": False})
        site.node("y")
        wait_health(kubelet, {"one": True})
        site.gone("x")
        wait_health(kubelet, {"one": False})
        assert agent.spec_dir.exists()
        assert site.specified() == {"one"}  # declared is declared


def test_or_always_where_that_is_asked_for(site: Site) -> None:
    site.configure(declared(site, "always"))
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"one": True})


def test_all_in_one_is_healthy_while_any_member_is_there(site: Site) -> None:
    site.configure(ALL.format(kind=KIND, nodes=site.nodes))
    site.node("x", "y")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"all": True})
        site.gone("x")
        eventually(lambda: f"{site.nodes}/x" not in (site.spec_dir / "cdi-sync+acme.com+thing.json").read_text())
        wait_health(kubelet, {"all": True})
        site.gone("y")
        wait_health(kubelet, {"all": False})
        site.node("y")
        wait_health(kubelet, {"all": True})


def test_a_node_has_to_open_where_that_is_asked_for(site: Site) -> None:
    """The kernel answers ENXIO for a number that nobody serves."""
    site.configure(site.a_class(glob="a*", kubernetes='health = "open"'), site.a_class(OTHER, "o*"))
    site.node("a0", "o0")
    site.dead_node("a1")
    site.dead_node("o1")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a0": True, "a1": False})
        wait_health(kubelet, {"o0": True, "o1": True}, OTHER)
        site.gone("a1")
        site.node("a1")
        wait_health(kubelet, {"a0": True, "a1": True})


def test_a_node_that_is_busy_is_alive(site: Site) -> None:
    """Many devices open for one process at a time; here a terminal that has an exclusive owner.

    The kernel makes an exception for those who administer the system, which the agent therefore may not here.
    """
    site.under = ("setpriv", "--bounding-set", "-sys_admin")
    master, terminal = pty.openpty()
    node = Path(os.ttyname(terminal))
    site.configure(site.a_class(kubernetes='health = "open"').replace(f"{site.nodes}/*", str(node)))
    try:
        fcntl.ioctl(terminal, termios.TIOCEXCL)
        with site.running() as (kubelet, _):
            wait_health(kubelet, {node.name: True})
    finally:
        os.close(terminal)
        os.close(master)


def test_a_device_that_stops_opening_is_found_at_the_next_look(site: Site) -> None:
    site.configure(site.a_class(kubernetes='health = "open"'), agent='resync = "1s"')
    site.node("a", "b")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True, "b": True})
        new = site.nodes / ".new"
        make_node(new, *NO_DRIVER)
        new.rename(site.nodes / "a")
        wait_health(kubelet, {"a": False, "b": True})


def test_pods_share_a_device_up_to_its_shares(site: Site) -> None:
    site.configure(site.a_class(kubernetes="shares = 3"))
    site.node("a", "b")
    with site.running() as (kubelet, _):
        names = {f"{one}{end}": True for one in "ab" for end in ("", "::1", "::2")}
        wait_health(kubelet, names)
        pods = [kubelet.admit(f"pod{number}", "main", KIND) for number in range(6)]
        held = [kubelet.replay(f"pod{number}", "main") for number in range(6)]
        assert set.union(*map(set, pods)) == set(names)
        # The load spreads: two pods have both devices, and so on.
        assert [len({name for (name,) in held[: 2 * turn]}) for turn in (1, 2, 3)] == [2, 2, 2]
        assert sorted(name for (name,) in held) == [f"{KIND}=a"] * 3 + [f"{KIND}=b"] * 3
        with pytest.raises(UnexpectedAdmissionError, match="requested number of devices unavailable"):
            kubelet.admit("pod6", "main", KIND)


def test_a_container_that_asks_for_two_shares_gets_two_devices_where_there_are_two(site: Site) -> None:
    site.configure(site.a_class(kubernetes="shares = 2"))
    site.node("a", "b")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True, "a::1": True, "b": True, "b::1": True})
        kubelet.admit("pod", "first", KIND, 2)
        kubelet.admit("pod", "second", KIND, 1)
        assert set(kubelet.replay("pod", "first")) == {f"{KIND}=a", f"{KIND}=b"}
        assert len(kubelet.replay("pod", "second")) == 1
        site.gone("a")
        wait_health(kubelet, {"a": False, "a::1": False, "b": True, "b::1": True})


def test_two_shares_of_one_device_are_one_name(site: Site) -> None:
    site.configure(site.a_class(kubernetes="shares = 4"))
    site.node("a")
    with site.running() as (kubelet, _):
        eventually(lambda: kubelet.allocatable(KIND) == 4, seconds=PATIENT)
        kubelet.admit("pod", "main", KIND, 3)
        assert kubelet.replay("pod", "main") == (f"{KIND}=a",)


@pytest.mark.parametrize("id_", ["", "z", "a::2", "a::0", "a::01", "a::-1", "a::x", "a::", "::", "a::1::1", "A", "a "])
def test_an_id_that_is_none_is_refused_by_name_and_nothing_is_handed_out(served: Kubelet, id_: str) -> None:
    with pytest.raises(CallError) as refused:
        served.plugin(KIND).allocate(["a", id_])
    assert refused.value.code is grpc.StatusCode.NOT_FOUND
    assert repr(id_) in refused.value.details


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubelet]:
    """A kubelet that knows `a` with two shares, for many small questions."""
    site = Site(tmp_path_factory.mktemp("k"))
    site.configure(site.a_class(kubernetes="shares = 2"))
    site.node("a")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True, "a::1": True})
        yield kubelet


def test_several_containers_in_one_request_are_answered_in_their_order(served: Kubelet) -> None:
    asked = [["a"], ["a::1"], ["a", "a::1"], []]
    request = pb.AllocateRequest(container_requests=[pb.ContainerAllocateRequest(devices_ids=ids) for ids in asked])
    answer = served.plugin(KIND).call("v1beta1.DevicePlugin/Allocate", request, pb.AllocateResponse)
    names = [[device.name for device in one.cdi_devices] for one in answer.container_responses]
    assert names == [[f"{KIND}=a"], [f"{KIND}=a"], [f"{KIND}=a"], []]


def test_a_device_whose_name_another_spec_defines_is_not_offered(site: Site) -> None:
    site.node("a")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True})
        (site.spec_dir / "theirs.json").write_text(
            f'{{"cdiVersion": "0.5.0", "kind": "{KIND}",'
            ' "devices": [{"name": "b", "containerEdits": {"env": ["A=1"]}}]}'
        )
        site.node("b", "c")
        wait_health(kubelet, {"a": True, "c": True})
