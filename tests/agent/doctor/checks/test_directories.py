from __future__ import annotations

import ctypes
import os
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from agent.doctor.checks.directories import of_labels
from agent.doctor.examination import examine
from tests.agent.doctor.faults import Fault, Faults, Planted
from tests.agent.doctor.patient import Patient, follow, put, spec
from tests.agent.users import as_nobody
from tests.real import devices, parts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAULTS = Faults()


@FAULTS.plant("spec-dirs", "fail", "is not there", advice="--once")
def no_spec_directory(patient: Patient) -> Planted:
    patient.spec.unlink()
    patient.low.rmdir()
    follow((yield patient.low))


@FAULTS.plant("spec-dirs", "fail", "others can write it (mode 0777)", advice="chmod go-w")
def a_spec_directory_of_everybody(patient: Patient) -> Planted:
    patient.low.chmod(0o777)
    follow((yield patient.low))


@FAULTS.plant("spec-dirs", "warn", "rootless runtimes cannot read it", advice="chmod 0755")
def a_spec_directory_of_root_alone(patient: Patient) -> Planted:
    patient.high.chmod(0o700)
    follow((yield patient.high))


@FAULTS.plant("spec-dirs", "fail", "belongs to user 65534", advice="chown root", root=True)
def a_spec_directory_of_somebody(patient: Patient) -> Planted:
    os.chown(patient.high, 65534, -1)
    follow((yield patient.high))


@FAULTS.plant("spec-dirs", "fail", "is a link to /nonexistent/cdi", advice="rm")
def a_link_to_nowhere_for_a_spec_directory(patient: Patient) -> Planted:
    patient.high.rmdir()
    patient.high.symlink_to("/nonexistent/cdi")
    advice = yield patient.high
    follow(advice.partition(": ")[2])


@FAULTS.plant("spec-dirs", "fail", "is no directory", advice="move it away")
def a_file_for_a_spec_directory(patient: Patient) -> Planted:
    patient.high.rmdir()
    patient.high.touch()
    yield patient.high
    patient.high.rename(patient.top / "away")


@FAULTS.plant("spec-files", "warn", "rootless runtimes cannot read it", advice="chmod 0644")
def a_spec_of_root_alone(patient: Patient) -> Planted:
    path = patient.other(spec("beta.org/card", "a"))
    path.chmod(0o600)
    follow((yield path))


@FAULTS.plant("spec-files", "fail", "others can write it", advice="chmod go-w")
def a_spec_of_everybody(patient: Patient) -> Planted:
    path = patient.other(spec("beta.org/card", "a"))
    path.chmod(0o666)
    follow((yield path))


@FAULTS.plant("spec-files", "fail", "belongs to user 65534", advice="chown root", root=True)
def a_spec_of_somebody(patient: Patient) -> Planted:
    os.chown(patient.spec, 65534, -1)
    follow((yield patient.spec))


@FAULTS.plant("file-names", "warn", "no runtime reads", advice="mv")
def a_name_that_ends_in_yml(patient: Patient) -> Planted:
    path = patient.other("cdiVersion: 0.5.0\n", "gpu.yml")
    follow((yield path))
    assert (patient.low / "gpu.yaml").exists()


@FAULTS.plant("file-names", "warn", "no runtime reads", advice="mv")
def a_name_in_capitals(patient: Patient) -> Planted:
    path = put(patient.high / "GPU.JSON", spec("beta.org/gpu", "0"))
    follow((yield path))
    assert (patient.high / "GPU.json").exists()


@FAULTS.plant("file-names", "warn", "no runtime reads", advice="mv '/")
def a_name_that_a_shell_would_obey(patient: Patient) -> Planted:
    path = patient.other("cdiVersion: 0.5.0\n", "a $(touch gone); b.yml")
    follow((yield path))
    assert (patient.low / "a $(touch gone); b.yaml").exists()


@FAULTS.plant("file-names", "warn", "runtimes look into none", advice="one level up")
def a_directory_of_specs(patient: Patient) -> Planted:
    below = patient.low / "vendor"
    below.mkdir()
    path = put(below / "gpu.json", spec("beta.org/gpu", "0"))
    yield below
    path.rename(patient.low / "gpu.json")


def _old(path: Path) -> Path:
    path.write_text("{")
    os.utime(path, (time.time() - 3600,) * 2)
    return path


@FAULTS.plant("file-names", "warn", "a writer that was killed", advice="rm")
def what_a_killed_pass_left(patient: Patient) -> Planted:
    follow((yield _old(patient.low / ".cdi-sync+acme.com+null.json.tmp")))


@FAULTS.plant("file-names", "warn", "a writer that was killed", advice="rm")
def what_another_writer_left(patient: Patient) -> Planted:
    follow((yield _old(patient.low / "spec.json.tmp12345")))


@FAULTS.plant("writable", "fail", "is no directory", advice="move")
def a_file_for_the_state_directory(patient: Patient) -> Planted:
    patient.state.touch()
    yield patient.state
    patient.state.rename(patient.top / "away")


@FAULTS.plant("writable", "fail", "belongs to user 65534", advice="chown root", root=True)
def a_state_directory_of_somebody(patient: Patient) -> Planted:
    patient.state.mkdir()
    os.chown(patient.state, 65534, -1)
    follow((yield patient.state))


@FAULTS.plant("writable", "fail", "others can write it (mode 0777)", advice="chmod go-w")
def a_state_directory_of_everybody(patient: Patient) -> Planted:
    patient.state.mkdir()
    patient.state.chmod(0o777)
    follow((yield patient.state))


@FAULTS.plant("writable", "fail", "cannot be written, even by root", advice="chattr -i", root=True)
def an_immutable_spec_directory(patient: Patient) -> Planted:
    subprocess.run(["chattr", "+i", patient.low], check=True)
    advice = yield patient.low
    follow(advice.partition(": ")[2])


@FAULTS.each
def test_a_fault(fault: Fault, patient: Patient) -> None:
    fault.examine(patient)


@pytest.mark.root
def test_a_disk_that_is_full_or_cannot_be_written(patient: Patient) -> None:
    place = patient.top / "disk"
    with devices.tmpfs(place, 1 << 20):
        patient.state = place
        assert patient.complaints("space") == []

        (place / "big").write_bytes(b"\0" * ((1 << 20) - 8192))
        (full,) = patient.complaints("space")
        assert (full.subject, full.verdict, full.advice) == (str(place), "fail", "free some space")
        assert "is full" in full.fact

        (place / "big").unlink()
        assert patient.complaints("space") == []

        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        (fixed,) = patient.complaints("space")
        assert (fixed.verdict, fixed.fact) == ("fail", "its file system is mounted read-only")
        assert [one.verdict for one in patient.complaints("writable")] == ["fail"]
        follow(f"{fixed.advice.partition(': ')[2]} {place}")
        assert patient.complaints("space") == patient.complaints("writable") == []


def test_a_temporary_file_that_is_being_written_is_no_leftover(patient: Patient) -> None:
    (patient.low / ".cdi-sync+acme.com+null.json.tmp").touch()
    assert patient.complaints("file-names") == []


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ({}, []),
        ({"/etc/cdi": ""}, []),
        ({"/etc/cdi": "system_u:object_r:etc_t:s0"}, []),
        ({"/etc/cdi": "system_u:object_r:container_var_run_t:s0"}, []),
        ({"/etc/cdi/a.json": "system_u:object_r:container_file_t:s0"}, []),
        ({"/etc/cdi/a.json": "system_u:object_r:unlabeled_t:s0"}, ["restorecon -Rv /etc/cdi"]),
        ({"/etc/cdi/a.json": "unconfined_u:object_r:user_home_t:s0"}, ["restorecon -Rv /etc/cdi"]),
        ({"/etc/cdi/a.json": "unconfined_u:object_r:user_tmp_t:s0"}, ["restorecon -Rv /etc/cdi"]),
        ({"/x/a.json": "u:r:tmp_t:s0", "/y/b.json": "u:r:tmp_t:s0"}, ["restorecon -Rv /x /y"]),
        ({"/etc/cdi/a.json": "no label at all"}, []),
    ],
)
def test_labels(labels: dict[str, str], named: list[str]) -> None:
    assert [one.advice for one in of_labels(labels)] == named


@pytest.mark.parametrize(
    ("enforce", "fact"), [(None, "is not here"), ("0", "enforces nothing"), ("1", "enforces, and no label")]
)
def test_selinux(patient: Patient, enforce: str | None, fact: str) -> None:
    from agent.doctor.checks.directories import selinux

    if enforce is not None:
        (patient.top / "sys/fs/selinux").mkdir(parents=True)
        (patient.top / "sys/fs/selinux/enforce").write_text(enforce)
    (found,) = selinux(patient.node(sys=str(patient.top / "sys")))
    assert found.verdict == "ok"
    assert fact in found.fact


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("a.yml", "a.yaml"),
        ("a.YML", "a.yaml"),
        ("a.Yaml", "a.yaml"),
        ("a.JSON", "a.json"),
        ("a.json5", "a.json"),
        ("a.JSONC", "a.json"),
    ],
)
def test_a_wrong_name_is_mended_and_never_over_another_file(patient: Patient, name: str, right: str) -> None:
    path = patient.other("{}", name)
    assert [one.advice for one in patient.complaints("file-names")] == [f"mv {path} {path.with_name(right)}"]
    patient.other("{}", right)
    assert [one.advice for one in patient.complaints("file-names")] == [
        f"remove it, or the {right} beside it that is read"
    ]


def test_no_link_to_a_device_is_taken_for_a_spec_of_everybody(patient: Patient) -> None:
    (patient.low / "zero.json").symlink_to("/dev/zero")
    assert patient.complaints("spec-files") == []
    assert [one.verdict for one in patient.complaints("specs")] == ["fail"]


@pytest.mark.root
def test_a_directory_that_may_not_be_looked_into_hides_no_other_name(patient: Patient) -> None:
    (patient.low / "secret").mkdir(mode=0o700)
    patient.other("cdiVersion: 0.5.0\n", "gpu.yml")
    said = as_nobody(lambda: " ".join(one.subject for one in patient.complaints("file-names")), patient.top)
    assert said == f"{patient.low}/gpu.yml {patient.low}/secret"


@contextmanager
def dead(place: Path) -> Iterator[None]:
    """Mount a file system there whose server never answers."""
    server = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    try:
        options = f"fd={server},rootmode=40755,user_id=0,group_id=0,allow_other"
        library = ctypes.CDLL(None, use_errno=True)
        assert library.mount(b"dead", bytes(place), b"fuse", 0, options.encode()) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            library.umount2(bytes(place), 2)  # MNT_DETACH
    finally:
        os.close(server)  # whoever waits for an answer goes on


@pytest.mark.root
@pytest.mark.parametrize("which", ["low", "state", "kubelet"])
def test_a_dead_file_system_is_named_and_waited_for_once(patient: Patient, which: str) -> None:
    parts.need("root", "fuse")
    place: Path = getattr(patient, which)
    place.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with dead(place):
        found = list(examine(patient.node()))
    assert time.monotonic() - begin < 15  # of which five are the one wait
    failed = [(line.check, line.finding.subject) for line in found if line.finding.verdict == "fail"]
    assert failed == [("file-systems", str(place))]
    assert not [line for line in found if "no answer within" in line.finding.fact]
    assert patient.complaints("file-systems") == []
