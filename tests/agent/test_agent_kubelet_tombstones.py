"""Devices that vanished stay listed as Unhealthy, and specs that pods need stay on disk."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.agent.running import devices, eventually, spec_file
from tests.agent.site import KIND, PATIENT, wait_health
from tests.kubelet.checkpoint import NAME as CHECKPOINT
from tests.kubelet.checkpoint import load

if TYPE_CHECKING:
    from tests.agent.site import Site

pytestmark = pytest.mark.root

OTHER = "acme.com/other"


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_vanished_device_stays_unhealthy_across_restarts_and_is_healthy_when_it_returns(site: Site, end: str) -> None:
    site.node("a", "b", "c")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"a": True, "b": True, "c": True})
        site.gone("a")
        wait_health(kubelet, {"a": False, "b": True, "c": True})
        for _ in range(2):
            if end == "stopped":
                assert agent.end() == 0
            else:
                agent.kill()
            if (site.nodes / "b").exists():
                site.gone("b")  # while no agent runs
            since = len(kubelet.journal)
            agent.start()
            kubelet.next("list", KIND, since=since, seconds=PATIENT)
            wait_health(kubelet, {"a": False, "b": False, "c": True})
        site.node("a", "b")
        wait_health(kubelet, {"a": True, "b": True, "c": True})
        assert kubelet.admit("pod", "main", KIND, 3) == {"a", "b", "c"}


def test_every_device_may_vanish_and_the_resource_stays(site: Site) -> None:
    site.node("a")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"a": True})
        site.gone("a")
        wait_health(kubelet, {"a": False})
        eventually(lambda: not spec_file(site.spec_dir, KIND).exists())
        agent.kill()
        agent.start()
        wait_health(kubelet, {"a": False})
        assert kubelet.capacity(KIND) == 1


def test_a_device_that_is_known_and_missing_is_allocated_all_the_same(site: Site) -> None:
    """The kubelet may have chosen it a moment ago; the runtime's refusal is tried again, ours would not be."""
    site.node("a")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True})
        site.gone("a")
        wait_health(kubelet, {"a": False})
        (answer,) = kubelet.plugin(KIND).allocate(["a"]).container_responses
        assert [device.name for device in answer.cdi_devices] == [f"{KIND}=a"]


def test_a_vanished_device_is_forgotten_in_the_end(site: Site) -> None:
    # A pass is what forgets; without an event that is the resync.
    site.configure(site.a_class(), kubelet='tombstones = "2s"', agent='resync = "1s"')
    site.node("a", "b")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True, "b": True})
        site.gone("a")
        gone = time.monotonic()
        wait_health(kubelet, {"a": False, "b": True})
        wait_health(kubelet, {"b": True})
        assert time.monotonic() - gone > 1.9


def test_it_is_forgotten_with_its_class(site: Site) -> None:
    site.configure(site.a_class(glob="a*"), site.a_class(OTHER, "o*"))
    site.node("a", "o")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"a": True})
        site.gone("a")
        wait_health(kubelet, {"a": False})
        site.configure(site.a_class(OTHER, "o*"))
        eventually(lambda: kubelet.allocatable(KIND) == 0, seconds=PATIENT)
        agent.wait_log("1 class")
        site.configure(site.a_class(glob="a*"), site.a_class(OTHER, "o*"))
        agent.wait_log("2 classes")
        site.node("a1")
        wait_health(kubelet, {"a1": True})


def test_the_spec_of_a_dropped_class_stays_while_a_pod_holds_its_devices(site: Site) -> None:
    site.configure(site.a_class(glob="a*"), site.a_class(OTHER, "o*"), agent='resync = "1h"')
    site.node("a", "o")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"a": True})
        kubelet.admit("pod", "main", KIND)
        site.configure(site.a_class(OTHER, "o*"), agent='resync = "1h"')
        agent.wait_log("1 class")
        eventually(lambda: kubelet.allocatable(KIND) == 0, seconds=PATIENT)
        for restart in (False, True):
            if restart:
                agent.kill()
                agent.start()
                kubelet.next("registered", OTHER, since=len(kubelet.journal) - 5, seconds=PATIENT)
            site.node(f"o{restart}")
            agent.wait_devices(OTHER, {"o", *(f"o{one}" for one in (False, True)[: restart + 1])})
            assert devices(site.spec_dir, KIND) == {"a"}
        kubelet.delete("pod", at_once=True)
        eventually(lambda: not spec_file(site.spec_dir, KIND).exists(), seconds=PATIENT)


def test_a_checkpoint_that_cannot_be_read_keeps_the_spec_until_it_can(site: Site) -> None:
    site.configure(site.a_class(glob="a*"), site.a_class(OTHER, "o*"), agent='resync = "1h"')
    site.node("a", "o")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"a": True})
        wait_health(kubelet, {"o": True}, OTHER)
        record = site.plugins / CHECKPOINT
        # The kubelet knows of a device before its record does, and would write over what we write.
        eventually(lambda: load(record.read_bytes()).registered == {KIND: ["a"], OTHER: ["o"]})
        good = record.read_bytes()
        record.write_text("{")
        site.configure(site.a_class(OTHER, "o*"), agent='resync = "1h"')
        agent.wait_log(f"{record}: cannot be read")
        assert devices(site.spec_dir, KIND) == {"a"}
        replaced = site.plugins / ".new"  # as the kubelet writes it
        replaced.write_bytes(good)
        replaced.rename(record)
        eventually(lambda: not spec_file(site.spec_dir, KIND).exists(), seconds=PATIENT)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version": 2}', '{"version": 1, "kinds": {"acme.com/thing": {"a": "x"}}}', "[" * 5000],
)
def test_a_damaged_record_costs_the_tombstones_and_nothing_else(site: Site, text: str) -> None:
    site.node("a")
    with site.kubelet() as kubelet, site.agent() as agent:
        wait_health(kubelet, {"a": True})
        assert agent.end() == 0
        (record,) = site.state_dir.glob("devices.json")
        record.write_text(text)
        agent.start()
        wait_health(kubelet, {"a": True})
        assert "devices.json: cannot be read" in agent.log
        assert "Traceback" not in agent.log
        eventually(lambda: json.loads(record.read_text())["kinds"] == {KIND: {"a": None}})
