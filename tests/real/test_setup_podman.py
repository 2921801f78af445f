"""``setup podman`` with the real program: what it says is what a container then gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real import parts, podman

pytestmark = pytest.mark.real

PROGRAM = Path(sys.executable).with_name("cdi-sync")
GETS = ["sh", "-c", "echo $ACME; [ -c /dev/acme ]"]


def setup(tmp_path: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    directory = parts.program("podman", "podman").parent
    environment = parts.environment("podman") | {"PATH": f"{directory}:{os.environ['PATH']}"}
    argv: list[str | Path] = [PROGRAM, "setup", "podman", "--config", tmp_path / "containers.conf"]
    argv += ["--state-dir", tmp_path / "state", *more]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, env=environment)


@pytest.mark.parametrize("spec_dir", ["/etc/cdi", "/run/cdi"])
def test_nothing_to_do_is_true(spec_dir: str, tmp_path: Path) -> None:
    result = setup(tmp_path, "--spec-dir", spec_dir)
    assert (result.returncode, result.stderr.strip()) == (0, "nothing to do")
    assert "4.3" in result.stdout
    directories = {"/etc/cdi": tmp_path / "low", "/run/cdi": tmp_path / "high"}
    for directory in directories.values():
        directory.mkdir()
    edits = {"env": ["ACME=here"], "deviceNodes": [{"path": "/dev/acme", "hostPath": "/dev/null"}]}
    spec = {"cdiVersion": "0.5.0", "kind": "acme.com/null", "devices": [{"name": "one", "containerEdits": edits}]}
    (directories[spec_dir] / "acme.json").write_text(json.dumps(spec))
    got = podman.run(devices=["acme.com/null=one"], command=GETS, spec_dirs=list(directories.values()))
    assert (got.exit_code, got.output) == (0, "here\n")


def test_a_directory_that_this_version_cannot_read_is_said_so(tmp_path: Path) -> None:
    result = setup(tmp_path, "--spec-dir", "/srv/cdi")
    assert result.returncode == 1
    assert "reads only /etc/cdi and /var/run/cdi" in result.stderr
    assert not (tmp_path / "containers.conf").exists()
