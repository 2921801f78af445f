from __future__ import annotations

import os

from tests.agent.doctor.faults import Fault, Faults, Planted
from tests.agent.doctor.patient import Patient, follow
from tests.real import devices

FAULTS = Faults()
TAKING = """
[[class]]
kind = "acme.com/node"
name = "{sysname}"
  [[class.select]]
  devnode = "%s"
"""


@FAULTS.plant("configuration", "fail", "this is not TOML", advice="correct it")
def no_toml(patient: Patient) -> Planted:
    patient.configure("oops")
    yield f"{patient.config}:11"
    patient.configure()


@FAULTS.plant("configuration", "fail", "unknown key", advice="did you mean 'settle'")
def an_unknown_key(patient: Patient) -> Planted:
    patient.configure("[agent]\nsetle = '1s'\n")
    yield f"{patient.config}:12:1: agent.setle"
    patient.configure("[agent]\nsettle = '1s'\n")


@FAULTS.plant("configuration", "fail", "can be written by others", advice="chmod go-w")
def a_configuration_of_everybody(patient: Patient) -> Planted:
    patient.config.chmod(0o666)
    advice = yield patient.config
    follow(advice.partition(": ")[2])


@FAULTS.plant("configuration", "fail", "belongs to user 65534", advice="chown 0", root=True)
def a_configuration_of_somebody(patient: Patient) -> Planted:
    os.chown(patient.config, 65534, -1)
    advice = yield patient.config
    follow(advice.partition(": ")[2])


@FAULTS.plant("configuration", "fail", "cannot be read", advice="name a file that exists")
def no_configuration(patient: Patient) -> Planted:
    patient.config.unlink()
    yield patient.config
    patient.configure()


@FAULTS.plant("notes", "warn", "the kubelet is not offered this class", advice="enabled = false")
def a_kind_that_is_no_resource(patient: Patient) -> Planted:
    patient.edit(patient.config, "acme.com/null", "ACME.com/null")
    yield f"{patient.config}:7:1"
    patient.configure("  [class.kubernetes]\n  enabled = false\n")


@FAULTS.plant("classes", "warn", "takes no device now", advice="cdi-sync explain", root=True)
def a_class_without_devices(patient: Patient) -> Planted:
    patient.configure(TAKING % f"{patient.dev}/*")
    yield "acme.com/node"
    devices.make_node(patient.dev / "card", 1, 5)


@FAULTS.plant("classes", "warn", "lacks nodes of null", advice="plug them in", root=True)
def a_device_without_its_node(patient: Patient) -> Planted:
    patient.edit(patient.config, "/dev/null", f"{patient.dev}/card")
    yield "acme.com/null"
    devices.make_node(patient.dev / "card", 1, 5)


@FAULTS.plant("exposure", "warn", "gives containers /dev/mem", advice="[[class.exclude]]", root=True)
def the_whole_memory(patient: Patient) -> Planted:
    patient.edit(patient.config, "/dev/null", "/dev/mem")
    yield "acme.com/null"
    patient.edit(patient.config, "/dev/mem", "/dev/null")


@FAULTS.each
def test_a_fault(fault: Fault, patient: Patient) -> None:
    fault.examine(patient)
