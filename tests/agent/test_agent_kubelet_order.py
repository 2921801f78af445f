"""The order of specs and lists: what is offered is on disk, and is withdrawn before it leaves the disk."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.agent.running import eventually, reading, spec_file
from tests.agent.site import KIND, PATIENT, wait_health
from tests.real.devices import tmpfs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.agent.site import Site

pytestmark = pytest.mark.root

SEED = int(os.environ.get("CDI_SYNC_TEST_SEED", "1"))


@contextmanager
def witness(site: Site) -> Iterator[None]:
    """Have a process of its own compare list and spec all the while."""
    stop = site.place / "stop"
    socket = site.plugins / f"cdi-sync-{KIND.replace('/', '+')}.sock"
    argv: list[str | Path] = [sys.executable, "-m", "tests.agent.witness", spec_file(site.spec_dir, KIND), socket, stop]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield
        finally:
            stop.touch()
            output, errors = process.communicate(timeout=PATIENT)
            stop.unlink()
    found = json.loads(output or "{}")
    assert process.returncode == 0, (found, errors)
    assert found["looks"] > 100
    assert found["healthy"] > 10


def churn(site: Site, rng: random.Random, present: set[str], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name in rng.sample([f"d{number}" for number in range(6)], rng.choice((1, 1, 6))):
            (site.gone if name in present else site.node)(name)
            present ^= {name}
        time.sleep(rng.choice((0.0, 0.01, 0.15)))


def test_no_device_is_offered_that_is_not_in_the_spec_while_devices_come_and_go(site: Site) -> None:
    rng, present = random.Random(SEED), set[str]()
    with site.running() as (kubelet, agent):
        agent.wait_ready()
        eventually(lambda: bool(kubelet.journal.events("list", KIND)), seconds=PATIENT)
        with witness(site):
            churn(site, rng, present, 15.0)
        eventually(lambda: site.specified() == present, seconds=PATIENT)
        eventually(lambda: kubelet.allocatable(KIND) == len(present), seconds=PATIENT)


@pytest.mark.timeout(600)
def test_nor_when_the_agent_is_killed_and_the_kubelet_restarts_meanwhile(site: Site) -> None:
    rng, present = random.Random(SEED), set[str]()
    site.spec_dir.mkdir()
    with site.running() as (kubelet, agent), witness(site), reading(site.spec_dir, site.place):
        for _ in range(15):
            churn(site, rng, present, rng.uniform(0.2, 1.2))
            if rng.random() < 0.6:
                agent.kill()
                churn(site, rng, present, rng.uniform(0.0, 0.1))
                agent.start()
            else:
                kubelet.restart(same_inode=True)
        eventually(lambda: site.specified() == present, seconds=PATIENT)
        eventually(lambda: kubelet.allocatable(KIND) == len(present), seconds=PATIENT)


@pytest.fixture
def still(site: Site) -> Iterator[Path]:
    """A spec directory whose file system can be made read-only: then a spec stays as it is, come what may."""
    with tmpfs(site.spec_dir, 1 << 20) as directory:
        yield directory


def remount(directory: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", directory], check=True)


def test_what_cannot_be_written_is_not_offered_and_what_cannot_be_removed_is_withdrawn(site: Site, still: Path) -> None:
    site.node("a", "b")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True, "b": True})
        remount(still, "ro")
        site.gone("a")
        wait_health(kubelet, {"a": False, "b": True})
        assert site.specified() == {"a", "b"}
        site.node("c")
        site.gone("b")  # tells that c was looked at
        wait_health(kubelet, {"a": False, "b": False})
        remount(still, "rw")
        wait_health(kubelet, {"a": False, "b": False, "c": True})
        assert site.specified() == {"c"}


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_full_disk_keeps_a_new_device_off_the_list_until_there_is_room(site: Site, still: Path) -> None:
    site.node("a")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"a": True})
        filling = still / "filling"
        fill(filling)
        site.node("b")
        agent.wait_log("no space left")
        site.gone("a")
        eventually(lambda: kubelet.health(KIND).get("a") == "Unhealthy", seconds=PATIENT)
        assert "b" not in kubelet.health(KIND)
        filling.unlink()
        wait_health(kubelet, {"a": False, "b": True})


def test_a_spec_that_somebody_removed_is_put_back_and_its_devices_are_never_in_doubt_for_long(site: Site) -> None:
    site.node("a")
    with site.running() as (kubelet, _):
        wait_health(kubelet, {"a": True})
        for _ in range(5):
            spec_file(site.spec_dir, KIND).unlink()
            eventually(lambda: site.specified() == {"a"}, seconds=PATIENT)
        wait_health(kubelet, {"a": True})
