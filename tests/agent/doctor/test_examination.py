from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from agent.doctor.checks import CHECKS, Check
from agent.doctor.examination import examine, leave_nothing_running
from agent.doctor.findings import Finding, fail, ok, warn
from agent.doctor.node import Asked, Node
from agent.doctor.once import Once, UnfinishedError
from tests.agent.users import as_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.agent.doctor.patient import Patient


def lines(*checks: Check, seconds: float = 10) -> list[tuple[str, str, str]]:
    found = examine(Node(Asked()), checks, seconds=seconds)
    return [(line.check, line.finding.verdict, line.finding.fact) for line in found]


def test_a_check_that_hangs_is_left_behind_and_its_fact_not_waited_for_again() -> None:
    release = threading.Event()

    class Slow:
        @Once
        def fact(self) -> int:
            release.wait()
            return 1

    slow = Slow()
    asking = Check("asking", lambda _: [ok("it", str(slow.fact))])
    begin = time.monotonic()
    found = lines(asking, asking, Check("quick", lambda _: [ok("it", "quick")]), seconds=0.5)
    assert time.monotonic() - begin < 5
    assert found[0] == ("asking", "warn", "no answer within 0 s: a file system or a daemon hangs")
    assert found[1] == ("asking", "warn", "could not be looked at: an earlier check still waits")
    assert found[2] == ("quick", "ok", "quick")
    release.set()


def test_a_check_that_raises_is_a_finding_and_not_the_end() -> None:
    def permission(_: Node) -> Iterator[Finding]:
        yield ok("it", "seen before")
        raise PermissionError(13, "Permission denied", "/secret")

    def disk(_: Node) -> list[Finding]:
        raise OSError(5, "Input/output error", "/disk")

    def fault(_: Node) -> list[Finding]:
        raise KeyError("oops")

    checks = [Check("a", permission), Check("b", disk), Check("c", fault), Check("d", lambda _: [ok("it", "well")])]
    found = [line.finding for line in examine(Node(Asked()), checks)]
    assert [(one.subject, one.verdict, one.hidden) for one in found] == [
        ("it", "ok", False),
        ("/secret", "warn", True),
        ("/disk", "warn", False),
        ("c", "fail", False),
        ("it", "ok", False),
    ]
    assert found[3].fact == "could not be looked at: KeyError: 'oops'"


def test_what_a_check_found_before_it_hung_is_told() -> None:
    release = threading.Event()

    def slow(_: Node) -> Iterator[Finding]:
        yield fail("it", "is broken", "mend it")
        release.wait()

    found = lines(Check("slow", slow), seconds=0.5)
    release.set()
    assert [(verdict, fact) for _, verdict, fact in found] == [
        ("fail", "is broken"),
        ("warn", "no answer within 0 s: a file system or a daemon hangs"),
    ]


def test_of_many_findings_the_worst_are_told() -> None:
    many = [ok(str(number), "well") for number in range(50)] + [warn("late", "bad", "mend it")]
    found = list(examine(Node(Asked()), [Check("many", lambda _: many)]))
    assert len(found) == 21
    assert found[0].finding.subject == "late"
    assert found[-1].finding.subject == "31 more"


def test_a_fact_is_looked_up_once_and_its_error_kept() -> None:
    class Facts:
        asked = 0

        @Once
        def good(self) -> int:
            self.asked += 1
            return self.asked

        @Once
        def bad(self) -> int:
            self.asked += 10
            raise OSError("no")

    facts = Facts()
    assert (facts.good, facts.good) == (1, 1)
    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            _ = facts.bad
    assert facts.asked == 11
    assert Facts().good == 1


def test_who_asks_for_a_fact_while_it_is_looked_up_is_told() -> None:
    class Facts:
        @Once
        def inner(self) -> int:
            return self.inner

    with pytest.raises(UnfinishedError):
        _ = Facts().inner


def test_programs_that_hang_are_ended_and_no_others() -> None:
    ended = threading.Event()

    def hang(_: Node) -> list[Finding]:
        subprocess.run(["sleep", "1000"], check=False)
        ended.set()
        return []

    with subprocess.Popen(["sleep", "1000"]) as other:
        assert lines(Check("hanging", hang), seconds=0.5)[0][1] == "warn"
        assert not ended.is_set()
        leave_nothing_running()
        assert ended.wait(30)
        assert other.poll() is None
        other.kill()


def test_names_of_checks_are_unique() -> None:
    names = [one.name for one in CHECKS]
    assert len(set(names)) == len(names)


def test_a_spec_directory_that_no_pass_can_use_fails_only_what_is_about_it(patient: Patient) -> None:
    patient.spec.unlink()
    patient.low.rmdir()
    patient.low.touch()
    found = [line for line in examine(patient.node()) if str(patient.low) in line.finding.subject]
    failed = {line.check for line in found if line.finding.verdict == "fail"}
    assert failed == {"spec-dirs", "sync", "specs"}
    assert "classes" in {line.check for line in found if line.finding.verdict == "warn"}


@pytest.mark.root
def test_an_ordinary_user_is_told_what_could_not_be_looked_at(patient: Patient) -> None:
    secret = patient.other("{}", "secret.json")
    secret.chmod(0o600)
    patient.checkpoint({}, ("1234", ["acme.com/null=gone"]))
    patient.kubelet.chmod(0o700)

    def look() -> str:
        # What is in the real /proc and /sys is not this test's to say.
        wanted = {"specs", "spec-files", "checkpoint", "plugin-sockets", "pods", "kubelet-socket", "space", "writable"}
        found = examine(patient.node(), [one for one in CHECKS if one.name in wanted])
        return json.dumps([(one.check, one.finding.subject, one.finding.verdict, one.finding.hidden) for one in found])

    found = [tuple(row) for row in json.loads(as_nobody(look, patient.top))]
    assert ("specs", str(secret), "warn", True) in found
    assert ("checkpoint", f"{patient.kubelet}/kubelet_internal_checkpoint", "warn", True) in found
    assert ("plugin-sockets", str(patient.kubelet), "warn", True) in found
    assert ("kubelet-socket", f"{patient.kubelet}/kubelet.sock", "warn", True) in found
    assert ("writable", str(patient.low), "warn", True) in found
    assert not [row for row in found if row[0] == "pods"]
    assert not [row for row in found if row[2] == "fail"]


def test_a_look_changes_nothing(patient: Patient) -> None:
    def tree(top: Path) -> dict[str, tuple[int, int, int]]:
        paths = [top, *top.rglob("*")]
        return {
            str(path): (os.lstat(path).st_ino, os.lstat(path).st_mtime_ns, os.lstat(path).st_ctime_ns) for path in paths
        }

    patient.checkpoint({"acme.com/null": ["null"]})
    before = tree(patient.top)
    assert list(examine(patient.node()))
    assert tree(patient.top) == before
