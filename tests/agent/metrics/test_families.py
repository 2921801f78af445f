from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from agent.metrics.families import exposition
from agent.status.state import CONDITIONS, State
from tests.agent.status.states import STATE

if TYPE_CHECKING:
    from collections.abc import Mapping

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
BARE = dataclasses.replace(
    STATE, last=None, age=None, success=None, classes=(), specs=(), resources=(), kubelet=False, containerd=None
)
EVIL = 'a"b\\c\nd{}\x1b\u2028'


def samples(state: State, accept: str = "") -> Mapping[tuple[str, tuple[tuple[str, str], ...]], float]:
    _, text = exposition(state, accept)
    parse = parse_openmetrics if accept else parse_text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("cdi_sync_build_info", None, 1),
        ("cdi_sync_passes_total", {"result": "changed"}, 2),
        ("cdi_sync_passes_total", {"result": "failed"}, 1),
        ("cdi_sync_pass_duration_seconds_bucket", {"le": "0.001"}, 4),
        ("cdi_sync_pass_duration_seconds_bucket", {"le": "10.0"}, 5),
        ("cdi_sync_pass_duration_seconds_bucket", {"le": "+Inf"}, 6),
        ("cdi_sync_pass_duration_seconds_count", {}, 6),
        ("cdi_sync_pass_duration_seconds_sum", {}, 20.5),
        ("cdi_sync_last_pass_timestamp_seconds", {}, 1_700_000_060.25),
        ("cdi_sync_last_success_timestamp_seconds", {}, 1_700_000_060.25),
        ("cdi_sync_resync_seconds", {}, 600),
        ("cdi_sync_problems", {}, 1),
        *(("cdi_sync_devices", {"kind": "acme.com/modem", "condition": one}, 1) for one in CONDITIONS),
        ("cdi_sync_spec_writes_total", {"kind": "acme.com/modem"}, 3),
        ("cdi_sync_spec_removals_total", {"kind": "acme.com/modem"}, 1),
        ("cdi_sync_spec_repairs_total", {"kind": "acme.com/modem"}, 2),
        ("cdi_sync_spec_failures_total", {}, 1),
        ("cdi_sync_specs", {}, 2),
        ("cdi_sync_specs_held", {}, 1),
        ("cdi_sync_resource_registered", {"resource": "acme.com/modem"}, 1),
        ("cdi_sync_resource_registered", {"resource": "acme.com/x"}, 0),
        ("cdi_sync_resource_registrations_total", {"resource": "acme.com/modem"}, 2),
        ("cdi_sync_resource_devices", {"resource": "acme.com/modem", "health": "healthy"}, 1),
        ("cdi_sync_resource_devices", {"resource": "acme.com/modem", "health": "unhealthy"}, 3),
        ("cdi_sync_allocate_duration_seconds_bucket", {"resource": "acme.com/modem", "le": "0.01"}, 9),
        ("cdi_sync_allocate_duration_seconds_count", {"resource": "acme.com/modem"}, 10),
        ("cdi_sync_allocate_duration_seconds_count", {"resource": "acme.com/x"}, 0),
        ("cdi_sync_allocate_errors_total", {"resource": "acme.com/modem"}, 1),
        ("cdi_sync_kubelet_present", {}, 1),
        ("cdi_sync_config_loads_total", {"result": "refused"}, 1),
        ("cdi_sync_config_last_reload_successful", {}, 0),
        ("cdi_sync_config_last_reload_success_timestamp_seconds", {}, 1_700_000_001.5),
        ("cdi_sync_containerd_looked_timestamp_seconds", {}, 1_700_000_004.0),
        ("cdi_sync_containerd_problems", {}, 1),
        ("cdi_sync_containerd_changes_total", {}, 1),
        ("cdi_sync_events_total", {"source": "file"}, 6),
    ],
)
def test_each_metric_says_what_the_state_does(
    accept: str, name: str, labels: dict[str, str] | None, value: float
) -> None:
    found = samples(STATE, accept)
    if labels is None:
        assert [sample for (one, _), sample in found.items() if one == name] == [value]
    else:
        assert found[name, tuple(sorted(labels.items()))] == value


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_what_is_not_known_has_no_sample(accept: str) -> None:
    names = {name for name, _ in samples(BARE, accept)}
    assert names.isdisjoint(
        {
            "cdi_sync_last_pass_timestamp_seconds",
            "cdi_sync_last_success_timestamp_seconds",
            "cdi_sync_containerd_looked_timestamp_seconds",
            "cdi_sync_containerd_problems",
            "cdi_sync_devices",
        }
    )
    assert {"cdi_sync_passes_total", "process_resident_memory_bytes", "process_open_fds"} <= names


def test_names_that_a_device_chose_break_no_line() -> None:
    evil = dataclasses.replace(STATE, resources=(dataclasses.replace(STATE.resources[0], name=EVIL),))
    for accept in ("", OPENMETRICS):
        assert samples(evil, accept)["cdi_sync_resource_registered", (("resource", EVIL),)] == 1


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0"),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0"),
        (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0"),
        ("application/openmetrics-text; version=0.0.1", "text/plain; version=0.0.4"),
        ("application/openmetrics-text; version=2.0.0", "text/plain; version=0.0.4"),
        ("application/openmetrics-text; version=x", "text/plain; version=0.0.4"),
        ("application/openmetrics-text; version=9.\xb2.0", "text/plain; version=0.0.4"),
        ("text/plain; version=1.0.\xb2", "text/plain; version=0.0.4"),
        ("text/html, ;;;=,\xff", "text/plain; version=0.0.4"),
    ],
)
def test_the_format_is_the_one_asked_for_and_no_word_of_who_asks_is_repeated(accept: str, content_type: str) -> None:
    assert exposition(STATE, accept)[0] == f"{content_type}; charset=utf-8"


@pytest.mark.parametrize("hears", [True, False])
def test_it_is_told_whether_events_are_heard(hears: bool) -> None:
    _, text = exposition(STATE, "", hears=hears)
    assert f"\ncdi_sync_device_events_heard {float(hears)}\n" in text.decode()
