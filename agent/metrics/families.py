"""The state of the agent as metric families of Prometheus. `docs/metrics.md` explains each."""

from __future__ import annotations

import platform
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from agent.status.state import BOUNDS, CONDITIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agent.status.state import Containerd, Counts, Pass, Resource, State

_OPENMETRICS = "application/openmetrics-text"
_HEALTH = ("healthy", "unhealthy")


class Families(Collector):
    """The families of one state, and of the process that this is; ``hears``: whether events tell of devices."""

    def __init__(self, state: State, *, hears: bool = True) -> None:
        self._state = state
        self._hears = hears

    def collect(self) -> Iterator[Metric]:
        """Yield all families; which ones there are does not depend on the state."""
        state = self._state
        yield InfoMetricFamily("cdi_sync_build", "The version that runs, and its Python", {
            "version": state.version, "python": platform.python_version(),
        })  # fmt: skip
        yield from _passes(state.counts, state.last, state.success)
        yield _gauge("cdi_sync_resync_seconds", "How long the agent may be without a pass", state.resync)
        yield _gauge("cdi_sync_problems", "What was wrong at the last pass", len(state.problems))
        yield from _devices(state)
        yield from _specs(state)
        yield from _resources(state.resources)
        yield _gauge("cdi_sync_kubelet_present", "Whether a kubelet's socket is there", int(state.kubelet))
        yield from _configuration(state)
        yield from _containerd(state.containerd)
        yield _counter("cdi_sync_events", "What was heard of and could matter", "source", state.counts.events)
        yield _gauge("cdi_sync_device_events_heard", "Whether events tell of devices", int(self._hears))
        yield from ProcessCollector(registry=None).collect()


def exposition(state: State, accept: str, *, hears: bool = True) -> tuple[str, bytes]:
    """Return a state as text in the format that an ``Accept`` header asks for: the content type, and the text.

    The client library would repeat a version that it does not know in its answer, whatever it is, or fail over it.
    """
    encoder, content_type = choose_encoder(_OPENMETRICS if any(map(_is_openmetrics, accept.split(","))) else "")
    return content_type, encoder(Families(state, hears=hears))


def _is_openmetrics(accepted: str) -> bool:
    name, *parameters = (part.strip() for part in accepted.split(";"))
    versions = {value for key, _, value in (part.partition("=") for part in parameters) if key == "version"}
    return name == _OPENMETRICS and versions <= {"1.0.0"}


def _passes(counts: Counts, last: Pass | None, success: float | None) -> Iterator[Metric]:
    yield _counter("cdi_sync_passes", "Passes by what came of them", "result", counts.passes)
    duration = HistogramMetricFamily("cdi_sync_pass_duration_seconds", "How long passes took")
    duration.add_metric([], _buckets(BOUNDS, counts.times), counts.seconds)
    yield duration
    yield _gauge("cdi_sync_last_pass_timestamp_seconds", "When a pass last ended", last.ended if last else None)
    yield _gauge("cdi_sync_last_success_timestamp_seconds", "When a pass last ended without a failure", success)


def _devices(state: State) -> Iterator[Metric]:
    devices = GaugeMetricFamily("cdi_sync_devices", "Devices by class and condition", labels=["kind", "condition"])
    for one in state.classes:
        there = Counter(device.condition for device in one.devices)
        for condition in CONDITIONS:
            devices.add_metric([one.kind, condition], there[condition])
    yield devices


def _specs(state: State) -> Iterator[Metric]:
    counts = state.counts
    yield _counter("cdi_sync_spec_writes", "Specs written", "kind", counts.writes)
    yield _counter("cdi_sync_spec_removals", "Specs removed", "kind", counts.removals)
    yield _counter("cdi_sync_spec_repairs", "Specs put back that others had changed or removed", "kind", counts.repairs)
    failures = CounterMetricFamily("cdi_sync_spec_failures", "What failed in reading or writing specs")
    failures.add_metric([], counts.failures)
    yield failures
    yield _gauge("cdi_sync_specs", "Spec files of ours on disk", len(state.specs))
    held = sum(one.held for one in state.specs)
    yield _gauge("cdi_sync_specs_held", "Specs that stay for pods although their class is gone", held)


def _resources(resources: Sequence[Resource]) -> Iterator[Metric]:
    registered = GaugeMetricFamily(
        "cdi_sync_resource_registered", "Whether the kubelet watches the resource", labels=["resource"]
    )
    registrations = CounterMetricFamily(
        "cdi_sync_resource_registrations", "How often the kubelet began to watch it", labels=["resource"]
    )
    devices = GaugeMetricFamily(
        "cdi_sync_resource_devices", "Devices that the kubelet is offered, by health", labels=["resource", "health"]
    )
    duration = HistogramMetricFamily(
        "cdi_sync_allocate_duration_seconds", "How long calls of Allocate took", labels=["resource"]
    )
    errors = CounterMetricFamily("cdi_sync_allocate_errors", "Calls of Allocate that were refused", labels=["resource"])
    for one in resources:
        registered.add_metric([one.name], one.since is not None)
        registrations.add_metric([one.name], one.count)
        for health, number in zip(_HEALTH, (one.healthy, one.devices - one.healthy), strict=True):
            devices.add_metric([one.name, health], number)
        duration.add_metric([one.name], _buckets(one.bounds, one.times or (0,)), one.seconds)
        errors.add_metric([one.name], one.refusals)
    yield from (registered, registrations, devices, duration, errors)


def _configuration(state: State) -> Iterator[Metric]:
    configuration = state.configuration
    yield _counter("cdi_sync_config_loads", "Configurations read since the start", "result", state.counts.loads)
    yield _gauge(
        "cdi_sync_config_last_reload_successful",
        "Whether the configuration as it stands now is the one in force",
        int(not configuration.refused),
    )
    yield _gauge(
        "cdi_sync_config_last_reload_success_timestamp_seconds",
        "When the configuration in force was loaded",
        configuration.loaded,
    )


def _containerd(containerd: Containerd | None) -> Iterator[Metric]:
    looked = containerd.looked if containerd else None
    problems = len(containerd.problems) if containerd and looked is not None else None
    yield _gauge("cdi_sync_containerd_looked_timestamp_seconds", "When containerd's files were last looked at", looked)
    yield _gauge("cdi_sync_containerd_problems", "What keeps CDI from being on in containerd", problems)
    changes = CounterMetricFamily("cdi_sync_containerd_changes", "Files of containerd that were changed")
    if containerd:
        changes.add_metric([], containerd.changes)
    yield changes


def _gauge(name: str, text: str, value: float | None) -> Metric:
    """Return a gauge without labels; without a value there is no sample."""
    family = GaugeMetricFamily(name, text)
    if value is not None:
        family.add_metric([], value)
    return family


def _counter(name: str, text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, number in sorted(counts.items()):
        family.add_metric([value], number)
    return family


def _buckets(bounds: Iterable[float], times: Iterable[int]) -> list[tuple[str, float]]:
    """Return the cumulative buckets of a histogram, with the last one for all."""
    ends = [*map(str, bounds), "+Inf"]
    return list(zip(ends, accumulate(times), strict=True))
