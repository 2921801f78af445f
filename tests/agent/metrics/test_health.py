from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from agent.metrics import health
from cdi.errors import Problem
from tests.agent.status.states import STATE

REGISTERED = dataclasses.replace(STATE, resources=STATE.resources[:1])


@pytest.mark.parametrize(
    ("change", "well", "said"),
    [
        ({}, True, "ok: the last pass ended 2 s ago\n"),
        ({"age": 1259.0}, True, "ok: the last pass ended 1259 s ago\n"),
        ({"age": 1261.0}, False, "failed: the last pass ended 1261 s ago, more than 1260 s\n"),
        ({"age": None}, False, "failed: no pass has been made yet\n"),
    ],
)
def test_it_lives_while_passes_are_made(change: dict[str, Any], well: bool, said: str) -> None:
    found = health.alive(dataclasses.replace(STATE, **change))
    assert (all(one.well for one in found), health.text(found)) == (well, said)


def test_a_pass_that_failed_is_a_life_and_no_readiness() -> None:
    assert STATE.last is not None
    failed = dataclasses.replace(REGISTERED, last=dataclasses.replace(STATE.last, succeeded=False))
    assert all(one.well for one in health.alive(failed))
    assert [one.well for one in health.ready(failed)] == [False, True, True]


@pytest.mark.parametrize(
    ("state", "ready"),
    [
        (REGISTERED, True),
        (dataclasses.replace(REGISTERED, last=None), False),
        (STATE, False),
        (dataclasses.replace(STATE, kubelet=False), True),
        (dataclasses.replace(STATE, resources=()), True),
    ],
)
def test_it_is_ready_when_the_kubelet_knows_of_all(state: Any, ready: bool) -> None:
    found = health.ready(state)
    assert all(one.well for one in found) is ready


def test_what_is_missing_is_named() -> None:
    assert "failed: acme.com/x is not registered with the kubelet: it refuses\n" in health.text(health.ready(STATE))


def test_one_that_hears_of_no_device_lives_and_is_not_ready() -> None:
    deafness = Problem("libudev", "cannot be used", "install it")
    assert all(one.well for one in health.alive(REGISTERED))
    assert [one.well for one in health.ready(REGISTERED, deafness)] == [True, False, True]
    assert "failed: libudev: cannot be used; install it\n" in health.text(health.ready(REGISTERED, deafness))
