from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from agent.doctor.checks.kernel import Limit, inotify_limits, of_inotify
from tests.agent.running import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.doctor.patient import Patient

# Has the kernel refuse sockets of one family to whatever is run next: seccomp, as a container's profile does it.
_WITHOUT_NETLINK = """
import ctypes, os, struct, sys
AF_NETLINK, EPERM = 16, 1
SOCKET = {"x86_64": 41, "aarch64": 198, "ppc64le": 326, "s390x": 359}[os.uname().machine]
program = b"".join(struct.pack("=HBBI", *row) for row in [
    (0x20, 0, 0, 0), (0x15, 0, 3, SOCKET),       # is it socket()?
    (0x20, 0, 0, 16 if sys.byteorder == "little" else 20), (0x15, 0, 1, AF_NETLINK),
    (0x06, 0, 0, 0x00050000 | EPERM), (0x06, 0, 0, 0x7FFF0000),
])
buffer = ctypes.create_string_buffer(program)
filter = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.c_char_p(filter), 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
"""


def findings(patient: Patient, *under: str | Path) -> dict[str, Any]:
    """Run the program under another one, and return its findings by subject."""
    argv = [*under, PROGRAM, "doctor", "--output", "json", *patient.options]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in done.stderr
    return {one["subject"]: one for one in json.loads(done.stdout)["findings"]}


def test_the_kernel_that_does_not_tell_of_devices(patient: Patient) -> None:
    assert findings(patient)["uevent netlink"]["verdict"] == "ok"
    found = findings(patient, sys.executable, "-c", _WITHOUT_NETLINK)["uevent netlink"]
    assert (found["verdict"], found["fact"]) == ("fail", "cannot be opened: operation not permitted")
    assert "AF_NETLINK" in found["advice"]


@pytest.mark.root
@pytest.mark.parametrize(
    ("name", "most", "subject", "verdict"),
    [
        ("instances", 0, "inotify", "fail"),
        ("watches", 0, "inotify", "fail"),
        ("instances", 8, "inotify instances", "warn"),
        ("watches", 20, "inotify watches", "warn"),
    ],
)
def test_inotify_that_is_used_up(patient: Patient, name: str, most: int, subject: str, verdict: str) -> None:
    """In a user namespace, where these limits are its own, so that the machine's stay as they are."""
    limited = f'echo {most} > /proc/sys/user/max_inotify_{name}; exec "$@"'
    found = findings(patient, "unshare", "--user", "--map-root-user", "sh", "-c", limited, "sh")[subject]
    assert found["verdict"] == verdict
    assert f"max_user_{name}=" in found["advice"]

    mended = f'echo {most} > /proc/sys/user/max_inotify_{name}; {_only_ours(found["advice"], name)}; exec "$@"'
    found = findings(patient, "unshare", "--user", "--map-root-user", "sh", "-c", mended, "sh")
    assert found[f"inotify {name}"]["verdict"] == "ok"


def _only_ours(command: str, name: str) -> str:
    """Of the command advised, keep what a user namespace lets one do: the other half is the machine's."""
    words = command.split()
    assert any(word.startswith(f"user.max_inotify_{name}=") for word in words)
    value = next(word for word in words if word.startswith("user.")).partition("=")[2].rstrip(",")
    return f"echo {value} > /proc/sys/user/max_inotify_{name}"


def test_few_descriptors(patient: Patient) -> None:
    found = findings(patient, "sh", "-c", 'ulimit -n 100; exec "$@"', "sh")["this process"]
    assert (found["verdict"], "raise it" in found["advice"]) == ("warn", True)
    found = findings(patient, "sh", "-c", 'ulimit -n 1024; exec "$@"', "sh")["this process"]
    assert (found["verdict"], found["fact"]) == ("ok", "may have 1024 files open")


@pytest.mark.parametrize(
    ("instances", "watches", "verdicts"),
    [
        (Limit(128, 3), Limit(8192, 100), ["ok", "ok"]),
        (Limit(128, 112), Limit(8192, 8128), ["ok", "ok"]),
        (Limit(128, 113), Limit(8192, 100), ["warn", "ok"]),
        (Limit(128, 3), Limit(8192, 8129), ["ok", "warn"]),
        (Limit(0, 0), Limit(10, 20), ["warn", "warn"]),
    ],
)
def test_what_is_left_of_inotify(instances: Limit, watches: Limit, verdicts: list[str]) -> None:
    assert [one.verdict for one in of_inotify(instances, watches)] == verdicts


def test_what_a_user_has_watched_is_counted(tmp_path: Path) -> None:
    for name, limit in (("instances", "128"), ("watches", "9000")):
        for path in (f"fs/inotify/max_user_{name}", f"user/max_inotify_{name}"):
            (tmp_path / "sys" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "sys" / path).write_text(limit if path.startswith("fs") else "500")
    for number in (7, 8):
        (tmp_path / f"{number}/fd").mkdir(parents=True)
        (tmp_path / f"{number}/fdinfo").mkdir()
        (tmp_path / f"{number}/fd/3").symlink_to("anon_inode:inotify")
        (tmp_path / f"{number}/fd/4").symlink_to("socket:[1]")
        (tmp_path / f"{number}/fdinfo/3").write_text("pos:\t0\ninotify wd:2 ino:1\ninotify wd:1 ino:2\n")
    (tmp_path / "9").mkdir()  # one that may not be looked at, or is gone by now
    assert inotify_limits(str(tmp_path), os.geteuid()) == (Limit(128, 2), Limit(500, 4))
    assert inotify_limits(str(tmp_path), os.geteuid() + 1) == (Limit(128, 0), Limit(500, 0))
