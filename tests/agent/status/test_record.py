"""The record of a life, and the state that is made of it, with a real publisher and no event loop."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from agent.config.checking import settings_of
from agent.config.files import parse
from agent.inventory import Listed, Listing
from agent.plan import Remove, Write
from agent.publish import Publisher
from agent.reconcile import Outcome
from agent.render import Offer, Rendered
from agent.setup.keeping import Keeper
from agent.status.record import Record, installed_version
from agent.status.state import BOUNDS, Containerd, document
from agent.store import StoreError
from cdi.errors import Problem
from tests.agent.status.states import faults

if TYPE_CHECKING:
    from pathlib import Path

    from agent.config.settings import Settings
    from agent.status.state import State

FILE = "cdi-sync+acme.com+modem.json"
PROBLEM = Problem("a", "is so", "mend it")


def nothing() -> None:
    pass


class Life:
    """A record with what it is asked together with."""

    def __init__(self, place: Path, more: str = "") -> None:
        self.kubelet = place / "kubelet"
        self.spec_dir = place / "cdi"
        self.settings: Settings = settings_of(
            (parse("config.toml", f'''
[agent]
spec_dir = "{self.spec_dir}"
state_dir = "{place}/state"
[kubelet]
directory = "{self.kubelet}"
{more}
[[class]]
kind = "acme.com/modem"
select = [{{ devnode = "/dev/modem*" }}]
'''),)
        )  # fmt: skip
        self.record = Record()
        self.publisher = Publisher(self.settings)
        self.keeper = Keeper(nothing)

    @property
    def state(self) -> State:
        state = self.record.now(self.settings, self.publisher, self.keeper)
        assert faults(document(state)) == []
        return state


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


def outcome(*offers: Offer, **more: object) -> Outcome:
    return Outcome((Rendered("acme.com/modem", FILE, None, offers, ()),), **more)  # type: ignore[arg-type]


def test_before_the_first_pass_nothing_is_claimed(life: Life) -> None:
    state = life.state
    assert (state.last, state.age, state.success, state.classes, state.specs) == (None, None, None, (), ())
    assert state.pid == os.getpid()
    assert state.counts.writes == {"acme.com/modem": 0}


def test_passes_are_counted_by_what_came_of_them(life: Life) -> None:
    life.record.passed(outcome(changes=(Write(FILE, b""), Remove("cdi-sync+acme.com+old.json"))), 0.0004)
    life.record.passed(outcome(changes=(Write(FILE, b""),), repaired=frozenset({FILE})), 0.2)
    life.record.passed(outcome(), 99.0)
    counts = life.state.counts
    assert counts.passes == {"changed": 2, "unchanged": 1, "failed": 0}
    assert counts.writes == {"acme.com/modem": 2}
    assert counts.removals == {"acme.com/modem": 0, "acme.com/old": 1}
    assert counts.repairs == {"acme.com/modem": 1}
    assert (counts.times[0], counts.times[BOUNDS.index(0.25)], counts.times[-1]) == (1, 1, 1)
    assert counts.seconds == pytest.approx(99.2004)


def test_a_failure_leaves_the_last_success_as_it_was(life: Life) -> None:
    life.record.passed(outcome(), 0.1)
    success = life.state.success
    life.record.passed(outcome(failures=(StoreError(PROBLEM), StoreError(PROBLEM))), 0.1)
    life.record.failed(PROBLEM, 0.1)
    state = life.state
    assert (state.success, state.counts.failures, state.counts.passes["failed"]) == (success, 3, 2)
    assert state.last is not None
    assert (state.last.succeeded, state.last.sentence) == (False, str(PROBLEM))
    assert state.problems == (PROBLEM,)


def test_what_is_wrong_ends_with_the_pass_that_finds_it_well(life: Life) -> None:
    life.record.passed(outcome(problems=(PROBLEM,)), 0.1)
    assert life.state.problems == (PROBLEM,)
    assert life.state.last is not None
    assert life.state.last.succeeded
    life.record.passed(outcome(), 0.1)
    assert not life.state.problems


def test_each_device_has_one_condition(life: Life, tmp_path: Path) -> None:
    life.record.passed(
        outcome(
            Offer("fine", ("/dev/modem0",)),
            Offer("half", ("/dev/modem1",), present=False),
            Offer("blind", ("/dev/modem2",), kept=True),
            Offer("shut", ("/dev/modem3",)),
        ),
        0.1,
    )
    resource = life.settings.resources[0]
    devices = {"fine": Listed(True), "shut": Listed(False), "lost": Listed(False, gone=5.0)}
    life.publisher.inventory = {"acme.com/modem": Listing("acme.com/modem", resource, devices)}
    (found,) = life.state.classes
    assert {device.name: (device.condition, device.gone) for device in found.devices} == {
        "fine": ("present", None),
        "half": ("unhealthy", None),
        "blind": ("kept", None),
        "shut": ("unhealthy", None),
        "lost": ("gone", 5.0),
    }
    (at_kubelet,) = life.state.resources
    assert (at_kubelet.devices, at_kubelet.healthy, at_kubelet.since) == (3, 1, None)


def test_a_refused_configuration_is_told_until_one_is_taken(life: Life) -> None:
    life.record.loaded()
    life.record.refused((PROBLEM,))
    assert list(life.state.configuration.refused) == [PROBLEM]
    life.record.loaded()
    assert not life.state.configuration.refused
    assert life.state.counts.loads == {"loaded": 2, "refused": 1}


def test_what_is_heard_is_counted_by_its_source_and_passed_on(life: Life) -> None:
    woken = []
    heard = life.record.heard("device", lambda: woken.append(1))
    heard()
    heard()
    assert (len(woken), life.state.counts.events["device"], life.state.counts.events["file"]) == (2, 2, 0)


def test_a_kubelet_is_there_where_its_socket_is(life: Life) -> None:
    assert not life.state.kubelet
    life.kubelet.mkdir()
    path = life.kubelet / "kubelet.sock"
    path.touch()
    assert not life.state.kubelet
    path.unlink()
    with socket.socket(socket.AF_UNIX) as kubelet:
        kubelet.bind(str(path))
    assert life.state.kubelet


def test_who_is_not_to_serve_a_kubelet_sees_none(tmp_path: Path) -> None:
    life = Life(tmp_path, "device_plugin = false")
    life.kubelet.mkdir()
    with socket.socket(socket.AF_UNIX) as kubelet:
        kubelet.bind(str(life.kubelet / "kubelet.sock"))
    assert (life.state.kubelet, life.state.resources) == (False, ())


def test_containerd_is_told_of_where_it_is_kept(tmp_path: Path, life: Life) -> None:
    assert life.state.containerd is None
    keeping = Life(tmp_path, "[containerd]\nenable_cdi = true\n")
    assert keeping.state.containerd == Containerd(looked=None, changes=0, problems=(), notes=())


def test_a_spec_directory_that_cannot_be_read_does_not_end_the_telling(life: Life) -> None:
    life.spec_dir.write_text("no directory")
    assert life.state.specs == ()


@pytest.mark.parametrize(
    ("name", "version"),
    [("cdi_sync-1.2.3.dist-info", "1.2.3"), ("cdi_sync_more-1.dist-info", "unknown"), ("other", "unknown")],
)
def test_the_version_is_that_of_the_metadata(tmp_path: Path, name: str, version: str) -> None:
    (tmp_path / name).mkdir()
    assert installed_version([str(tmp_path / "none"), str(tmp_path)]) == version
