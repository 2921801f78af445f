from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.real import parts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def provision(environment: Mapping[str, str], *prefix: str) -> tuple[int, str]:
    """Exit code and standard error."""
    command = [*prefix, sys.executable, "-m", "tests.real.provision"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=parts.REPOSITORY)
    return done.returncode, done.stderr


@pytest.fixture
def no_apt(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty cache and without apt."""
    return {"CDI_SYNC_TEST_CACHE": str(tmp_path / "cache"), "PATH": str(tmp_path)}


@pytest.mark.root
def test_a_machine_without_apt_is_told_in_one_line(no_apt: dict[str, str]) -> None:
    code, message = provision(no_apt)
    assert code == 0
    assert len(message.splitlines()) == 1
    assert "containerd-2" in message
    assert "no apt-get: not a Debian machine" in message


@pytest.mark.root
def test_in_ci_a_missing_part_is_an_error(no_apt: dict[str, str]) -> None:
    assert provision({**no_apt, "CI": "true"})[0] == 1


@pytest.mark.root
def test_tests_learn_the_reason(no_apt: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    provision(no_apt)
    monkeypatch.setenv("CDI_SYNC_TEST_CACHE", no_apt["CDI_SYNC_TEST_CACHE"])
    with pytest.raises(parts.MissingPartError, match=r"podman \(no apt-get: not a Debian machine\)"):
        parts.tree("podman")


def test_half_a_part_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDI_SYNC_TEST_CACHE", str(tmp_path))
    (tmp_path / "runc").mkdir()
    assert not parts.complete("runc")
    (tmp_path / "runc" / ".recipe").write_text("sarge: runc\n")
    assert not parts.complete("runc")
    (tmp_path / "runc" / ".recipe").write_text(parts.FETCHED["runc"].recipe)
    assert parts.complete("runc")


@pytest.mark.real
def test_it_is_quick_when_everything_is_there() -> None:
    for name in parts.FETCHED:
        parts.need(name)
    start = time.monotonic()
    code, message = provision(os.environ)
    assert time.monotonic() - start < 1
    assert (code, message) == (0, "")
