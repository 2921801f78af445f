"""What the kubelet is offered follows the configuration, and whoever is not concerned notices nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.running import eventually
from tests.agent.site import KIND, PATIENT, wait_health

if TYPE_CHECKING:
    from tests.agent.site import Site
    from tests.kubelet.kubelet import Kubelet

pytestmark = pytest.mark.root

OTHER, NEW = "acme.com/other", "acme.com/new"


def undisturbed(kubelet: Kubelet, resource: str) -> bool:
    """Whether the stream of a resource is its first one."""
    return len(kubelet.journal.events("registered", resource)) == 1 and not kubelet.journal.events(
        "stream-end", resource
    )


def test_a_new_class_registers_and_a_dropped_one_leaves_without_a_stir_of_the_others(site: Site) -> None:
    stays, goes, comes = site.a_class(glob="a*"), site.a_class(OTHER, "o*"), site.a_class(NEW, "n*")
    site.configure(stays, goes)
    site.node("a", "o", "n")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True})
        wait_health(kubelet, {"o": True}, OTHER)
        site.configure(stays, comes)
        wait_health(kubelet, {"n": True}, NEW)
        kubelet.next("stream-end", OTHER, seconds=PATIENT)
        assert kubelet.allocatable(OTHER) == 0
        eventually(lambda: not list(site.plugins.glob("cdi-sync-*other*")))
        site.configure(stays, comes, goes)
        wait_health(kubelet, {"o": True}, OTHER)
        site.node("a2")
        wait_health(kubelet, {"a": True, "a2": True})
        assert undisturbed(kubelet, KIND)
        assert undisturbed(kubelet, NEW)


def test_shares_change_in_the_stream_that_is_there(site: Site) -> None:
    site.node("a")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True})
        # Ids that are no more were never said to be unhealthy: that is the configuration's own word.
        for shares in (2, 3):
            site.configure(site.a_class(kubernetes=f"shares = {shares}"))
            wait_health(kubelet, {"a": True} | {f"a::{number}": True for number in range(1, shares)})
        assert undisturbed(kubelet, KIND)


def test_a_resource_gets_another_name(site: Site) -> None:
    site.node("a")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"a": True})
        site.configure(site.a_class(kubernetes='resource = "acme.com/renamed"'))
        wait_health(kubelet, {"a": True}, "acme.com/renamed")
        eventually(lambda: kubelet.allocatable(KIND) == 0, seconds=PATIENT)
        kubelet.admit("pod", "main", "acme.com/renamed")
        assert kubelet.replay("pod", "main") == (f"{KIND}=a",)
        assert site.specified() == {"a"}
        site.configure(site.a_class(kubernetes="enabled = false"))
        eventually(lambda: kubelet.allocatable("acme.com/renamed") == 0, seconds=PATIENT)
        assert not list(site.plugins.glob("cdi-sync-*"))
        site.configure(site.a_class())
        wait_health(kubelet, {"a": True})
        assert "Traceback" not in agent.log


def test_health_is_judged_otherwise(site: Site) -> None:
    site.node("a")
    site.dead_node("dead")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True, "dead": True})
        site.configure(site.a_class(kubernetes='health = "open"'))
        wait_health(kubelet, {"a": True, "dead": False})
        site.configure(site.a_class(kubernetes='health = "present"'))
        wait_health(kubelet, {"a": True, "dead": True})
        assert undisturbed(kubelet, KIND)


def test_the_way_to_register_changes(site: Site) -> None:
    site.node("a")
    with site.running(registry=site.registry, rescan=0.05) as (kubelet, _):
        ways = ["register", "plugin-watcher", "register"]
        for way in ways:
            since = len(kubelet.journal)
            if way != ways[0] or since:
                site.configure(site.a_class(), kubelet=f'registration = "{way}"')
            eventually(
                lambda way=way: kubelet.life.way(KIND) == way,  # type: ignore[misc]
                lambda: f"{kubelet.life.way(KIND)}: {[event.line() for event in kubelet.journal.events()]}",
                PATIENT,
            )
            wait_health(kubelet, {"a": True})
        assert not list(site.registry.glob("cdi-sync-*"))


def test_the_directory_of_the_kubelet_changes(site: Site) -> None:
    site.node("a")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True})
        before, site.plugins = site.plugins, site.place / "elsewhere"
        site.configure(site.a_class())
        with site.kubelet() as second:
            wait_health(second, {"a": True})
            eventually(lambda: kubelet.allocatable(KIND) == 0, seconds=PATIENT)
            assert not list(before.glob("cdi-sync-*"))
            assert second.breaches == ()


def test_a_broken_configuration_changes_nothing(site: Site) -> None:
    site.node("a")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"a": True})
        site.configure(site.a_class(kubernetes='resource = "nonsense"'))
        agent.wait_log("the last good one stays in force")
        site.node("b")
        wait_health(kubelet, {"a": True, "b": True})
        assert undisturbed(kubelet, KIND)
