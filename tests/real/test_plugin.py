from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.real import parts

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.root

TESTS = """
import pytest
from tests.real import parts

@pytest.mark.real
def test_real():
    parts.tree("podman")

@pytest.mark.root
def test_by_hand():
    pytest.skip("not today")

def test_ordinary():
    pass
"""


class Inner:
    """A pytest run on `TESTS`, with no part in its cache."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "test_it.py").write_text(TESTS)
        (directory / "pytest.ini").write_text("[pytest]\nmarkers =\n    root\n    real\n")

    def run(self, *arguments: str, ci: str = "") -> tuple[int, list[str]]:
        """Its exit code and the lines it printed."""
        pytest_ = [sys.executable, "-m", "pytest", "-p", "tests.real.plugin", "-p", "no:cacheprovider"]
        environment = {**os.environ, "CDI_SYNC_TEST_CACHE": str(self.directory), "CI": ci}
        done = subprocess.run(
            [*pytest_, *arguments, self.directory],
            check=False,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=parts.REPOSITORY,
        )
        return done.returncode, done.stdout.splitlines()


@pytest.fixture
def inner(tmp_path: Path) -> Inner:
    return Inner(tmp_path)


def roll(lines: list[str]) -> str:
    return next((line for line in lines if line.startswith("***")), "")


def test_a_missing_part_skips_loudly(inner: Inner) -> None:
    code, lines = inner.run()
    assert code == 0
    assert "1 passed, 2 skipped" in lines[-1]
    assert roll(lines) == (
        "*** 2 TESTS WITH REAL PARTS DID NOT RUN: podman (run python -m tests.real.provision) (1); not today (1)"
    )


def test_in_ci_a_missing_part_fails_its_test(inner: Inner) -> None:
    code, lines = inner.run(ci="true")
    assert code == 1
    assert "1 failed, 1 passed, 1 skipped" in lines[-1]
    assert "a real part is missing: podman (run python -m tests.real.provision)" in "\n".join(lines)


def test_in_ci_a_skip_fails_the_run(inner: Inner) -> None:
    code, lines = inner.run("--deselect", "test_it.py::test_real", ci="true")
    assert code == 1
    assert roll(lines) == "*** 2 TESTS WITH REAL PARTS DID NOT RUN: deselected (1); not today (1)"
