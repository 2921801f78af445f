from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest

from agent.doctor.checks import CHECKS as ALL
from agent.doctor.examination import examine
from agent.store import SpecDirectory, Writer
from tests.agent.doctor.faults import Fault, Faults, Planted
from tests.agent.doctor.patient import KIND, Patient, entry, follow, listen
from tests.agent.running import Agent, eventually
from tests.agent.users import as_nobody
from tests.kubelet.kubelet import Kubelet
from tests.real import devices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.doctor.findings import Finding

FAULTS = Faults()
CHECKS = ("kubelet", "kubelet-socket", "plugin-sockets", "checkpoint", "registration", "pods")
RESOURCE = '  [class.kubernetes]\n  resource = "acme.com/null"\n'


def directory(patient: Patient) -> Path:
    patient.kubelet.mkdir(parents=True, mode=0o750)
    return patient.kubelet


@FAULTS.plant("kubelet", "fail", "others can write it", advice="chmod go-w")
def a_plugin_directory_of_everybody(patient: Patient) -> Planted:
    directory(patient).chmod(0o777)
    follow((yield patient.kubelet))


@FAULTS.plant("kubelet", "fail", "is no directory", advice="move it away")
def a_file_for_the_plugin_directory(patient: Patient) -> Planted:
    patient.kubelet.parent.mkdir()
    patient.kubelet.touch()
    yield patient.kubelet
    patient.kubelet.rename(patient.top / "away")


@FAULTS.plant("kubelet", "fail", "is not there", advice="start the kubelet")
def no_plugin_directory(patient: Patient) -> Planted:
    patient.edit(patient.config, "[kubelet]", "[kubelet]\ndevice_plugin = true")
    yield patient.kubelet
    directory(patient)


@FAULTS.plant("kubelet-socket", "warn", "no kubelet runs", advice="device_plugin = false")
def no_kubelet(patient: Patient) -> Planted:
    yield directory(patient) / "kubelet.sock"
    patient.edit(patient.config, "[kubelet]", "[kubelet]\ndevice_plugin = false")


@FAULTS.plant("kubelet-socket", "fail", "nobody listens", advice="start the kubelet")
def a_kubelet_that_has_ended(patient: Patient) -> Planted:
    path = directory(patient) / "kubelet.sock"
    listen(path).close()
    yield path
    path.unlink()
    with patient.listening("kubelet.sock"):
        yield from _while_well(patient, "kubelet-socket")


def _while_well(patient: Patient, check: str) -> Iterator[str]:
    """See that nothing is wrong while what was mended stands."""
    assert patient.complaints(check) == []
    patient.edit(patient.config, "[kubelet]", "[kubelet]\ndevice_plugin = false")
    return iter(())


@FAULTS.plant("plugin-sockets", "warn", "left by an agent that was killed", advice="rm")
def a_socket_of_a_killed_agent(patient: Patient) -> Planted:
    path = directory(patient) / "cdi-sync-0.sock"
    listen(path).close()
    advice = yield path
    follow(advice.partition(",")[0])


@FAULTS.plant("plugin-sockets", "warn", "and is none", advice="rm")
def a_file_for_a_socket(patient: Patient) -> Planted:
    path = directory(patient) / "cdi-sync-0.sock"
    path.touch()
    follow((yield path))


@FAULTS.plant("checkpoint", "warn", "damaged", advice="remove the file")
def a_damaged_checkpoint(patient: Patient) -> Planted:
    path = directory(patient) / "kubelet_internal_checkpoint"
    path.write_text('{"Data": {"PodDev')
    yield path
    path.unlink()


@FAULTS.plant("registration", "warn", "no agent runs", advice="systemctl")
def a_resource_that_is_not_registered(patient: Patient) -> Planted:
    patient.configure(RESOURCE)
    patient.checkpoint({"other.org/thing": ["a"]})
    yield KIND
    patient.checkpoint({KIND: ["null"]})


@FAULTS.plant("pods", "fail", "was given acme.com/null=gone, which no spec defines", advice="bring the device")
def a_pod_whose_device_is_gone(patient: Patient) -> Planted:
    patient.checkpoint({}, ("1234-abcd", ["acme.com/null=null", "acme.com/null=gone"]))
    yield "pod 1234-abcd"
    with patient.config.open("a") as file:
        file.write('  [[class.device]]\n  name = "gone"\n  containerEdits.env = ["GONE=no"]\n')
    patient.once()


@FAULTS.plant("pods", "fail", "its next start fails", advice="or delete the pod")
def a_pod_that_is_to_be_deleted(patient: Patient) -> Planted:
    pod = patient.kubelet.parent / "pods" / "1234-abcd"
    pod.mkdir(parents=True)
    patient.checkpoint({}, ("1234-abcd", ["acme.com/null=gone"]))
    yield "pod 1234-abcd"
    pod.rmdir()


@FAULTS.each
def test_a_fault(fault: Fault, patient: Patient) -> None:
    fault.examine(patient)


def test_a_node_without_a_kubelet_is_well(patient: Patient) -> None:
    found = [line.finding for line in examine(patient.node()) if line.check in CHECKS]
    assert [(one.verdict, one.fact) for one in found] == [("ok", "is not here")]


def test_a_node_with_a_kubelet_is_well(patient: Patient) -> None:
    patient.configure(RESOURCE)
    patient.checkpoint({KIND: ["null"]}, ("1234-abcd", ["acme.com/null=null"]))
    with patient.listening("kubelet.sock"):
        patient.kubelet.chmod(0o750)
        found = [line for line in examine(patient.node()) if line.check in CHECKS]
    assert {line.finding.verdict for line in found} == {"ok"}
    assert [line.check for line in found] == list(CHECKS)


@pytest.mark.root
def test_an_agent_that_serves_a_kubelet(patient: Patient) -> None:
    """With the real agent: green while it serves; named when it was killed, and when what a pod holds is unplugged."""
    card = devices.make_node(patient.dev / "card", 1, 5, mode=0o666)
    patient.configure(
        f'''  [class.kubernetes]
  resource = "acme.com/null"
[[class]]
kind = "acme.com/node"
name = "{{sysname}}"
  [[class.select]]
  devnode = "{patient.dev}/*"
'''
    )
    patient.kubelet.parent.mkdir()
    agent = Agent(patient.config, patient.low, patient.top / "log")
    with Kubelet(patient.kubelet, patience=20.0) as kubelet, agent:
        for resource in ("acme.com/node", KIND):
            kubelet.until(partial(kubelet.allocatable, resource))
        kubelet.admit("1234-abcd", "main", "acme.com/node")
        patient.kubelet.chmod(0o750)
        assert unwell(patient) == {}
        assert {one.fact for one in patient.findings("plugin-sockets")} == {"2 of our sockets are listened at"}

        card.unlink()
        eventually(lambda: unwell(patient).keys() == {"pods"}, lambda: str(unwell(patient)))
        assert "acme.com/node=card" in unwell(patient)["pods"].fact
        devices.make_node(card, 1, 5, mode=0o666)
        eventually(lambda: unwell(patient) == {}, lambda: str(unwell(patient)))

        agent.kill()
        found = unwell(patient)
        assert found["plugin-sockets"].fact == "nobody listens: it was left by an agent that was killed"
        assert "start the agent" in found["plugin-sockets"].advice
        agent.start()
        eventually(lambda: unwell(patient) == {}, lambda: str(unwell(patient)))


def test_a_kubelet_that_counts_no_device_of_an_agent_that_runs_is_named(patient: Patient) -> None:
    patient.configure(RESOURCE)
    patient.checkpoint({KIND: []})
    assert patient.complaints("registration") == []  # without an agent that is as it should be
    with Writer(SpecDirectory(str(patient.low)), create=False):
        (found,) = patient.complaints("registration")
        patient.edit(patient.config, "[class.kubernetes]", '[class.kubernetes]\nhealth = "open"')
        assert patient.complaints("registration") == []
    assert (found.verdict, found.fact) == ("fail", "is registered, and the kubelet counts none of 1 device as healthy")


@pytest.mark.root
def test_an_agent_makes_no_sockets_before_there_is_a_kubelet_and_is_not_blamed(patient: Patient) -> None:
    patient.configure(RESOURCE)
    directory(patient)
    with Agent(patient.config, patient.low, patient.top / "log") as agent:
        agent.wait_ready()
        assert unwell(patient).keys() == {"kubelet-socket"}
        assert [one.fact for one in patient.findings("plugin-sockets")] == [
            "the agent makes ours when there is a kubelet"
        ]


@pytest.mark.root
def test_a_kubelet_s_directory_that_this_user_may_not_see_is_not_taken_for_none(patient: Patient) -> None:
    directory(patient)
    patient.kubelet.parent.chmod(0o700)
    seen = as_nobody(
        lambda: " ".join(f"{one.verdict} {one.hidden}" for one in patient.findings("kubelet")), patient.top
    )
    assert seen == "warn True"


def unwell(patient: Patient) -> dict[str, Finding]:
    """What is wrong with the kubelet and what it holds, by check."""
    lines = examine(patient.node(), [one for one in ALL if one.name in CHECKS])
    return {line.check: line.finding for line in lines if line.finding.verdict != "ok"}


def test_a_kubelet_that_takes_no_connection(patient: Patient) -> None:
    path = directory(patient) / "kubelet.sock"
    with ExitStack() as stack:
        hung = stack.enter_context(socket.socket(socket.AF_UNIX))
        hung.bind(str(path))
        hung.listen(0)
        stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(path))  # nobody accepts it: the queue is full
        (found,) = patient.complaints("kubelet-socket")
    assert (found.verdict, found.fact) == ("fail", "the kubelet takes no connection within 5 s")


def test_a_socket_for_everybody(patient: Patient) -> None:
    with patient.listening("kubelet.sock", "cdi-sync-0.sock"):
        assert patient.complaints("plugin-sockets") == []
        (patient.kubelet / "cdi-sync-0.sock").chmod(0o666)
        (found,) = patient.complaints("plugin-sockets")
        assert (found.verdict, found.fact) == ("warn", "others can speak to it (mode 0666)")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'{"Data": 1}',
        b'{"Data": {"RegisteredDevices": 1, "PodDeviceEntries": []}}',
        b'{"Data": {"RegisteredDevices": {"a": 1}, "PodDeviceEntries": []}}',
        b'{"Data": {"RegisteredDevices": {}, "PodDeviceEntries": [1]}}',
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps(
            {"Data": {"RegisteredDevices": {}, "PodDeviceEntries": [{**entry("a", []), "AllocResp": "/w=="}]}}
        ).encode(),
    ],
)
def test_a_checkpoint_however_malformed_is_a_finding(data: bytes, patient: Patient) -> None:
    path = directory(patient) / "kubelet_internal_checkpoint"
    path.write_bytes(data)
    (found,) = patient.complaints("checkpoint")
    assert (found.subject, found.verdict) == (str(path), "warn")
    assert patient.complaints("pods") == patient.complaints("registration") == []
