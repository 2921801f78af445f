from __future__ import annotations

import os
import signal
import time

import pytest

from agent.doctor.checks.ours import boot
from agent.store import SpecDirectory, Writer
from tests.agent.doctor.faults import Fault, Faults, Planted
from tests.agent.doctor.patient import Patient, follow, put, spec
from tests.agent.running import Agent
from tests.real import devices

FAULTS = Faults()


@FAULTS.plant("sync", "fail", "is not as the devices are", advice="--once")
def a_spec_that_was_edited(patient: Patient) -> Planted:
    patient.edit(patient.spec, "/dev/null", "/dev/full")
    follow((yield patient.spec))


@FAULTS.plant("sync", "fail", "is not there", advice="--once")
def a_spec_that_was_deleted(patient: Patient) -> Planted:
    patient.spec.unlink()
    follow((yield patient.spec))


@FAULTS.plant("sync", "fail", "no class has such devices", advice="--once")
def a_spec_whose_class_is_gone(patient: Patient) -> Planted:
    follow((yield put(patient.low / "cdi-sync+beta.org+gone.json", spec("beta.org/gone", "a"))))


@FAULTS.plant("boot", "warn", "earlier boot", advice="--once")
def a_spec_of_an_earlier_boot(patient: Patient) -> Planted:
    patient.edit(patient.spec, "/dev/null", "/dev/full")
    os.utime(patient.spec, (1, 1))
    follow((yield patient.spec))


@FAULTS.plant("agent", "warn", "killed", advice="takes it over")
def the_lock_of_a_killed_agent(patient: Patient) -> Planted:
    lock = patient.low / ".cdi-sync.lock"
    lock.write_text("process 1 (cdi-sync)\n")
    yield lock
    patient.once()


@FAULTS.each
def test_a_fault(fault: Fault, patient: Patient) -> None:
    fault.examine(patient)


@pytest.mark.root
def test_an_agent_is_missed_where_devices_come_and_go_and_named_where_it_runs(patient: Patient) -> None:
    devices.make_node(patient.dev / "card", 1, 5)
    patient.configure(
        f'[[class]]\nkind = "acme.com/node"\nname = "{{sysname}}"\n  [[class.select]]\n  devnode = "{patient.dev}/*"\n'
    )
    (missed,) = patient.complaints("agent")
    assert missed.verdict == "warn"
    assert missed.advice.startswith("systemctl enable --now cdi-sync; without systemd, ")

    with Agent(patient.config, patient.low, patient.top / "log") as agent:
        agent.wait_ready()
        (found,) = patient.findings("agent")
        assert found.verdict == "ok"
        assert f"process {agent.process.pid} (" in found.fact
        assert "cdi-sync --config" in found.fact
        assert patient.complaints("sync") == []

        agent.process.send_signal(signal.SIGSTOP)
        (hung,) = patient.findings("agent")
        assert (hung.verdict, hung.fact.endswith("does not answer within 5 s")) == ("fail", True)
        assert "restart it" in hung.advice
        agent.process.send_signal(signal.SIGCONT)
        assert patient.complaints("agent") == []


def test_a_spec_of_an_earlier_boot_that_is_true_is_only_told_of(patient: Patient) -> None:
    os.utime(patient.spec, (1, 1))
    (found, *_) = patient.findings("boot")
    assert (found.subject, found.verdict) == (str(patient.spec), "ok")
    assert "true to the devices" in found.fact


def test_a_boot_that_nobody_knows_the_time_of_is_no_proof(patient: Patient) -> None:
    (patient.top / "proc").mkdir()
    (patient.top / "proc/stat").write_text("cpu  1 2 3\n")
    (found,) = boot(patient.node(proc=str(patient.top / "proc")))
    assert (found.verdict, "does not tell" in found.fact) == ("warn", True)


def test_an_agent_that_does_not_do_its_work_is_named(patient: Patient) -> None:
    patient.edit(patient.spec, "/dev/null", "/dev/full")
    begin = time.monotonic()
    with Writer(SpecDirectory(str(patient.low)), create=False):
        (found,) = patient.complaints("sync")
    assert "though an agent runs" in found.fact
    assert time.monotonic() - begin >= 2
