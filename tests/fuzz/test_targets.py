"""Every target in short, and what the long form does with a finding."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cdi.strategies import mutated
from tests.fuzz.__main__ import run
from tests.fuzz.targets import TARGETS, Target

if TYPE_CHECKING:
    import random

_OF_THE_NODE = {"udev", "sysfs", "mounts"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.root] if name in _OF_THE_NODE else []) for name in TARGETS]
)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=st.randoms(use_true_random=False))
def test_no_input_does_harm(name: str, source: random.Random) -> None:
    target = TARGETS[name]
    target.check(mutated(source.choice(target.seeds()), source, target.fragments))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.root] if name in _OF_THE_NODE else []) for name in TARGETS]
)
def test_some_of_what_is_tried_is_accepted_and_some_is_not(name: str) -> None:
    result = run(name, 300, 1)
    assert (result.inputs, result.findings) == (300, 0)
    assert 0 < result.accepted < 300


def test_a_finding_is_told_with_what_is_needed_to_see_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails_on_long(data: bytes) -> bool:
        if len(data) > 20:
            raise KeyError("planted")
        return True

    monkeypatch.setitem(TARGETS, "planted", Target(lambda: [b"0123456789abcdefghi"], fails_on_long))
    result = run("planted", 10_000, 5)
    assert result.findings == 10
    assert result.inputs < 10_000
    told = capsys.readouterr().err
    assert f"planted, input {result.inputs} of seed 5: b'" in told
    assert "KeyError: 'planted'" in told


def test_guided_fuzzing_says_what_it_lacks() -> None:
    argv = [sys.executable, "-m", "tests.fuzz.guided", "nothing"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    if importlib.util.find_spec("atheris") is None:
        assert (done.returncode, done.stderr) == (1, "error: atheris is not installed; pip install atheris\n")
    else:
        assert done.returncode == 2
        assert "there is no target 'nothing'; there are configuration, " in done.stderr
