from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.agent.doctor.faults import Fault, Faults, Planted
from tests.agent.doctor.patient import Patient, follow, spec
from tests.real import devices

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.plugin import StartContainerd

FAULTS = Faults()


def zero(path: Path) -> None:
    devices.make_node(path, 1, 5, mode=0o666)


@FAULTS.plant("nodes", "fail", "no container with beta.org/card=a starts", advice="load its driver", root=True)
def a_node_that_is_gone(patient: Patient) -> Planted:
    path = patient.with_node(permissions="rw")
    yield path
    zero(path)


@FAULTS.plant("nodes", "warn", "may open nothing", advice="load its driver", root=True)
def a_numbered_node_that_is_gone(patient: Patient) -> Planted:
    path = patient.with_node(type="c", major=1, minor=5)
    yield path
    zero(path)


@FAULTS.plant("nodes", "warn", "no container can be given acme.com/null=null", advice="plug it in", root=True)
def a_declared_node_that_is_gone(patient: Patient) -> Planted:
    path = patient.dev / "card"
    patient.edit(patient.config, "/dev/null", str(path))
    patient.once()
    yield path
    zero(path)


@FAULTS.plant("nodes", "fail", "is a link", advice="name its target")
def a_link_for_a_node(patient: Patient) -> Planted:
    path = patient.with_node(permissions="rw")
    path.symlink_to("/dev/null")
    advice = yield path
    patient.edit(patient.low / "other.json", str(path), advice.rpartition(": ")[2])


@FAULTS.plant("nodes", "fail", "is a directory, not a device node", advice="rm -d", root=True)
def a_directory_for_a_node(patient: Patient) -> Planted:
    path = patient.with_node(permissions="rw")
    path.mkdir()
    advice = yield path
    follow(advice.partition("remove it: ")[2].partition(",")[0])
    zero(path)


@FAULTS.plant("nodes", "fail", "is a character device, and beta.org/card=a says block", advice='"type"', root=True)
def a_character_node_for_a_block_node(patient: Patient) -> Planted:
    path = patient.with_node(type="b", permissions="rw")
    zero(path)
    yield path
    patient.edit(patient.low / "other.json", '"type": "b", ', "")


@FAULTS.plant("numbers", "fail", "is device 1:5, and beta.org/card=a gives 1:3", advice="name the target", root=True)
def a_number_that_is_not_that_of_a_link_s_target(patient: Patient) -> Planted:
    path = patient.with_node(type="c", major=1, minor=3, permissions="rw")
    target = path.with_name("target")
    zero(target)
    path.symlink_to(target)
    yield path
    patient.other(spec("beta.org/card", "a", deviceNodes=[{"path": str(target), "permissions": "rw"}]))


@FAULTS.plant("nodes", "fail", "is a character device, and beta.org/card=a says unbuffered", advice='"type"', root=True)
def a_type_that_no_runtime_finds(patient: Patient) -> Planted:
    path = patient.with_node(type="u", permissions="rw")
    zero(path)
    yield path
    patient.edit(patient.low / "other.json", '"type": "u", ', "")


@FAULTS.plant("numbers", "fail", "is device 1:5, and beta.org/card=a gives 1:3", advice="leave type, major", root=True)
def a_number_that_is_another_device_now(patient: Patient) -> Planted:
    path = patient.with_node(type="c", major=1, minor=3, permissions="rw")
    zero(path)
    yield path
    patient.edit(patient.low / "other.json", '"type": "c", "major": 1, "minor": 3, ', "")


@FAULTS.plant("access", "warn", "to user 0 and group 44 alone (mode 0660)", advice="additionalGids: [44]", root=True)
def a_node_that_only_root_can_open(patient: Patient) -> Planted:
    path = patient.with_node(permissions="rw", uid=0, gid=44, fileMode=0o660)
    zero(path)
    yield path
    patient.edit(patient.low / "other.json", '"containerEdits": {', '"containerEdits": {"additionalGids": [44], ')
    patient.edit(patient.low / "other.json", "0.5.0", "0.7.0")


@FAULTS.plant("access", "warn", "mode 0600", advice="group = true", root=True)
def a_declared_node_that_only_root_can_open(patient: Patient) -> Planted:
    patient.edit(patient.config, '"/dev/null"', '"/dev/null", uid = 0, gid = 0, fileMode = 0o600')
    patient.once()
    yield "/dev/null"
    patient.edit(patient.config, ", uid = 0, gid = 0, fileMode = 0o600", "")
    patient.once()


@FAULTS.plant("access", "warn", 'the odd permissions "m"', advice='write "rw"', root=True)
def a_node_to_be_neither_read_nor_written(patient: Patient) -> Planted:
    path = patient.with_node(permissions="m")
    zero(path)
    yield path
    patient.edit(patient.low / "other.json", '"permissions": "m"', '"permissions": "rw"')


@FAULTS.plant("mounts", "fail", "is not there to be run as a hook", advice="install it again")
def a_hook_that_is_gone(patient: Patient) -> Planted:
    path = patient.top / "hook"
    patient.other(spec("beta.org/card", "a", hooks=[{"hookName": "createContainer", "path": str(path)}]))
    yield path
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


@FAULTS.plant("mounts", "fail", "cannot be run as a hook", advice="chmod +x")
def a_hook_that_is_no_program(patient: Patient) -> Planted:
    path = patient.top / "hook"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o644)
    patient.other(spec("beta.org/card", "a", hooks=[{"hookName": "createContainer", "path": str(path)}]))
    follow((yield path))


@FAULTS.plant("mounts", "fail", "is not there to be mounted", advice="install it again")
def a_library_that_is_gone(patient: Patient) -> Planted:
    path = patient.top / "libacme.so.1"
    mount = {"hostPath": str(path), "containerPath": "/usr/lib/libacme.so.1", "options": ["ro", "bind"]}
    patient.other(spec("beta.org/card", "a", mounts=[mount]))
    yield path
    path.touch()


@FAULTS.plant("mounts", "fail", "is no network interface here", advice="have whoever made")
def an_interface_that_is_gone(patient: Patient) -> Planted:
    net = {"hostInterfaceName": "acme-none0", "name": "eth9"}
    patient.other(spec("beta.org/net", "a", version="1.1.0", netDevices=[net]))
    yield "acme-none0"
    patient.edit(patient.low / "other.json", "acme-none0", "lo")


@FAULTS.each
def test_a_fault(fault: Fault, patient: Patient) -> None:
    fault.examine(patient)


@pytest.mark.real
def test_what_a_real_container_that_is_not_root_can_open(patient: Patient, start_containerd: StartContainerd) -> None:
    daemon = start_containerd("2", spec_dirs=[patient.low])

    def opens() -> bool:
        command = ["sh", "-c", "head -c 1 /dev/card > /dev/null"]
        return daemon.run(devices=["beta.org/card=a"], command=command, user=1000).exit_code == 0

    cases: tuple[tuple[dict[str, object], dict[str, object], bool], ...] = (
        ({}, {}, True),  # though nobody but root can open the host's
        ({"fileMode": 0o660}, {}, True),
        ({"uid": 0, "gid": 44, "fileMode": 0o660}, {}, False),
        ({"uid": 0, "gid": 44, "fileMode": 0o660}, {"additionalGids": [44]}, True),
        ({"uid": 0, "fileMode": 0o600}, {}, False),
        ({"gid": 0, "fileMode": 0o600}, {}, True),
        ({"uid": 0, "gid": 0, "fileMode": 0o664, "permissions": "r"}, {}, True),
    )
    host = devices.make_node(patient.dev / "card", 1, 5, mode=0o600)
    for node, edits, expected in cases:
        whole = {"path": "/dev/card", "hostPath": str(host), "permissions": "rw", **node}
        path = patient.other(spec("beta.org/card", "a", version="0.7.0", deviceNodes=[whole], **edits), "new.tmp")
        path.rename(patient.low / "card.json")  # containerd heeds no file that is only made
        verdict = patient.complaints("access") == []
        assert (verdict, opens()) == (expected, expected), (node, edits)


def test_what_is_no_fault(patient: Patient) -> None:
    tmpfs = {"hostPath": "tmpfs", "containerPath": "/scratch", "type": "tmpfs"}
    nodes = [
        {"path": "/dev/null", "permissions": "rw"},
        {"path": "/dev/acme", "hostPath": "/dev/zero", "type": "u", "major": 1, "minor": 5},
        {"path": "/dev/fifo", "type": "p"},  # which the runtime makes
        {"path": "/dev/port", "hostPath": "/dev/null", "uid": 0, "gid": 44, "fileMode": 0o660},
        {"path": "/dev/full", "type": "c", "major": 1, "minor": 7, "fileMode": 0o666, "uid": 0, "gid": 0},
        {"path": "/dev/random", "fileMode": 0o660},
        {"path": "/dev/urandom", "fileMode": 0o640, "gid": 0, "permissions": "rw"},
        {"path": "/dev/tty", "fileMode": 0o440, "permissions": "r", "uid": 0},
    ]
    document = spec("beta.org/card", "a", version="0.7.0", deviceNodes=nodes, mounts=[tmpfs])
    patient.other(document | {"containerEdits": {"additionalGids": [44]}})
    for check in ("specs", "nodes", "numbers", "access", "mounts"):
        assert patient.complaints(check) == [], check


TOO_LONG = "/" + 300 * "x"


@pytest.mark.parametrize("check", ["nodes", "mounts"])
def test_what_cannot_be_looked_at_hides_nothing_that_comes_after_it(patient: Patient, check: str) -> None:
    def edits(path: str) -> dict[str, Any]:
        return {"deviceNodes": [{"path": path}], "hooks": [{"hookName": "createRuntime", "path": path}]}

    patient.other(spec("a.org/card", "a", **edits(TOO_LONG)), "a.json")
    gone = str(patient.dev / "gone")
    patient.other(spec("b.org/card", "b", **edits(gone)), "b.json")
    found = [(one.subject, one.verdict) for one in patient.complaints(check)]
    assert found == [(TOO_LONG, "warn"), (gone, "fail")]
