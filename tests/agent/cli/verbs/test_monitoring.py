from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.agent.cli.verbs.node import GPUS, MODEMS, Node, check, spec, write
from tests.agent.running import PROGRAM, context_switches, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Monitor:
    """A monitor that runs: what it has printed so far, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.messages: list[str] = []
        self._threads = [
            threading.Thread(target=lambda: self.lines.extend(process.stdout or ())),
            threading.Thread(target=self._listen),
        ]
        for thread in self._threads:
            thread.start()

    def _listen(self) -> None:
        for line in self.process.stderr or ():
            self.messages.append(line)

    def wait(self, *texts: str, lines: int = 1) -> list[str]:
        """Wait for so many lines, and for each text in them; return the lines and forget them."""
        eventually(lambda: len(self.lines) >= lines, lambda: f"{self.lines}\n{self.messages}")
        found, self.lines[:] = list(self.lines), []
        for text in texts:
            assert any(text in line for line in found), found
        return found

    def documents(self, lines: int = 1) -> list[Any]:
        found = [json.loads(line) for line in self.wait(lines=lines)]
        for document in found:
            check("monitor", document)
        return found

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        code = self.process.wait(timeout=10)
        for thread in self._threads:
            thread.join()
        return code


@contextmanager
def monitoring(node: Node, *options: str | Path) -> Iterator[Monitor]:
    argv = [PROGRAM, "monitor", *node.options, *options]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1) as process:
        monitor = Monitor(process)
        try:
            eventually(lambda: any(line.startswith("watching ") for line in monitor.messages))
            yield monitor
        finally:
            process.kill()


def test_devices_come_change_and_go(node: Node) -> None:
    with monitoring(node) as monitor:
        write(node.high / "disks.json", spec("gamma.net/disk", "sda", "sdb"))
        found = monitor.wait("added   gamma.net/disk=sda", "added   gamma.net/disk=sdb", lines=2)
        assert all(re.match(r"\d\d:\d\d:\d\d added ", line) for line in found)
        assert found[0].endswith(f"({node.high}/disks.json)\n")
        write(node.high / "disks.json", spec("gamma.net/disk", "sda", env=["B=2"]))
        monitor.wait("changed gamma.net/disk=sda", "removed gamma.net/disk=sdb", lines=2)
        os.rename(node.high / "disks.json", node.high / "disks.bak")
        monitor.wait("removed gamma.net/disk=sda")
        assert monitor.end(signal.SIGTERM) == 0
    assert monitor.messages == [f"watching {node.low}, {node.high}: 3 devices now\n"]


def test_changes_for_programs(bare: Node) -> None:
    with monitoring(bare, "--output", "json") as monitor:
        write(bare.low / "acme.json", MODEMS)
        first, second = monitor.documents(2)
        assert (first["event"], first["device"]["name"]) == ("added", "acme.com/modem=modem0")
        assert second["device"]["containerEdits"] == MODEMS["devices"][1]["containerEdits"]
        (bare.low / "acme.json").unlink()
        assert [document["event"] for document in monitor.documents(2)] == ["removed", "removed"]
        assert monitor.end(signal.SIGINT) == 0


def test_a_file_that_breaks_and_is_mended(node: Node) -> None:
    with monitoring(node, "--output", "json") as monitor:
        write(node.low / "acme.json", "{")
        events = monitor.documents(3)
        assert [document["event"] for document in events] == ["removed", "removed", "problems"]
        assert events[2]["file"] == str(node.low / "acme.json")
        write(node.low / "acme.json", MODEMS)
        assert [document["event"] for document in monitor.documents(3)] == ["added", "added", "solved"]
        assert monitor.end(signal.SIGTERM) == 0
    assert f"warning: {node.low}/acme.json:" in monitor.messages[1]
    assert f"{node.low}/acme.json: in order again, or gone\n" in monitor.messages


def test_devices_that_begin_to_conflict(node: Node) -> None:
    with monitoring(node, "acme.com/*") as monitor:
        write(node.low / "more.json", spec("acme.com/modem", "modem0"))
        monitor.wait("removed acme.com/modem=modem0")
        (node.low / "more.json").unlink()
        monitor.wait("added   acme.com/modem=modem0")


def test_a_higher_directory_takes_over(node: Node) -> None:
    with monitoring(node, "--verbose") as monitor:
        write(node.high / "acme.json", spec("acme.com/modem", "modem0"))
        monitor.wait("changed acme.com/modem=modem0", "  env         NAME=modem0", lines=2)


def test_directories_that_come_and_go(node: Node) -> None:
    far = node.place / "not" / "yet" / "there"
    with monitoring(node, "--spec-dir", far) as monitor:
        for _ in range(3):
            far.mkdir(parents=True)
            write(far / "gpus.yaml", GPUS.replace("beta.org", "gamma.net"))
            monitor.wait("added   gamma.net/gpu=0")
            write(far / "gpus.yaml", GPUS.replace("beta.org", "delta.net"))
            monitor.wait("removed gamma.net/gpu=0", "added   delta.net/gpu=0", lines=2)
            shutil.rmtree(node.place / "not")
            monitor.wait("removed delta.net/gpu=0")


def test_what_links_lead_to(node: Node) -> None:
    elsewhere = node.place / "elsewhere"
    elsewhere.mkdir()
    write(elsewhere / "a.json", spec("gamma.net/disk", "sda"))
    with monitoring(node) as monitor:
        (node.high / "link.json").symlink_to(elsewhere / "a.json")
        monitor.wait("added   gamma.net/disk=sda")
        write(elsewhere / "a.json", spec("gamma.net/disk", "sdb"))
        monitor.wait("removed gamma.net/disk=sda", "added   gamma.net/disk=sdb", lines=2)


def test_a_link_on_the_way_of_another_is_swapped(node: Node) -> None:
    """As Kubernetes swaps the content of a ConfigMap."""
    for version, name in (("v1", "sda"), ("v2", "sdb")):
        (node.place / "map" / version).mkdir(parents=True)
        write(node.place / "map" / version / "a.json", spec("gamma.net/disk", name))
    current = node.place / "map" / "current"
    current.symlink_to("v1")
    (node.high / "link.json").symlink_to(current / "a.json")
    with monitoring(node) as monitor:
        (node.place / "map" / "next").symlink_to("v2")
        (node.place / "map" / "next").rename(current)
        monitor.wait("removed gamma.net/disk=sda", "added   gamma.net/disk=sdb", lines=2)


def test_what_a_link_leads_to_changes_before_it_is_watched(node: Node) -> None:
    with monitoring(node, "gamma.net/*") as monitor:
        for number in range(30):
            target = node.place / str(number) / "a.json"
            target.parent.mkdir()
            write(target, spec(f"gamma.net/disk{number}", "sda"))
            (node.high / f"{number}.json").symlink_to(target)
            monitor.wait(f"added   gamma.net/disk{number}=sda")
            write(target, spec(f"gamma.net/disk{number}", "sdb"))
            monitor.wait(f"removed gamma.net/disk{number}=sda", f"added   gamma.net/disk{number}=sdb", lines=2)


def test_only_what_is_asked_for(node: Node) -> None:
    with monitoring(node, "*/disk=*") as monitor:
        write(node.high / "nics.json", spec("gamma.net/nic", "eth0"))
        write(node.high / "disks.json", spec("gamma.net/disk", "sda"))
        monitor.wait("gamma.net/disk=sda")
        assert monitor.lines == []


def test_the_devices_that_are_there_already(node: Node) -> None:
    with monitoring(node, "--initial", "--output", "json") as monitor:
        assert {document["event"] for document in monitor.documents(3)} == {"present"}


def test_at_rest_it_rests(node: Node) -> None:
    with monitoring(node) as monitor:
        before = context_switches(monitor.process.pid)
        (node.place / "beside.txt").touch()
        assert monitor.process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            monitor.process.wait(timeout=1.5)
        assert context_switches(monitor.process.pid) - before < 20


def test_a_glob_that_is_none(node: Node) -> None:
    assert node.run("monitor", "a[").returncode == 2


def test_a_reader_that_is_gone(node: Node) -> None:
    read, written = os.pipe()
    os.close(read)
    argv = [str(PROGRAM), "monitor", *node.options]
    with subprocess.Popen(argv, stdout=written, stderr=subprocess.PIPE, text=True) as process:
        os.close(written)
        assert process.stderr is not None
        assert process.stderr.readline().startswith("watching ")
        write(node.high / "disks.json", spec("gamma.net/disk", "sda"))
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""
