"""``docs/metrics.md`` explains each metric, alert and panel that there is, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from agent.metrics.families import exposition
from tests.agent.metrics.prometheus import DASHBOARD, RULES
from tests.agent.status.states import STATE

PAGE = Path(__file__).parents[3] / "docs/metrics.md"
BEGINNINGS = ("cdi_sync_", "process_")


def rows(title: str) -> list[list[str]]:
    """The cells of the table in a section of the page."""
    section = PAGE.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def exported() -> dict[str, tuple[str, str]]:
    """Type and labels of each metric, by the name that one asks for in a query."""
    _, text = exposition(STATE, "")
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, ", ".join(f"`{label}`" for label in sorted(labels)))
    return found


def test_the_page_has_every_metric_with_its_type_and_labels() -> None:
    assert {row[0].strip("`"): (row[1], row[2]) for row in rows("Metrics")} == exported()
    assert all(row[3] for row in rows("Metrics"))
    assert all(name.startswith(BEGINNINGS) for name in exported())


def test_the_page_has_every_alert_with_its_severity() -> None:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    wanted = {rule["alert"]: rule["labels"]["severity"] for rule in group["rules"]}
    assert {row[0].strip("`"): row[1] for row in rows("Alerts")} == wanted


def test_the_page_has_every_panel() -> None:
    assert [row[0] for row in rows("Dashboard")] == [panel["title"] for panel in dashboard()["panels"]]


@pytest.mark.parametrize("path", [RULES, DASHBOARD], ids=lambda path: path.name)
def test_alerts_and_panels_ask_for_what_is_exported(path: Path) -> None:
    named = set(re.findall(r"\b(?:cdi_sync|process)_[a-z_]+\b", path.read_text()))
    known = set(exported()) | {
        f"{name}_{part}"
        for name, (kind, _) in exported().items()
        if kind == "histogram"
        for part in ("bucket", "count")
    }
    assert named <= known, named - known


def test_panels_lie_beside_each_other_and_have_ids_of_their_own() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def dashboard() -> dict[str, list[dict[str, Any]]]:
    found = json.loads(DASHBOARD.read_text())
    assert isinstance(found, dict)
    return found
