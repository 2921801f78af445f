from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.doctor.checks.udev import of_entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.agent.doctor.patient import Patient
    from tests.real.udev import Udevd


@pytest.mark.real
def test_udevd_that_does_not_run_and_then_does(patient: Patient, start_udevd: Callable[[str], Udevd]) -> None:
    missed = patient.complaints("udevd")
    udevd = start_udevd("")
    if missed:  # this machine has none of its own
        assert [(one.verdict, "systemctl start systemd-udevd" in one.advice) for one in missed] == [("warn", True)]
    assert patient.complaints("udevd") == []

    udevd.udevadm("trigger", "--settle", "--subsystem-match=mem")
    (known,) = patient.findings("udev-database")
    assert known.verdict == "ok"
    assert patient.complaints("udev-pending") == []


def test_a_database_without_devices() -> None:
    assert (of_entries(0).verdict, "udevadm trigger" in of_entries(0).advice) == ("warn", True)
    assert (of_entries(1).verdict, of_entries(1).fact) == ("ok", "udev knows 1 device")
    assert of_entries(3).fact == "udev knows 3 devices"


def test_libudev(patient: Patient) -> None:
    (found,) = patient.findings("libudev")
    assert found.verdict == "ok"
