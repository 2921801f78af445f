"""The running agent and a kubelet that comes, goes, hangs and refuses: no registration is lost."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.agent.running import Agent, eventually
from tests.agent.site import KIND, PATIENT, wait_health

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.site import Site

pytestmark = pytest.mark.root

WAYS = ["register", "plugin-watcher"]
SEED = int(os.environ.get("CDI_SYNC_TEST_SEED", "1"))


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, site: Site) -> dict[str, object]:
    """Both ways to be known to a kubelet; what a kubelet for it is made with."""
    site.configure(site.a_class(), kubelet=f'registration = "{request.param}"')
    return {"registry": site.registry, "rescan": 0.05} if request.param == "plugin-watcher" else {}


def our_socket(site: Site) -> Path:
    (path,) = (path for place in (site.plugins, site.registry) for path in place.glob("cdi-sync-*.sock"))
    return path


def test_devices_are_offered_allocated_by_name_and_followed(site: Site, way: dict[str, object]) -> None:
    site.node("a")
    with site.running(**way) as (kubelet, _):
        wait_health(kubelet, {"a": True})
        site.node("b")
        wait_health(kubelet, {"a": True, "b": True})
        (one,) = kubelet.admit("pod", "main", KIND)
        assert kubelet.replay("pod", "main") == (f"{KIND}={one}",)
        site.gone("a")
        wait_health(kubelet, {"a": False, "b": True})
        site.node("a")
        wait_health(kubelet, {"a": True, "b": True})


@pytest.mark.parametrize("same_inode", [False, True])
def test_a_kubelet_that_restarts_is_registered_with_again(site: Site, way: dict[str, object], same_inode: bool) -> None:
    site.node("a")
    with site.running(**way) as (kubelet, _):
        for _ in range(5):
            wait_health(kubelet, {"a": True})
            kubelet.restart(same_inode=same_inode)
        wait_health(kubelet, {"a": True})


@pytest.mark.timeout(600)
def test_a_hundred_kubelet_restarts_at_random_moments_while_devices_come_and_go(
    site: Site, way: dict[str, object]
) -> None:
    rng = random.Random(SEED)
    present: set[str] = set()
    with site.running(**way) as (kubelet, agent):
        agent.wait_ready()
        for _ in range(100):
            churn(site, present, rng, rng.uniform(0.0, 0.15))
            kubelet.restart(same_inode=rng.random() < 0.5, away=rng.choice((0.0, 0.0, rng.uniform(0.0, 0.1))))
        everything = {f"d{number}" for number in range(8)}
        site.node(*sorted(everything - present))
        wait_health(kubelet, dict.fromkeys(sorted(everything), True))
        site.gone("d3")
        wait_health(kubelet, dict.fromkeys(sorted(everything), True) | {"d3": False})


def churn(site: Site, present: set[str], rng: random.Random, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        name = f"d{rng.randrange(8)}"
        (site.gone if name in present else site.node)(name)
        present ^= {name}
        time.sleep(rng.uniform(0.0, 0.03))


def test_a_kubelet_that_hangs_in_register_gets_its_answer_from_the_agent_meanwhile(site: Site) -> None:
    site.node("a")
    with site.kubelet() as kubelet:
        kubelet.hang_in_register(10.0)
        with site.agent() as agent:
            kubelet.next("register", KIND, seconds=PATIENT)
            site.node("b")  # the agent goes on with its work
            agent.wait_devices(KIND, {"a", "b"})
            assert not kubelet.journal.events("registered")
            wait_health(kubelet, {"a": True, "b": True})
            assert len(kubelet.journal.events("register")) == 1
        assert kubelet.breaches == ()


def test_a_kubelet_that_hangs_for_good_is_left_when_its_successor_comes(site: Site) -> None:
    site.node("a")
    with site.kubelet() as kubelet, site.agent():
        wait_health(kubelet, {"a": True})
        since = len(kubelet.journal)
        kubelet.hang_in_register(600.0)
        kubelet.restart()
        kubelet.next("register", KIND, since=since, seconds=PATIENT)
        kubelet.stop()
        kubelet.hang_in_register(0.0)
        kubelet.start()
        wait_health(kubelet, {"a": True})
        assert kubelet.breaches == ()


def test_a_kubelet_that_refuses_is_asked_again_less_and_less_often_until_it_accepts(site: Site) -> None:
    site.node("a")
    with site.kubelet() as kubelet, site.agent() as agent:
        kubelet.refuse("not now")
        kubelet.restart()
        eventually(lambda: len(kubelet.journal.events("refused", KIND)) >= 4, seconds=PATIENT)
        assert agent.log.count("not now") == 1  # told once
        kubelet.accept()
        wait_health(kubelet, {"a": True})
        assert kubelet.breaches == ()


def test_the_directory_of_the_sockets_may_go_and_come_back(site: Site, way: dict[str, object]) -> None:
    site.node("a")
    with site.running(**way) as (kubelet, agent):
        wait_health(kubelet, {"a": True})
        for pause in (0.0, 0.5):
            kubelet.stop()
            for directory in (site.plugins, site.registry):
                shutil.rmtree(directory, ignore_errors=True)
            time.sleep(pause)
            kubelet.start()
            wait_health(kubelet, {"a": True})
        site.node("b")
        wait_health(kubelet, {"a": True, "b": True})
        assert agent.end() == 0
        assert not list(site.plugins.glob("cdi-sync-*"))
        agent.start()
        wait_health(kubelet, {"a": True, "b": True})


def test_a_socket_of_ours_that_is_removed_is_made_again_and_registered(site: Site, way: dict[str, object]) -> None:
    site.node("a")
    with site.running(**way) as (kubelet, _):
        wait_health(kubelet, {"a": True})
        since = len(kubelet.journal)
        our_socket(site).unlink()
        kubelet.next("registered", KIND, since=since, seconds=PATIENT)
        wait_health(kubelet, {"a": True})


def test_a_stream_that_the_kubelet_drops_is_registered_again(site: Site, way: dict[str, object]) -> None:
    site.node("a")
    with site.running(**way) as (kubelet, _):
        for _ in range(4):
            wait_health(kubelet, {"a": True})
            since = len(kubelet.journal)
            kubelet.life.disconnect(KIND)
            kubelet.next("registered", KIND, since=since, seconds=PATIENT)
        wait_health(kubelet, {"a": True})


def test_a_killed_agent_is_missed_and_its_successor_takes_its_place(site: Site, way: dict[str, object]) -> None:
    site.node("a", "b")
    rng = random.Random(SEED)
    with site.running(**way) as (kubelet, agent):
        wait_health(kubelet, {"a": True, "b": True})
        for _ in range(12):
            since = len(kubelet.journal)
            agent.kill()
            time.sleep(rng.choice((0.0, 0.05)))
            agent.start()
            if rng.random() < 0.5:
                time.sleep(rng.uniform(0.0, 0.4))  # and is killed wherever it is
            else:
                kubelet.next("list", KIND, since=since, seconds=PATIENT)
        wait_health(kubelet, {"a": True, "b": True})
        assert kubelet.admit("pod", "main", KIND)


def test_an_agent_that_is_stopped_leaves_no_socket_and_no_device_that_can_be_had(
    site: Site, way: dict[str, object]
) -> None:
    site.node("a")
    with site.kubelet(**way) as kubelet, site.agent() as agent:
        wait_health(kubelet, {"a": True})
        assert agent.end() == 0
        eventually(lambda: kubelet.allocatable(KIND) == 0, seconds=PATIENT)
        assert not [path for place in (site.plugins, site.registry) for path in place.glob("cdi-sync-*")]
        assert site.specified() == {"a"}  # the specs stay
        assert kubelet.breaches == ()


@pytest.mark.parametrize("parents", [0, 2])
def test_a_kubelet_that_appears_long_after_the_agent_is_served(site: Site, parents: int) -> None:
    site.plugins = site.place.joinpath(*"abcdef"[:parents], "device-plugins")
    site.configure(site.a_class())
    site.node("a")
    with site.agent() as agent:
        agent.wait_devices(KIND, {"a"})
        agent.wait_ready()
        assert not site.plugins.exists()  # it is not ours to make
        time.sleep(0.5)
        with site.kubelet() as kubelet:
            wait_health(kubelet, {"a": True})
            site.node("b")
            wait_health(kubelet, {"a": True, "b": True})
            assert kubelet.breaches == ()


def test_an_agent_that_was_told_to_serve_makes_the_directory(site: Site) -> None:
    site.configure(site.a_class(), kubelet="device_plugin = true")
    site.node("a")
    with site.agent():
        eventually(site.plugins.is_dir, seconds=PATIENT)
        with site.kubelet() as kubelet:
            wait_health(kubelet, {"a": True})


def test_an_agent_that_was_told_not_to_serve_leaves_the_kubelet_alone(site: Site) -> None:
    site.configure(site.a_class(), kubelet="device_plugin = false")
    site.node("a")
    with site.running() as (kubelet, agent):
        agent.wait_devices(KIND, {"a"})
        kubelet.restart()
        time.sleep(0.5)
        assert not kubelet.journal.events("register")
        assert not list(site.plugins.glob("cdi-sync-*"))


def test_sockets_of_a_killed_agent_are_cleaned_and_those_of_others_stay(site: Site) -> None:
    other, ours = site.plugins / "other.sock", site.plugins / "cdi-sync-acme.com+former.sock"
    site.node("a")
    with site.kubelet() as kubelet:
        for path in (other, ours):
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(str(path))
        (site.plugins / "cdi-sync-note.sock").write_text("no socket")
        with site.agent():
            wait_health(kubelet, {"a": True})
            assert not ours.exists()
            assert other.exists()
            assert (site.plugins / "cdi-sync-note.sock").exists()


def test_a_second_agent_by_mistake_refuses_and_names_the_first(site: Site, way: dict[str, object]) -> None:
    site.node("a")
    with site.running(**way) as (kubelet, agent):
        wait_health(kubelet, {"a": True})
        for name, spec_dir in (("same", site.spec_dir), ("other", site.place / "cdi2")):
            second = Agent(site.config, spec_dir, site.place / f"log-{name}")
            with second:
                assert second.process.wait(PATIENT) == 1
            assert re.search(rf"\b{agent.process.pid}\b", second.log), second.log
            assert "Traceback" not in second.log
        assert len(kubelet.journal.events("registered")) == 1
        assert not kubelet.journal.events("stream-end")
        site.node("b")
        wait_health(kubelet, {"a": True, "b": True})


def test_a_kubelet_that_reads_nothing_gets_the_newest_state_when_it_reads_again(site: Site) -> None:
    site.configure(site.a_class(glob="d*"), site.a_class("acme.com/other", "o*"))
    site.node("d0", "o0")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"d0": True})
        wait_health(kubelet, {"o0": True}, "acme.com/other")
        kubelet.freeze(KIND)
        for number in range(1, 200):
            site.node(f"d{number}")
            if number % 20 == 0:
                site.gone("o0")
                wait_health(kubelet, {"o0": False}, "acme.com/other")  # others are told as before
                site.node("o0")
                wait_health(kubelet, {"o0": True}, "acme.com/other")
        kubelet.thaw(KIND)
        wait_health(kubelet, {f"d{number}": True for number in range(200)})
        assert len(kubelet.journal.events("registered", KIND)) == 1


def test_a_kubelet_that_is_stopped_and_goes_on_is_still_registered_with(site: Site) -> None:
    """A process that is stopped answers nothing, and its socket takes connections all the same."""
    site.node("a")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"a": True})
        agent.process.send_signal(signal.SIGSTOP)
        since = len(kubelet.journal)
        kubelet.restart()
        time.sleep(0.5)
        agent.process.send_signal(signal.SIGCONT)
        kubelet.next("registered", KIND, since=since, seconds=PATIENT)
        wait_health(kubelet, {"a": True})


def test_what_the_kubelet_keeps_while_no_agent_runs_is_taken_up_again(site: Site) -> None:
    site.node("a", "b")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"a": True, "b": True})
        agent.kill()
        eventually(lambda: kubelet.allocatable(KIND) == 0, seconds=PATIENT)
        assert kubelet.capacity(KIND) == 2
        agent.start()
        eventually(lambda: kubelet.allocatable(KIND) == 2, seconds=PATIENT)
