"""A node in a directory: configuration, spec directories, nodes, a kubelet's directory; and doctor's word on it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agent.cli import main
from agent.doctor.checks import CHECKS
from agent.doctor.examination import examine
from agent.doctor.node import Asked, Node
from agent.rpc.protobuf import block, text
from tests.agent.running import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from agent.doctor.findings import Finding

KIND = "acme.com/null"
CONFIG = """\
version = 1
[kubelet]
directory = "{kubelet}"
[containerd]
config = "{containerd}"
[[class]]
kind = "acme.com/null"
  [[class.device]]
  name = "null"
  containerEdits.deviceNodes = [{{ path = "/dev/null" }}]
"""


class Patient:
    """A node that is well: one declared device, its spec written, no kubelet."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.low, self.high, self.state = top / "etc", top / "run", top / "state"
        self.config, self.kubelet = top / "config.toml", top / "kubelet" / "device-plugins"
        self.dev, self.containerd = top / "dev", top / "containerd.toml"
        self.dev.mkdir()
        self.configure()
        self.once()
        self.high.mkdir(mode=0o755)

    @property
    def spec(self) -> Path:
        """The spec of ours."""
        return self.low / "cdi-sync+acme.com+null.json"

    @property
    def options(self) -> list[str]:
        """What points the program here."""
        places = ["--config", str(self.config), "--state-dir", str(self.state)]
        return [*places, "--spec-dir", str(self.low), "--spec-dir", str(self.high)]

    def configure(self, more: str = "") -> None:
        self.config.write_text(CONFIG.format(kubelet=self.kubelet, containerd=self.containerd) + more)
        self.config.chmod(0o644)

    def once(self) -> None:
        """Make a pass, as the advice has it."""
        main(["--once", "--quiet", *self.options[:-2]])

    def node(self, **places: str) -> Node:
        spec_dirs = (str(self.low), str(self.high))
        return Node(Asked(config=str(self.config), spec_dirs=spec_dirs, state_dir=str(self.state), **places))

    def findings(self, check: str) -> list[Finding]:
        """What one check finds."""
        return [line.finding for line in examine(self.node(), [one for one in CHECKS if one.name == check])]

    def complaints(self, check: str) -> list[Finding]:
        """What one check finds that is not as it should be."""
        return [finding for finding in self.findings(check) if finding.verdict != "ok"]

    def other(self, document: dict[str, Any] | str, name: str = "other.json") -> Path:
        """Write a spec of somebody else."""
        return put(self.low / name, document)

    def with_node(self, **node: object) -> Path:
        """Write somebody's spec of one node, which is yet to be made: its path."""
        path = self.dev / "card"
        self.other(spec("beta.org/card", "a", deviceNodes=[{"path": str(path), **node}]))
        return path

    def edit(self, path: Path, old: str, new: str) -> None:
        """Replace a text in a file."""
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    @contextmanager
    def listening(self, *names: str, mode: int = 0o600) -> Iterator[None]:
        """Have somebody listen at sockets in the kubelet's directory."""
        self.kubelet.mkdir(parents=True, exist_ok=True)
        sockets = [listen(self.kubelet / name, mode) for name in names]
        try:
            yield
        finally:
            for one in sockets:
                one.close()

    def checkpoint(self, registered: dict[str, list[str]], *pods: tuple[str, Sequence[str]]) -> None:
        """Write what a kubelet would: resources with their devices, pods with the CDI names they were given."""
        self.kubelet.mkdir(parents=True, exist_ok=True)
        entries = [entry(pod, names) for pod, names in pods]
        data = {"PodDeviceEntries": entries or None, "RegisteredDevices": registered}
        (self.kubelet / "kubelet_internal_checkpoint").write_text(json.dumps({"Data": data, "Checksum": 1}))


def put(path: Path, document: dict[str, Any] | str) -> Path:
    """Write a file as runtimes can read it."""
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    path.chmod(0o644)
    return path


def entry(pod: str, names: Sequence[str]) -> dict[str, Any]:
    answer = block(1, text(1, "KEY") + text(2, "value")) + b"".join(block(5, text(1, name)) for name in names)
    return {
        "PodUID": pod,
        "ContainerName": "main",
        "ResourceName": KIND,
        "DeviceIDs": {"-1": ["null"]},
        "AllocResp": b64encode(answer).decode(),
    }


def listen(path: Path, mode: int = 0o600) -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.bind(str(path))
    path.chmod(mode)
    one.listen()
    return one


def spec(kind: str, *names: str, version: str = "0.5.0", **edits: Any) -> dict[str, Any]:
    """A small spec; without edits, each device sets a variable."""
    devices = [{"name": name, "containerEdits": edits or {"env": [f"NAME={name}"]}} for name in names]
    return {"cdiVersion": version, "kind": kind, "devices": devices}


def follow(advice: str, *tools: Path) -> None:
    """Do what an advice says: the command that it is, or the one after "run"; ``tools`` are directories for PATH."""
    _, run, rest = advice.rpartition("run ")
    command = re.split(r"[,;] ", rest)[0] if run else advice  # no place of a test has these in its name
    path = ":".join(map(str, (PROGRAM.parent, *tools, os.environ["PATH"])))
    subprocess.run(["sh", "-c", command], check=True, env={"PATH": path}, timeout=60)
