"""Metrics against what happened: a life with a kubelet, scraped by a real Prometheus, and counted beside it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.agent.metrics.prometheus import DASHBOARD, RULES, fetch, fetched, free_port, prometheus, wait_scrapes
from tests.agent.running import eventually, spec_file
from tests.agent.site import KIND, wait_health
from tests.kubelet.client import CallError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.running import Agent
    from tests.agent.site import Site
    from tests.kubelet.kubelet import Kubelet

pytestmark = pytest.mark.root

APPEAR, VANISH, REPAIRS, ALLOCATIONS, REFUSALS, RESTARTS = 9, 4, 6, 7, 3, 2
OTHER = "acme.com/other"
BY_CHOICE = ("cdi_sync_containerd_problems",)  # there only where the agent keeps containerd


def scraped(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(fetch(port, "/metrics")[1])
        for sample in family.samples
    }


class Life:
    """An agent that serves metrics, its kubelet, and what is done to both."""

    def __init__(self, site: Site, port: int, kubelet: Kubelet, agent: Agent) -> None:
        self.site, self.port, self.kubelet, self.agent = site, port, kubelet, agent

    def value(self, name: str, **labels: str) -> float | None:
        return scraped(self.port).get((name, frozenset(labels.items())))

    def wait(self, value: float, name: str, **labels: str) -> None:
        eventually(
            lambda: self.value(name, **labels) == value,
            lambda: f"{name}: {self.value(name, **labels)}, not {value}; the log:\n{self.agent.log}",
            seconds=60,
        )

    def appear(self, number: int) -> None:
        for index in range(number):
            self.site.node(f"d{index}")
            self.agent.wait_devices(KIND, {f"d{one}" for one in range(index + 1)})

    def vanish(self, first: int, number: int) -> None:
        for index in range(first, first + number):
            left = self.site.specified() - {f"d{index}"}
            self.site.gone(f"d{index}")
            self.agent.wait_devices(KIND, left)

    def repair(self, number: int) -> None:
        path = spec_file(self.site.spec_dir, KIND)
        good = path.read_bytes()
        for index in range(number):
            before = self.value("cdi_sync_spec_repairs_total", kind=KIND)
            assert before is not None
            if index % 3 == 0:
                path.unlink()
            elif index % 3 == 1:
                path.write_bytes(b"{}")
            else:
                path.chmod(0o600)
            self.wait(before + 1, "cdi_sync_spec_repairs_total", kind=KIND)
            assert path.read_bytes() == good
            assert path.stat().st_mode & 0o777 == 0o644

    def allocate(self, calls: int, refusals: int) -> None:
        plugin = self.kubelet.plugin(KIND)
        for _ in range(calls):
            plugin.allocate(["d0"])
        for _ in range(refusals):
            with pytest.raises(CallError):
                plugin.allocate(["no-such-device"])

    def restart_kubelet(self, number: int) -> None:
        for _ in range(number):
            before = self.value("cdi_sync_resource_registrations_total", resource=KIND)
            assert before is not None
            self.kubelet.restart()
            self.wait(before + 1, "cdi_sync_resource_registrations_total", resource=KIND)
            self.wait(1, "cdi_sync_resource_registered", resource=KIND)

    def refuse(self) -> None:
        """Give it a configuration that cannot be used, and then a good one again."""
        good = self.site.config.read_text()
        self.site.config.write_text(good + "nonsense\n")
        self.wait(0, "cdi_sync_config_last_reload_successful")
        self.site.config.write_text(good)
        self.wait(1, "cdi_sync_config_last_reload_successful")


@pytest.fixture
def life(site: Site) -> Life:
    port = free_port()
    site.configure(site.a_class(), site.a_class(OTHER, "other*"), agent=f'metrics = "127.0.0.1:{port}"')
    return Life(site, port, site.kubelet(), site.agent())


def test_counts_equal_what_happened(life: Life) -> None:
    with life.kubelet as kubelet, life.agent as agent:
        agent.wait_ready()
        eventually(lambda: fetched(life.port, "/metrics") is not None)
        kubelet.next("registered", KIND, seconds=60)
        eventually(lambda: life.value("cdi_sync_resource_registered", resource=KIND) == 1)
        life.appear(APPEAR)
        wait_health(kubelet, {f"d{one}": True for one in range(APPEAR)})
        life.allocate(ALLOCATIONS, REFUSALS)
        life.repair(REPAIRS)
        life.vanish(APPEAR - VANISH, VANISH)
        wait_health(kubelet, {f"d{one}": one < APPEAR - VANISH for one in range(APPEAR)})
        found = {
            "writes": life.value("cdi_sync_spec_writes_total", kind=KIND),
            "repairs": life.value("cdi_sync_spec_repairs_total", kind=KIND),
            "removals": life.value("cdi_sync_spec_removals_total", kind=KIND),
            "other": life.value("cdi_sync_spec_writes_total", kind=OTHER),
            "failures": life.value("cdi_sync_spec_failures_total"),
            "present": life.value("cdi_sync_devices", kind=KIND, condition="present"),
            "gone": life.value("cdi_sync_devices", kind=KIND, condition="gone"),
            "healthy": life.value("cdi_sync_resource_devices", resource=KIND, health="healthy"),
            "unhealthy": life.value("cdi_sync_resource_devices", resource=KIND, health="unhealthy"),
            "allocations": life.value("cdi_sync_allocate_duration_seconds_count", resource=KIND),
            "refusals": life.value("cdi_sync_allocate_errors_total", resource=KIND),
            "registrations": life.value("cdi_sync_resource_registrations_total", resource=KIND),
            "specs": life.value("cdi_sync_specs"),
        }
        assert found == {
            "writes": APPEAR + REPAIRS + VANISH,
            "repairs": REPAIRS,
            "removals": 0,
            "other": 0,
            "failures": 0,
            "present": APPEAR - VANISH,
            "gone": VANISH,
            "healthy": APPEAR - VANISH,
            "unhealthy": VANISH,
            "allocations": ALLOCATIONS + REFUSALS,
            "refusals": REFUSALS,
            "registrations": 1,
            "specs": 1,
        }
        life.vanish(0, APPEAR - VANISH)
        assert life.value("cdi_sync_spec_writes_total", kind=KIND) == 2 * APPEAR + REPAIRS - 1
        assert life.value("cdi_sync_spec_removals_total", kind=KIND) == 1
        life.restart_kubelet(RESTARTS)
        assert life.value("cdi_sync_resource_registrations_total", resource=KIND) == 1 + RESTARTS
        life.refuse()
        assert (life.value("cdi_sync_config_loads_total", result="refused") or 0) >= 1
        assert (life.value("cdi_sync_config_loads_total", result="loaded") or 0) >= 2
        passes = sum(life.value("cdi_sync_passes_total", result=one) or 0 for one in ("changed", "unchanged", "failed"))
        assert life.value("cdi_sync_passes_total", result="changed") == 2 * APPEAR + REPAIRS
        assert life.value("cdi_sync_pass_duration_seconds_count") in (passes, passes + 1)  # one more, between two looks
        assert "Traceback" not in agent.log


@pytest.mark.real
def test_every_query_of_the_dashboard_and_the_alerts_has_an_answer(life: Life, tmp_path: Path) -> None:
    with life.kubelet as kubelet, life.agent as agent, prometheus(tmp_path, life.port) as asked:
        agent.wait_ready()
        kubelet.next("registered", KIND, seconds=60)
        wait_scrapes(asked, 2)  # so that what happens from now on is an increase
        life.appear(3)
        wait_health(kubelet, {f"d{one}": True for one in range(3)})
        life.allocate(5, 1)
        life.repair(2)
        life.vanish(2, 1)
        wait_scrapes(asked, 3)
        for expression in panels():
            found = asked.query(expression)
            assert found or any(name in expression for name in BY_CHOICE), expression
            # Of a resource that nobody asked for, the duration is no number.
            values = [float(one["value"][1]) for one in found]
            assert not values or any(value >= 0 for value in values), (expression, found)
            assert not any(value < 0 for value in values), (expression, found)
        for name, expression in alerts().items():
            asked.query(expression)
            for series in set(re.findall(r"\b(?:cdi_sync|process)_\w+", expression)) - set(BY_CHOICE):
                assert asked.query(series), (name, series)
        (group,) = asked.ask("rules")["groups"]
        assert {rule["name"]: rule["health"] for rule in group["rules"]} == dict.fromkeys(alerts(), "ok")
        (target,) = asked.ask("targets")["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        assert asked.value(f'cdi_sync_spec_repairs_total{{kind="{KIND}"}}') == 2
        firing = {one["metric"]["alertname"] for one in asked.query('ALERTS{alertstate="firing"}')}
        assert firing == {"CdiSyncAllocateRefused"}


@pytest.mark.real
def test_a_prometheus_takes_both_formats_without_a_word(life: Life, tmp_path: Path) -> None:
    with life.agent as agent, prometheus(tmp_path, life.port) as asked:
        agent.wait_ready()
        wait_scrapes(asked, 3)
        described = asked.ask("metadata")
        assert described["cdi_sync_devices"][0]["type"] == "gauge"
        assert described["cdi_sync_pass_duration_seconds"][0]["type"] == "histogram"
        assert "level=warn" not in (tmp_path / "prometheus.log").read_text()


def alerts() -> dict[str, str]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule["expr"] for rule in group["rules"]}


def panels() -> list[str]:
    """The queries of all panels, with the variables of the dashboard filled in."""
    dashboard = json.loads(DASHBOARD.read_text())
    names = {one["name"] for one in dashboard["templating"]["list"]}
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert {word for one in expressions for word in re.findall(r"\$(\w+)", one)} <= names | {"__rate_interval"}
    return [one.replace("$instance", ".*").replace("$__rate_interval", "1m") for one in expressions]
