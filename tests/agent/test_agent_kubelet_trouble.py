"""Strangers at the agent's sockets, and devices that udev makes of several nodes."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.agent.running import eventually
from tests.agent.site import KIND, wait_health
from tests.agent.users import as_nobody
from tests.kubelet.client import CallError, Plugin
from tests.real.devices import kernel
from tests.real.udev import Udevd
from tests.shortage import few_descriptors

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.running import Agent
    from tests.agent.site import Site

pytestmark = pytest.mark.root


def the_socket(site: Site) -> Path:
    return site.plugins / f"cdi-sync-{KIND.replace('/', '+')}.sock"


def descriptors(agent: Agent) -> int:
    return len(os.listdir(f"/proc/{agent.process.pid}/fd"))


def test_garbage_and_a_thousand_idle_connections_do_no_harm(site: Site) -> None:
    site.node("a")
    with site.running() as (kubelet, agent), ExitStack() as stack:
        wait_health(kubelet, {"a": True})
        before = descriptors(agent)
        for number in range(1_000):
            stranger = stack.enter_context(socket.socket(socket.AF_UNIX))
            stranger.connect(str(the_socket(site)))
            if number % 10 == 0:
                stranger.send((b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bytes(100))[number % 3])
        eventually(lambda: descriptors(agent) < before + 200)
        assert kubelet.admit("pod", "main", KIND) == {"a"}
        site.node("b")
        wait_health(kubelet, {"a": True, "b": True})
        assert len(kubelet.journal.events("registered")) == 1  # the kubelet was not the one to go


def test_a_request_that_is_too_large_is_refused_and_the_next_one_answered(site: Site) -> None:
    site.node("a")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True})
        with pytest.raises(CallError, match="RESOURCE_EXHAUSTED"):
            kubelet.plugin(KIND).allocate(["x" * 60] * 200_000)
        assert kubelet.admit("pod", "main", KIND) == {"a"}


def test_other_users_of_the_machine_cannot_connect(site: Site) -> None:
    site.node("a")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True})

        def knock() -> str:
            with socket.socket(socket.AF_UNIX) as stranger:
                try:
                    stranger.connect(str(the_socket(site)))
                except PermissionError:
                    return "refused"
            return "let in"

        assert as_nobody(knock, the_socket(site).parent) == "refused"


def test_a_stranger_who_watches_is_not_taken_for_the_kubelet(site: Site) -> None:
    """Someone may look at the list out of curiosity; the kubelet's next life registers all the same."""
    site.node("a")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True})
        stranger = Plugin(KIND, str(the_socket(site)), "curiosity")
        lists = stranger.lists()
        assert len(next(lists).devices) == 1
        kubelet.restart()
        wait_health(kubelet, {"a": True})
        stranger.close()
        time.sleep(0.3)
        wait_health(kubelet, {"a": True})


RULE = 'SUBSYSTEM=="block", KERNEL=="loop7*", ATTR{loop/backing_file}=="?*", ENV{ACME_UNIT}="unit"\n'


@pytest.mark.real
def test_a_device_of_several_nodes_is_healthy_when_enough_of_them_are_there(site: Site) -> None:
    site.configure(f"""
[[class]]
kind = "{KIND}"
name = "{{ACME_UNIT}}"
group_by = "ACME_UNIT"
requires = 2
[[class.select]]
properties = {{ ACME_UNIT = "unit" }}
attributes = {{ "loop/backing_file" = "{site.place}/*" }}
""")
    with Udevd(RULE), site.running() as (kubelet, _), kernel() as machine:
        first = machine.loop(site.place / "d1")
        wait_health(kubelet, {"unit": False})
        second = machine.loop(site.place / "d2")
        wait_health(kubelet, {"unit": True})
        machine.loop(site.place / "d3")
        wait_health(kubelet, {"unit": True})
        first.remove()
        second.remove()
        wait_health(kubelet, {"unit": False})
        machine.loop(site.place / "d1")
        wait_health(kubelet, {"unit": True})


@pytest.mark.parametrize("limit", [3, 8, 12, 13, 14, 15, 16])
def test_a_kubelet_that_comes_while_hardly_a_descriptor_is_free_is_served_when_there_are_some(
    site: Site, limit: int
) -> None:
    """What serves the kubelet is brought in when there is one, and that takes descriptors, too."""
    site.node("a")
    with site.agent() as agent, ExitStack() as stack:
        agent.wait_devices(KIND, {"a"})
        eventually((site.state_dir / "agent.sock").exists)
        with few_descriptors(limit, agent.process.pid):
            site.node("b")
            kubelet = stack.enter_context(site.kubelet())
            time.sleep(1)
            assert agent.process.poll() is None, agent.log
        wait_health(kubelet, {"a": True, "b": True})
        assert "Traceback" not in agent.log
