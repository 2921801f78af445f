from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.doctor.checks.runtimes import daemons, files
from agent.doctor.checks.specs import readable
from agent.doctor.examination import examine
from agent.doctor.runtimes import PROGRAMS, Runtime, runs
from agent.plan import Write
from agent.runtimes.answers import Answer, FileChange, KeyChange, Row
from agent.setup import programs
from agent.setup.cri import NoAnswerError
from tests.agent.doctor.patient import Patient, follow, put, spec
from tests.real.containerd import Containerd, default_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.doctor.findings import Finding
    from agent.doctor.node import Node

CHECKS = ("runtimes", "daemons", "cdi-version")
BARE = 'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  max_concurrent_downloads = 7 # ours\n'


def configured(patient: Patient, text: str) -> Path:
    """Write the configuration of containerd that ours names."""
    patient.containerd.write_text(text)
    return patient.containerd


def complaints(patient: Patient) -> dict[str, Finding]:
    """What is wrong with the containerd of this test, by check; the machine may have other runtimes."""
    lines = [line for line in examine(patient.node()) if line.check in CHECKS]
    about = [line for line in lines if "containerd" in f"{line.finding.subject} {line.finding.fact}"]
    assert about, lines
    return {line.check: line.finding for line in about if line.finding.verdict != "ok"}


@contextmanager
def stopped(daemon: Containerd) -> Iterator[None]:
    """Freeze a daemon; who waits for it in its cell stops with it, and goes on only when told."""
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        pid = daemon.pid
        while pid != os.getpid():
            os.kill(pid, signal.SIGCONT)
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.real
def test_a_containerd_that_has_no_cdi(patient: Patient) -> None:
    path = configured(patient, default_config("1.6", [patient.low]))
    with Containerd("1.6", config=path):
        found = complaints(patient)
        assert (found["runtimes"].subject, found["runtimes"].verdict) == ("containerd 1.6", "fail")
        assert "starts containers silently without their devices" in found["runtimes"].fact
        assert found["runtimes"].advice == "install containerd 1.7 or newer"
        assert (found["daemons"].verdict, found["daemons"].advice) == ("fail", "install containerd 1.7 or newer")
    with Containerd("1.7", config=path):
        assert complaints(patient) == {}


@pytest.mark.real
def test_a_containerd_whose_cdi_is_off_and_that_was_not_restarted(patient: Patient) -> None:
    path = configured(patient, BARE)
    with Containerd("1.7", config=path) as daemon:
        found = complaints(patient)
        assert (found["runtimes"].verdict, found["runtimes"].fact) == ("fail", "its configuration leaves CDI off")
        assert found["daemons"].fact == "runs without CDI: containers start without their devices"

        follow(found["runtimes"].advice, daemon.binary.parent)
        found = complaints(patient)
        assert found.keys() == {"daemons"}
        assert (found["daemons"].verdict, "its files are right: restart it" in found["daemons"].advice) == (
            "fail",
            True,
        )

        daemon.restart()
        assert complaints(patient) == {}


@pytest.mark.real
def test_a_containerd_that_reads_other_directories(patient: Patient) -> None:
    path = configured(patient, default_config("2", [patient.high]))
    with Containerd("2", config=path) as daemon:
        found = complaints(patient)
        assert found["runtimes"].fact == f"its configuration does not name {patient.low}"
        assert found["daemons"].fact == f"reads {patient.high}, not {patient.low}"
        follow(found["daemons"].advice, daemon.binary.parent)
        daemon.restart()
        assert complaints(patient) == {}


@pytest.mark.real
def test_a_containerd_without_its_cri_plugin(patient: Patient) -> None:
    path = configured(patient, 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
    with Containerd("1.7", config=path) as daemon:
        found = complaints(patient)
        assert "makes every CRI setting moot" in found["runtimes"].fact
        assert found["daemons"].fact == "its CRI plugin is off"
        assert "disabled_plugins" in found["daemons"].advice
        path.write_text(default_config("1.7", [patient.low]))
        daemon.restart()
        assert complaints(patient) == {}


@pytest.mark.real
def test_a_containerd_that_does_not_answer(patient: Patient) -> None:
    path = configured(patient, default_config("2", [patient.low]))
    with Containerd("2", config=path) as daemon:
        with stopped(daemon):
            found = complaints(patient)
        assert found.keys() == {"daemons"}
        assert (found["daemons"].verdict, found["daemons"].fact) == (
            "fail",
            "runs, and gives no answer: it does not answer",
        )
        assert complaints(patient) == {}


@pytest.mark.real
def test_specs_that_are_too_new_for_the_runtime(patient: Patient) -> None:
    path = configured(patient, default_config("1.7", [patient.low]))
    with Containerd("1.7", config=path):
        assert complaints(patient) == {}
        theirs = patient.other(spec("beta.org/card", "a", version="1.1.0"))
        found = complaints(patient)["cdi-version"]
        assert (found.subject, found.verdict) == (str(theirs), "fail")
        assert found.fact == "is of CDI 1.1.0, and containerd 1.7 reads at most 0.8.0"
        assert 'declare cdiVersion "0.3.0"' in found.advice
        patient.edit(theirs, "1.1.0", "0.3.0")
        assert complaints(patient) == {}

        needs = put(patient.high / "n.json", spec("beta.org/net", "a", version="1.1.0",
                                                 netDevices=[{"hostInterfaceName": "lo", "name": "eth9"}]))  # fmt: skip
        assert complaints(patient)["cdi-version"].advice == "use a newer containerd"
        needs.unlink()

        patient.edit(patient.spec, '"cdiVersion": "0.3.0"', '"cdiVersion": "1.0.0"')
        found = complaints(patient)["cdi-version"]
        assert "max_cdi_version" in found.advice
        follow(found.advice)
        assert complaints(patient) == {}


def test_a_node_without_any_runtime_is_told_so(patient: Patient) -> None:
    if any(map(programs.find, PROGRAMS.values())) or any(map(runs, ("dockerd", "crio"))):
        pytest.skip("this machine has one")
    (found,) = patient.findings("runtimes")
    assert (found.verdict, found.fact) == ("ok", "there is none here: containerd, crio, docker, podman")
    assert patient.findings("daemons") == []


def runtime(name: str, version: str = "", **more: Any) -> Runtime:
    """A runtime whose files leave CDI off."""
    change = FileChange(Write("x", b"", None), (KeyChange(("features", "cdi"), "true"),))
    return Runtime(name=name, answer=Answer((Row("version", version),), (change,)), **more)


def found_with(patient: Patient, check: Callable[[Node], Iterator[Finding]], *runtimes: Runtime) -> list[Finding]:
    node = patient.node()
    vars(node).update(runtimes=runtimes, kubelet_runs=False)
    return list(check(node))


@pytest.mark.parametrize(
    ("name", "advised"),
    [
        ("containerd", "; then restart it (systemctl restart containerd; running containers stay)"),
        ("docker", "; then restart it (systemctl restart docker; its containers stop, unless live-restore is set)"),
        ("podman", "setup podman"),
    ],
)
def test_what_a_restart_costs_is_said_where_there_is_a_daemon(patient: Patient, name: str, advised: str) -> None:
    (found,) = found_with(patient, files, runtime(name))
    assert found.verdict == "fail"
    assert found.advice.endswith(advised)


def test_a_spec_too_new_for_a_runtime_beside_the_kubelet_s_fails_nothing(patient: Patient) -> None:
    patient.other(spec("beta.org/card", "a", version="1.0.0"))
    podman, old, new = runtime("podman", "4.3"), runtime("containerd", "1.7"), runtime("containerd", "2.1")
    docker = runtime("docker", "28.2")
    assert [one.verdict for one in found_with(patient, readable, podman)] == ["fail"]
    assert [one.verdict for one in found_with(patient, readable, new, podman)] == ["ok", "warn"]
    assert [one.verdict for one in found_with(patient, readable, old, podman)] == ["fail", "warn"]
    assert found_with(patient, readable, old, docker) == []  # it serves Docker, which reads specs itself


@pytest.mark.root
def test_root_is_not_told_to_be_root(patient: Patient) -> None:
    mute = runtime("docker", seen=NoAnswerError("no such thing", unable=True))
    (found,) = found_with(patient, daemons, mute)
    assert (found.verdict, found.advice, found.hidden) == ("warn", "see to that, and run this again", False)
