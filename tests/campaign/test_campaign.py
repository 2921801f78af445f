"""The campaign in short: a few rounds of its course."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ROUNDS = 6


@pytest.mark.root
@pytest.mark.real
@pytest.mark.timeout(1200)  # it takes turns with whoever else has the machine's devices
def test_a_few_rounds_of_churn_and_faults_leave_everything_as_it_must_be() -> None:
    argv = [sys.executable, "-m", "tests.campaign", "--rounds", str(ROUNDS), "--seed", "1", "--output", "json"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["findings"] == []
    assert record["rounds"] == ROUNDS
    assert record["kills"] >= ROUNDS
    assert record["events"]["add"] >= 10 * ROUNDS
    assert record["events"]["remove"] >= 5 * ROUNDS
    assert record["events_in_all"] >= 200 * ROUNDS
    assert record["lost"] == 0
    assert record["reads"] >= 1000
    assert len(record["faults"]) >= ROUNDS
    assert len(record["witness"]["resident"]) == ROUNDS
