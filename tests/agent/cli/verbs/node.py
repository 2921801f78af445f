"""Spec directories as a node has them, and the program run over them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from tests.agent.running import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMAS = Path(__file__).parents[4] / "schemas"

MODEMS: dict[str, Any] = {
    "cdiVersion": "0.5.0",
    "kind": "acme.com/modem",
    "containerEdits": {"env": ["ACME=1"]},
    "devices": [
        {
            "name": "modem0",
            "containerEdits": {
                "env": ["MODEM=0"],
                "deviceNodes": [{"path": "/dev/modem", "hostPath": "/dev/null", "permissions": "rw"}],
                "mounts": [{"hostPath": "/usr", "containerPath": "/opt/acme", "options": ["ro", "bind"]}],
                "hooks": [{"hookName": "createContainer", "path": "/bin/ldconfig", "args": ["ldconfig", "-r", "."]}],
            },
        },
        {"name": "modem1", "containerEdits": {"deviceNodes": [{"path": "/dev/zero"}]}},
    ],
}
GPUS = """\
cdiVersion: 0.7.0
kind: beta.org/gpu
annotations: {made.by/hand: "yes"}
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - {path: /dev/full, type: c, major: 9, minor: 9, fileMode: 0o660, uid: 3}
    intelRdt: {closID: gold}
    additionalGids: [44]
"""


class Node:
    """Two spec directories below a place of their own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.low, self.high = place / "etc", place / "run"
        self.low.mkdir()
        self.high.mkdir()

    @property
    def options(self) -> tuple[str, ...]:
        return ("--spec-dir", str(self.low), "--spec-dir", str(self.high))

    def run(self, *arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the program as a user does; whatever it is given, it ends soon and without a traceback."""
        argv = [PROGRAM, *arguments, *self.options]
        done = subprocess.run(argv, input=stdin or "", capture_output=True, text=True, check=False, timeout=60)
        assert "Traceback" not in done.stderr
        assert "a fault of cdi-sync" not in done.stderr
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run the program and return the document that it prints, which is as its schema says."""
        done = self.run(*arguments, "--output", "json")
        assert done.returncode == code, done.stderr
        document = json.loads(done.stdout)
        check(arguments[0], document)
        return document


def check(name: str, document: object) -> None:
    """Check a document against the schema of a verb's output."""
    Draft202012Validator(json.loads((SCHEMAS / "output" / f"{name}.json").read_bytes())).validate(document)


def write(path: Path, document: Mapping[str, Any] | str) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document, indent=2))
    return path


def spec(kind: str, *names: str, **edits: Any) -> dict[str, Any]:
    """A small spec; without edits, each device sets a variable."""
    devices = [{"name": name, "containerEdits": edits or {"env": [f"NAME={name}"]}} for name in names]
    return {"cdiVersion": "0.5.0", "kind": kind, "devices": devices}
