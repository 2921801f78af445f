from __future__ import annotations

import asyncio
import fcntl
import gc
import json
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from agent import opening
from agent.config.checking import settings_of
from agent.config.files import parse
from agent.publish import Publisher
from agent.reconcile import Reconciler
from agent.store import SpecDirectory, Writer
from tests.agent.rpc.house import House

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.config.settings import Settings

KIND = "acme.com/modem"


class Bench(House):
    """A publisher, and passes made for it over declared devices whose nodes are plain files."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.place = place
        self.kubelet = place / "kubelet" / "device-plugins"
        self.spec_dir = place / "cdi"
        self.settings = self.configured()
        self.publisher = Publisher(self.settings)
        self.reconciler = Reconciler(SpecDirectory(str(self.spec_dir)), None)
        self.seen: list[tuple[bool, dict[str, bool]]] = []  # whether the spec was there, and what was offered

    def configured(self, *names: str, extra: str = "", kubelet: str = "", kind: str = KIND) -> Settings:
        devices = "".join(
            f"[[class.device]]\nname = '{name}'\n"
            f"containerEdits.deviceNodes = [{{ path = '{self.place}/{name}', type = 'c', major = 1, minor = 3 }}]\n"
            for name in names or ("a", "b")
        )
        text = (
            f"[agent]\nspec_dir = '{self.spec_dir}'\nstate_dir = '{self.place}/state'\n"
            f"[kubelet]\ndirectory = '{self.kubelet}'\n{kubelet}\n"
            f"[[class]]\nkind = '{kind}'\n{devices}[class.kubernetes]\n{extra}\n"
        )
        return settings_of((parse("c.toml", text),))

    def adopt(self, settings: Settings) -> None:
        self.settings = settings
        self.do(lambda: self.publisher.adopt(settings))

    def make_pass(self) -> None:
        def work() -> None:
            with Writer(self.reconciler.directory, create=True) as writer:
                outcome = self.reconciler.run(self.settings, writer, self._withdraw)
            self.publisher.offer(outcome)

        self.do(work)

    def _withdraw(self, rendered: Any) -> None:
        self.publisher.withdraw(rendered)
        self.seen.append(((self.spec_dir / "cdi-sync+acme.com+modem.json").exists(), self.health()))

    def health(self) -> dict[str, bool]:
        listing = self.publisher.inventory.get(KIND)
        return {name: one.healthy for name, one in listing.devices.items()} if listing else {}

    def served(self) -> list[tuple[str, float | None, int]]:
        return [(one.listing.resource.name, one.since, one.count) for one in self.publisher.states]

    def recorded(self) -> Any:
        path = self.place / "state" / "devices.json"
        return json.loads(path.read_text())["kinds"] if path.exists() else None

    def node(self, *names: str) -> None:
        for name in names:
            (self.place / name).symlink_to("/dev/null")

    def gone(self, name: str) -> None:
        (self.place / name).unlink()


@pytest.fixture
def bench(place: Path) -> Iterator[Bench]:
    with Bench(place) as one:
        yield one
        one.do(one.publisher.stop)
        one.do(lambda: None)
        gc.collect()


def test_offers_follow_the_specs_and_are_taken_back_before_they_go(bench: Bench) -> None:
    bench.kubelet.mkdir(parents=True)
    bench.node("a", "b")
    bench.make_pass()
    assert bench.health() == {"a": True, "b": True}
    bench.adopt(bench.configured("a"))
    bench.make_pass()
    assert bench.health() == {"a": True, "b": False}
    bench.adopt(bench.configured("x", kind="acme.com/other"))
    bench.make_pass()
    assert bench.health() == {}
    assert bench.seen == [(False, {}), (True, {"a": True, "b": False}), (True, {})]
    assert bench.publisher.inventory.keys() == {"acme.com/other"}


def test_what_vanished_is_remembered_by_the_next_agent(bench: Bench) -> None:
    bench.kubelet.mkdir(parents=True)
    bench.node("a", "b")
    bench.make_pass()
    bench.adopt(bench.configured("a"))
    bench.make_pass()
    assert set(bench.recorded()[KIND]) == {"a", "b"}
    bench.publisher = Publisher(bench.settings)
    assert bench.health() == {"a": False, "b": False}
    bench.make_pass()
    assert bench.health() == {"a": True, "b": False}
    bench.adopt(bench.configured("a", kubelet="tombstones = '1ms'"))
    bench.make_pass()
    assert bench.health() == {"a": True}
    assert bench.recorded() == {KIND: {"a": None}}


def test_devices_of_a_spec_that_does_not_stand_are_taken_back_until_it_does(bench: Bench) -> None:
    bench.kubelet.mkdir(parents=True)
    bench.node("a", "b")
    bench.make_pass()
    bench.do(lambda: bench.publisher.doubt(lambda _name: True))
    assert bench.health() == {"a": True, "b": True}
    bench.do(lambda: bench.publisher.doubt(lambda name: name != "cdi-sync+acme.com+modem.json"))
    assert bench.health() == {"a": False, "b": False}
    bench.make_pass()
    assert bench.health() == {"a": True, "b": True}


def test_only_another_place_makes_another_plugin(bench: Bench) -> None:
    bench.kubelet.mkdir(parents=True)
    bench.make_pass()
    bench.do(bench.publisher.look)
    before = bench.do(lambda: bench.publisher._plugin)
    assert before is not None
    for kubelet in ("tombstones = '1h'", "device_plugin = true"):
        bench.adopt(bench.configured(kubelet=kubelet))
        assert bench.publisher._plugin is before
        assert before.kubelet == bench.settings.kubelet
    bench.adopt(bench.configured(kubelet="registration = 'plugin-watcher'"))
    assert bench.publisher._plugin is None


def test_what_is_served_no_more_has_no_problem(bench: Bench) -> None:
    bench.kubelet.mkdir(parents=True)
    lock = os.open(bench.kubelet, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    bench.make_pass()
    bench.do(bench.publisher.look)
    assert bench.publisher.busy
    assert "is served by" in str(bench.publisher.problems[-1])
    bench.adopt(bench.configured(kubelet="device_plugin = false"))
    bench.do(bench.publisher.look)
    os.close(lock)
    assert (bench.publisher.busy, bench.publisher.problems) == (False, ())


def test_without_a_kubelet_nothing_is_served_and_nothing_recorded(bench: Bench) -> None:
    bench.node("a", "b")
    bench.make_pass()
    bench.do(bench.publisher.look)
    assert bench.served() == []
    assert bench.recorded() is None
    bench.kubelet.mkdir(parents=True)
    assert bench.do(lambda: bench.publisher.matters(str(bench.kubelet)))
    bench.do(bench.publisher.look)
    assert bench.served() == [(KIND, None, 0)]
    assert bench.publisher.directories == (str(bench.kubelet),)


def test_a_kubelet_that_is_not_to_be_served_is_not(bench: Bench) -> None:
    bench.kubelet.mkdir(parents=True)
    bench.adopt(bench.configured(kubelet="device_plugin = false"))
    bench.make_pass()
    bench.do(bench.publisher.look)
    assert (bench.publisher.states, bench.publisher.directories, bench.recorded()) == ((), (), None)


def test_a_kubelet_that_is_no_more_to_be_served_is_left(bench: Bench) -> None:
    bench.kubelet.mkdir(parents=True)
    bench.make_pass()
    bench.do(bench.publisher.look)
    assert bench.publisher.states
    bench.adopt(bench.configured(kubelet="device_plugin = false"))
    assert bench.publisher.states == ()


def test_a_second_one_is_told_that_the_first_one_serves(bench: Bench) -> None:
    bench.kubelet.mkdir(parents=True)
    bench.make_pass()
    bench.do(bench.publisher.look)
    assert (bench.publisher.busy, bench.publisher.problems) == (False, ())
    second = Publisher(bench.settings)
    second.inventory = bench.publisher.inventory
    bench.do(second.look)
    assert second.busy
    assert f"is served by process {os.getpid()} (" in str(second.problems[0])
    bench.do(bench.publisher.stop)
    bench.do(second.look)
    assert (second.busy, second.problems) == (False, ())
    bench.do(second.stop)


def test_a_record_that_cannot_be_written_is_a_problem_while_it_cannot(bench: Bench) -> None:
    bench.kubelet.mkdir(parents=True)
    bench.node("a", "b")
    (bench.place / "state").write_text("in the way")
    bench.make_pass()
    assert ["cannot be written" in str(problem) for problem in bench.publisher.problems] == [True]
    assert bench.health() == {"a": True, "b": True}, "devices are offered all the same"
    (bench.place / "state").unlink()
    bench.make_pass()
    assert bench.publisher.problems == ()


def test_a_damaged_record_is_told_of_once_and_made_anew(bench: Bench) -> None:
    bench.kubelet.mkdir(parents=True)
    (bench.place / "state").mkdir()
    (bench.place / "state" / "devices.json").write_text("{")
    publisher = Publisher(bench.settings)
    assert publisher.inventory == {}
    assert [word for word in bench.log.said if "cannot be read: it is damaged" in word] == bench.log.said
    bench.log.said.clear()
    bench.publisher = publisher
    bench.make_pass()
    assert set(bench.recorded()[KIND]) == {"a", "b"}


def test_a_node_that_has_gone_is_taken_back_at_once_and_stays_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found out about other nodes before the next look does not bring it back."""
    gate = threading.Event()
    gate.set()

    def opens(_node: str, _flags: int) -> bool:
        return gate.wait(20)

    monkeypatch.setattr(opening, "opens", opens)
    bench.kubelet.mkdir(parents=True)
    bench.node("a", "b")
    bench.adopt(bench.configured(extra="health = 'open'"))
    bench.make_pass()
    bench.do(bench.publisher.look)
    bench.await_(lambda: bench.health() == {"a": True, "b": True})
    bench.do(lambda: bench.publisher.vanished([f"{bench.place}/a"]))
    assert bench.health() == {"a": True, "b": True}, "it is there"
    bench.gone("a")
    bench.do(lambda: bench.publisher.vanished([f"{bench.place}/a"]))
    assert bench.health() == {"a": False, "b": True}
    bench.do(bench.publisher._reoffer)
    assert bench.health() == {"a": False, "b": True}
    bench.node("a")
    bench.make_pass()
    assert bench.health() == {"a": True, "b": True}


def test_only_what_opens_is_healthy_where_that_is_asked_for(bench: Bench) -> None:
    async def looked() -> None:
        await asyncio.sleep(0)

    bench.kubelet.mkdir(parents=True)
    bench.node("a")
    (bench.place / "b").symlink_to("/proc/self/mem/nothing")
    bench.adopt(bench.configured(extra="health = 'open'"))
    bench.make_pass()
    bench.run(looked())
    bench.await_(lambda: bench.health() == {"a": True, "b": False})
