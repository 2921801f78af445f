"""The alert rules by Prometheus' own tool: that they are rules, and that each fires when it should and only then."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from tests.agent.metrics.prometheus import RULES
from tests.real import parts

pytestmark = pytest.mark.real

TESTS = RULES.with_name("alerts_test.yml")


def promtool(*arguments: object) -> None:
    done = subprocess.run(
        [parts.program("prometheus", "promtool"), *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=120, cwd=RULES.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_they_are_rules() -> None:
    promtool("check", "rules", "--lint-fatal", RULES)


def test_they_fire_when_they_should() -> None:
    promtool("test", "rules", TESTS)


def test_every_rule_is_silent_where_all_is_well_and_has_a_case_in_which_it_fires() -> None:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    names = {rule["alert"] for rule in group["rules"]}
    well, *ill = yaml.safe_load(TESTS.read_text())["tests"]
    assert {one["alertname"] for one in well["alert_rule_test"] if not one.get("exp_alerts")} == names
    assert {one["alertname"] for case in ill for one in case["alert_rule_test"] if one.get("exp_alerts")} == names
