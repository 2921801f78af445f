from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.real import podman

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real


def write_spec(directory: Path, value: str) -> None:
    edits = {"env": [f"ACME={value}"], "deviceNodes": [{"path": "/dev/acme", "hostPath": "/dev/null"}]}
    spec = {
        "cdiVersion": "0.5.0",
        "kind": "acme.com/null",
        "devices": [{"name": "one", "containerEdits": edits}],
    }
    directory.mkdir()
    (directory / "acme.json").write_text(json.dumps(spec))


def test_a_container_gets_its_cdi_device(tmp_path: Path) -> None:
    write_spec(tmp_path / "low", "low")
    command = ["sh", "-c", "echo $ACME; stat -c %t:%T /dev/acme; exit 3"]
    result = podman.run(devices=["acme.com/null=one"], command=command, spec_dirs=[tmp_path / "low"])
    assert (result.exit_code, result.output) == (3, "low\n1:3\n")


def test_the_second_directory_wins(tmp_path: Path) -> None:
    for name in ("low", "high"):
        write_spec(tmp_path / name, name)
    directories = [tmp_path / "low", tmp_path / "high"]
    result = podman.run(devices=["acme.com/null=one"], command=["sh", "-c", "echo $ACME"], spec_dirs=directories)
    assert result.output == "high\n"


def test_an_unresolvable_name_is_refused_by_name(tmp_path: Path) -> None:
    result = podman.run(devices=["acme.com/null=two"], command=["true"], spec_dirs=[tmp_path])
    assert result.exit_code >= 125
    assert "unresolvable CDI devices acme.com/null=two" in result.output
