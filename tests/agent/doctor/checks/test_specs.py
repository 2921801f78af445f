from __future__ import annotations

import os

from tests.agent.doctor.faults import Fault, Faults, Planted
from tests.agent.doctor.patient import Patient, follow, put, spec

FAULTS = Faults()


@FAULTS.plant("specs", "fail", "runtimes drop it", advice="cdi-sync validate")
def no_json(patient: Patient) -> Planted:
    path = patient.other('{"cdiVersion": "0.5.0",')
    yield path
    path.unlink()


@FAULTS.plant("specs", "fail", "there is no device", advice="remove the file")
def a_spec_without_devices(patient: Patient) -> Planted:
    path = patient.other(spec("beta.org/card"))
    yield path
    path.unlink()


@FAULTS.plant("specs", "fail", "version 0.3.0 is too low", advice="declare 0.6.0")
def a_version_that_is_too_low(patient: Patient) -> Planted:
    path = patient.other(spec("beta.org/card.v2", "a", version="0.3.0"))
    yield path
    patient.edit(path, "0.3.0", "0.6.0")


@FAULTS.plant("specs", "fail", "crashes containerd", advice="cdi-sync validate")
def a_class_that_kills_containerd(patient: Patient) -> Planted:
    path = put(patient.high / "b.yaml", spec("beta.org/x", "a"))
    yield path
    patient.edit(path, "org/x", "org/card")


@FAULTS.plant("specs", "fail", "cannot be read", advice="ls -lL")
def a_link_to_nowhere(patient: Patient) -> Planted:
    path = patient.low / "b.json"
    path.symlink_to("/nonexistent")
    yield path
    path.unlink()


@FAULTS.plant("specs", "fail", "not a regular file", advice="remove the file")
def a_fifo(patient: Patient) -> Planted:
    path = patient.low / "b.json"
    os.mkfifo(path)
    yield path
    path.unlink()


@FAULTS.plant("conflicts", "fail", "b2.json defines beta.org/card=a too", advice="remove one of the two")
def a_device_in_two_files_of_one_directory(patient: Patient) -> Planted:
    path = patient.other(spec("beta.org/card", "a", "b"), "b1.json")
    other = patient.other(spec("beta.org/card", "a"), "b2.json")
    yield path
    other.unlink()


@FAULTS.plant("shadowing", "warn", "has priority and hides beta.org/card=a", advice="remove")
def a_device_in_two_directories(patient: Patient) -> Planted:
    path = patient.other(spec("beta.org/card", "a", "b"))
    put(patient.high / "vendor.json", spec("beta.org/card", "a"))
    advice = yield path
    follow(f"rm {advice.split()[1]}")


@FAULTS.each
def test_a_fault(fault: Fault, patient: Patient) -> None:
    fault.examine(patient)


def test_thousands_of_faults_are_told_in_a_few_lines(patient: Patient) -> None:
    names = [f"a{number}" for number in range(5_000)]
    patient.other(spec("beta.org/card", *names), "b1.json")
    patient.other(spec("beta.org/card", *names), "b2.json")
    (found,) = patient.complaints("conflicts")
    assert "card=a0, beta.org/card=a1, beta.org/card=a2 and 4997 more" in found.fact

    nodes = [{"path": f"{patient.dev}/{name}"} for name in names]
    patient.other(spec("beta.org/many", "all", deviceNodes=nodes), "b3.json")
    found_nodes = patient.complaints("nodes")
    assert len(found_nodes) == 21
    assert found_nodes[-1].subject == "4980 more"
