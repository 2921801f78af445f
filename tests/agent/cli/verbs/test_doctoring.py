from __future__ import annotations

import codecs
import contextlib
import importlib
import io
import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.cli import main
from agent.doctor.checks import CHECKS
from agent.doctor.runtimes import PROGRAMS, runs
from agent.setup import programs
from tests.agent.cli.verbs.node import check
from tests.agent.doctor.conftest import patient as _patient
from tests.agent.doctor.patient import spec
from tests.agent.running import PROGRAM, Agent
from tests.agent.users import NOBODY, as_nobody
from tests.real.containerd import default_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.agent.doctor.patient import Patient
    from tests.real.devices import Kernel
    from tests.real.plugin import StartContainerd
    from tests.real.udev import Udevd

patient = _patient  # the fixture
PAGE = Path(__file__).parents[4] / "docs" / "doctor.md"

alone = pytest.mark.skipif(
    any(map(programs.find, PROGRAMS.values())) or any(map(runs, ("dockerd", "crio"))),
    reason="this machine has a runtime, which does not read the directories of a test",
)

SILENT = {"notes", "udev-pending", "exposure", "boot", "registration"}
"""Checks that find nothing on a node that is well, runs an agent and offers the kubelet nothing."""


def run(patient: Patient, *more: str, options: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    argv: list[str | Path] = [PROGRAM, "doctor", *(patient.options if options is None else options), *more]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in done.stderr
    return done


def document(patient: Patient, *more: str) -> tuple[list[dict[str, Any]], int]:
    done = run(patient, "--output", "json", *more)
    found = json.loads(done.stdout)
    check("doctor", found)
    return found["findings"], done.returncode


@alone
def test_a_node_that_is_well(patient: Patient) -> None:
    done = run(patient)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["VERDICT", "CHECK", "SUBJECT", "FACT"]
    assert not [line for line in lines if line.startswith("fail")]
    assert re.search(r"^\d+ ok, \d+ warn, 0 fail\n$", done.stderr)


def test_a_path_of_thousands_of_characters_makes_no_table_of_that_width(patient: Patient) -> None:
    path = "/dev/" + 4000 * "x"
    patient.other(spec("beta.org/card", "a", deviceNodes=[{"path": path}]))
    lines = [line for line in run(patient).stdout.splitlines() if line.split()[1] == "udevd"]
    assert all(len(line) < 500 for line in lines)
    found, _ = document(patient)
    assert path in {one["subject"] for one in found}


@alone
def test_a_failure_a_warning_and_a_broken_configuration_by_exit_code(patient: Patient) -> None:
    patient.high.chmod(0o700)
    found, code = document(patient)
    assert code == 0
    assert [one["verdict"] for one in found if one["subject"] == str(patient.high) and one["advice"]] == ["warn"]

    patient.spec.unlink()
    assert document(patient)[1] == 1

    patient.configure("oops")
    found, code = document(patient)
    assert code == 2
    assert [one for one in found if one["check"] == "conflicts"], "the rest is looked at all the same"


@alone
def test_quiet_says_what_fails_alone(patient: Patient) -> None:
    assert run(patient, "--quiet").stdout == ""
    patient.spec.unlink()
    done = run(patient, "--quiet")
    rows = done.stdout.splitlines()[1:]
    assert [row.split()[:3] for row in rows] == [["fail", "sync", str(patient.spec)]]
    assert "; run cdi-sync --config" in rows[0]
    assert done.stderr == ""


@pytest.mark.root
@alone
def test_an_ordinary_user_is_told_so_by_exit_code(patient: Patient) -> None:
    secret = patient.other("{}", "secret.json")
    secret.chmod(0o600)
    codecs.lookup("ascii")  # nobody may not be let into the directory that Python's own lie in
    importlib.import_module("ctypes")

    def look() -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = main(["doctor", "--output", "json", *patient.options])
        return json.dumps([code, json.loads(out.getvalue())["findings"]])

    patient.config.chmod(0o644)
    os.chown(patient.config, NOBODY, -1)  # whoever runs it must be the only one to write its configuration
    os.chown(patient.top, NOBODY, -1)
    code, found = json.loads(as_nobody(look, patient.top))
    fails = [one for one in found if one["verdict"] == "fail"]
    assert (fails, code) == ([], 4)
    (unread,) = [one for one in found if one["subject"] == str(secret) and one["check"] == "specs"]
    assert (unread["verdict"], unread["advice"]) == ("warn", "run this as root")


def test_what_files_say_does_nothing_to_a_terminal(patient: Patient) -> None:
    patient.other('{"cdiVersion": "\\u001b[31m"}', "a\x1b[2Jb.json")
    done = run(patient)
    assert "\x1b" not in done.stdout + done.stderr
    assert r"a\x1b[2Jb.json" in done.stdout


def test_colour_on_a_terminal(patient: Patient) -> None:
    patient.spec.unlink()
    for no_color, coloured in (("", True), ("1", False)):
        reader, writer = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200", "NO_COLOR": no_color}
        argv: list[str | Path] = [PROGRAM, "doctor", *patient.options]
        process = subprocess.Popen(argv, stdout=writer, stderr=writer, env=environment)
        os.close(writer)
        shown = _all(reader)
        assert process.wait(60) == 1
        assert ("\x1b[1;31mfail" in shown) is coloured
        assert "sync" in shown


def _all(reader: int) -> str:
    parts = []
    try:
        while part := os.read(reader, 65536):
            parts.append(part)
    except OSError:  # EIO: the other side is closed
        pass
    finally:
        os.close(reader)
    return b"".join(parts).decode()


@pytest.mark.parametrize("options", [["--spec-dir", ""], ["--output", "yaml"], ["--nonsense"]])
def test_a_wrong_command_line(patient: Patient, options: list[str]) -> None:
    assert run(patient, options=options).returncode == 2


def test_every_check_is_in_the_documentation_and_nothing_else() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text().partition("## The checks")[2], re.MULTILINE)
    assert rows == [one.name for one in CHECKS]


@pytest.mark.real
@alone
def test_a_node_with_everything_is_all_green(
    patient: Patient, start_udevd: Callable[[str], Udevd], kernel: Kernel, start_containerd: StartContainerd
) -> None:
    udevd = start_udevd('KERNEL=="zram*", ENV{ID_SERIAL_SHORT}="doctor"')
    disk = kernel.zram()
    udevd.settle()
    patient.containerd.write_text(default_config("2", [patient.low, patient.high]))
    patient.checkpoint({"other.org/thing": ["a"]}, ("1234", ["acme.com/disk=doctor"]))
    patient.kubelet.chmod(0o750)
    patient.configure(f"""
[[class]]
kind = "acme.com/disk"
name = "{{ID_SERIAL_SHORT}}"
kubernetes.enabled = false
  [[class.select]]
  devnode = "{disk.node}"
""")
    patient.config.write_text(
        patient.config.read_text().replace(
            'kind = "acme.com/null"', 'kind = "acme.com/null"\nkubernetes.enabled = false'
        )
    )
    start_containerd("2", config=patient.containerd)
    with patient.listening("kubelet.sock"), Agent(patient.config, patient.low, patient.top / "log") as agent:
        agent.wait_devices("acme.com/disk", {"doctor"})
        found, code = document(patient)
    wrong = [one for one in found if one["verdict"] != "ok"]
    assert (wrong, code) == ([], 0)
    assert {one["check"] for one in found} >= {one.name for one in CHECKS} - {
        "notes",
        "udev-pending",
        "exposure",
        "boot",
        "registration",
    }
