"""Many devices, many resources, many reconnects, and none of it with anything to do."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agent.running import context_switches, eventually
from tests.agent.site import KIND, PATIENT, wait_health
from tests.real.devices import machine

if TYPE_CHECKING:
    from tests.agent.running import Agent
    from tests.agent.site import Site
    from tests.kubelet.kubelet import Kubelet

pytestmark = pytest.mark.root


def test_ten_thousand_devices_are_one_resource(site: Site) -> None:
    site.node(*(f"d{number}" for number in range(10_000)))
    with site.running() as (kubelet, _):
        eventually(lambda: kubelet.allocatable(KIND) == 10_000, seconds=PATIENT)
        site.gone("d7")
        eventually(lambda: kubelet.allocatable(KIND) == 9_999, seconds=PATIENT)
        assert kubelet.health(KIND)["d7"] == "Unhealthy"
        assert kubelet.capacity(KIND) == 10_000
        assert len(kubelet.admit("pod", "main", KIND, 100)) == 100
        kubelet.restart()
        eventually(lambda: kubelet.allocatable(KIND) == 9_999, seconds=PATIENT)


@pytest.mark.parametrize("registration", ["register", "plugin-watcher"])
def test_a_hundred_resources_are_served_by_one_agent(site: Site, registration: str) -> None:
    kinds = [f"acme.com/kind-{number:02d}" for number in range(100)]
    site.configure(
        *(site.a_class(kind, f"k{number:02d}") for number, kind in enumerate(kinds)),
        kubelet=f'registration = "{registration}"',
    )
    site.node(*(f"k{number:02d}" for number in range(100)))
    watched = {"registry": site.registry, "rescan": 0.1} if registration == "plugin-watcher" else {}
    with site.running(**watched) as (kubelet, _):

        def whole(count: int) -> bool:
            return sum(kubelet.allocatable(kind) or 0 for kind in kinds) == count

        eventually(lambda: whole(100), seconds=PATIENT)
        kubelet.restart()
        eventually(lambda: whole(100), seconds=PATIENT)
        site.gone("k42")
        # While others come anew, 99 may also be those without another one.
        eventually(lambda: whole(99) and kubelet.allocatable("acme.com/kind-42") == 0, seconds=PATIENT)


def test_a_list_that_is_too_long_for_the_kubelet_is_shortened_and_told_of(site: Site) -> None:
    """It would give the whole resource up otherwise. A device with too many shares loses shares first."""
    long = "x" * 40
    site.configure(site.a_class(kubernetes="shares = 100"))
    site.node(*(f"{long}{number}" for number in range(1_000)))
    with site.running() as (kubelet, agent):
        eventually(lambda: (kubelet.allocatable(KIND) or 0) > 1_000, seconds=PATIENT)
        agent.wait_log("the kubelet takes no list of")
        first = kubelet.allocatable(KIND)
        assert first is not None
        assert 30_000 < first < 100_000
        site.gone(f"{long}0")
        eventually(lambda: (kubelet.allocatable(KIND) or 0) < first, seconds=PATIENT)
        kubelet.admit("pod", "main", KIND, 2)


def size(pid: int) -> tuple[int, int, float]:
    """Threads, descriptors, and private memory in KiB."""
    lines = dict(line.split(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    private = sum(float(lines[name].split()[0]) for name in ("Private_Clean", "Private_Dirty"))
    return len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd")), private


def reconnect(kubelet: Kubelet, times: int) -> None:
    for _ in range(times):
        since = len(kubelet.journal)
        kubelet.restart()
        kubelet.next("list", KIND, since=since, seconds=PATIENT)


@pytest.mark.timeout(900)
def test_a_thousand_reconnects_leave_nothing_behind(site: Site) -> None:
    site.node("a", "b")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"a": True, "b": True})
        reconnect(kubelet, 10)
        threads, descriptors, memory = settled(agent)
        reconnect(kubelet, 990)
        after = settled(agent)
        assert after[:2] == (threads, descriptors)
        assert after[2] <= 1.05 * memory
        wait_health(kubelet, {"a": True, "b": True})


def test_a_burst_of_changes_leaves_no_heap_behind(site: Site) -> None:
    """The kernel queues 16,384 of them at most, and tells when there were more."""
    site.node("a")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"a": True})
        _, _, before = settled(agent)
        agent.process.send_signal(signal.SIGSTOP)
        for number in range(10_000):
            path = site.nodes / f"passing{number % 100}"
            path.touch()
            path.unlink()
        agent.process.send_signal(signal.SIGCONT)
        site.node("b")
        wait_health(kubelet, {"a": True, "b": True})
        assert settled(agent)[2] - before < 1024


def settled(agent: Agent) -> tuple[int, int, float]:
    time.sleep(1)
    return size(agent.process.pid)


def test_it_rests_while_a_kubelet_watches_and_nothing_happens(site: Site) -> None:
    """Others may mount something or make a device meanwhile: what polls is woken every time."""
    site.configure(site.a_class(), site.a_class("acme.com/other", "o*"))
    site.node("a", "o")
    with machine(), site.running() as (kubelet, agent):
        wait_health(kubelet, {"o": True}, "acme.com/other")
        assert 0 in (woken(agent.process.pid) for _ in range(20))


def woken(pid: int) -> int:
    before = context_switches(pid)
    time.sleep(3)
    return context_switches(pid) - before
