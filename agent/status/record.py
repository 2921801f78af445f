"""What the agent notes of its own life: plain counters, and the few facts of the last pass that nothing else keeps."""

from __future__ import annotations

import bisect
import os
import stat
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from agent.plan import Write
from agent.status import state
from agent.status.files import spec_files
from agent.store import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.config.settings import Settings
    from agent.deviceplugin.plugin import State as Registered
    from agent.inventory import Inventory, Listed, Listing
    from agent.publish import Publisher
    from agent.reconcile import Outcome
    from agent.render import Offer, Rendered
    from agent.setup.keeping import Keeper
    from cdi.errors import Problem

SOURCES = ("device", "file", "mount", "containerd", "signal")
RESULTS = ("changed", "unchanged", "failed")
LOADS = ("loaded", "refused")
_KUBELET_SOCKET = "kubelet.sock"  # as in agent.deviceplugin, which brings HTTP/2


class Record:
    """One agent's record, from its start. To be used in the event loop's thread."""

    def __init__(self) -> None:
        self._version = installed_version()
        self._started = time.time()
        self._loaded = self._started
        self._refused: tuple[Problem, ...] = ()
        self._last: state.Pass | None = None
        self._ended = 0.0
        self._success: float | None = None
        self._classes: tuple[Rendered, ...] = ()
        self._holding: frozenset[str] = frozenset()
        self._problems: tuple[Problem, ...] = ()
        self._passes = Counter(dict.fromkeys(RESULTS, 0))
        self._times = [0] * (len(state.BOUNDS) + 1)
        self._seconds = 0.0
        self._writes: Counter[str] = Counter()
        self._removals: Counter[str] = Counter()
        self._repairs: Counter[str] = Counter()
        self._failures = 0
        self._events = Counter(dict.fromkeys(SOURCES, 0))
        self._loads = Counter(dict.fromkeys(LOADS, 0))

    def heard(self, source: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Return ``wake`` as it is to be given to what hears of events from this source, so that they are counted."""

        def count() -> None:
            self._events[source] += 1
            wake()

        return count

    def loaded(self) -> None:
        """Note that a configuration was taken."""
        self._loaded = time.time()
        self._refused = ()
        self._loads["loaded"] += 1

    def refused(self, problems: Iterable[Problem]) -> None:
        """Note that the configuration as it stands now cannot be used."""
        self._refused = tuple(problems)
        self._loads["refused"] += 1

    def passed(self, outcome: Outcome, took: float) -> None:
        """Note a pass that took so many seconds."""
        for change in outcome.changes:
            counter = self._writes if isinstance(change, Write) else self._removals
            counter[kind_of(change.name)] += 1
        self._repairs.update(kind_of(name) for name in outcome.repaired)
        self._failures += len(outcome.failures)
        self._classes, self._holding = outcome.classes, outcome.holding
        failed = tuple(failure.problem for failure in outcome.failures)
        self._problems = (*failed, *outcome.problems)
        result = "failed" if failed else "changed" if outcome.changes else "unchanged"
        self._end(result, outcome.sentence, took)

    def failed(self, problem: Problem, took: float) -> None:
        """Note a pass that came to nothing; what was known before is known still."""
        self._problems = (problem,)
        self._failures += 1
        self._end("failed", str(problem), took)

    def _end(self, result: str, sentence: str, took: float) -> None:
        self._passes[result] += 1
        self._times[bisect.bisect_left(state.BOUNDS, took)] += 1
        self._seconds += took
        self._ended = time.monotonic()
        self._last = state.Pass(time.time(), took, sentence, succeeded=result != "failed")
        if self._last.succeeded:
            self._success = self._last.ended

    def now(
        self, settings: Settings, publisher: Publisher, keeper: Keeper, others: Iterable[Problem] = ()
    ) -> state.State:
        """Return the state of this moment; ``others`` are problems that neither passes nor the kubelet tell of."""
        known = {one.file_name: one.spec for one in self._classes if one.spec}
        problems = (*self._problems, *publisher.problems, *others)
        try:
            specs = spec_files(settings.spec_dir, known, self._holding)
        except OSError:  # of which the passes tell
            specs = ()
        return state.State(
            version=self._version,
            pid=os.getpid(),
            started=self._started,
            spec_dir=settings.spec_dir,
            state_dir=settings.state_dir,
            configuration=state.Configuration(settings.files, self._loaded, self._refused),
            last=self._last,
            age=time.monotonic() - self._ended if self._last else None,
            success=self._success,
            resync=settings.resync,
            classes=tuple(_class(one, publisher.inventory.get(one.kind)) for one in self._classes),
            specs=specs,
            resources=_resources(settings, publisher.inventory, publisher.states),
            kubelet=bool(settings.resources) and _has_kubelet(settings.kubelet.directory),
            containerd=_containerd(keeper) if settings.containerd.enable_cdi else None,
            problems=problems,
            counts=self._counts(settings),
        )

    def _counts(self, settings: Settings) -> state.Counts:
        """Return what was counted; of the kinds that there are now, also what has not happened yet."""
        kinds = dict.fromkeys((one.kind for one in settings.classes), 0)
        return state.Counts(
            passes=dict(self._passes),
            times=tuple(self._times),
            seconds=self._seconds,
            writes={**kinds, **self._writes},
            removals={**kinds, **self._removals},
            repairs={**kinds, **self._repairs},
            failures=self._failures,
            events=dict(self._events),
            loads=dict(self._loads),
        )


def _class(one: Rendered, listing: Listing | None) -> state.Class:
    listed = listing.devices if listing else {}
    here = [state.Device(offer.name, offer.nodes, _condition(offer, listed.get(offer.name))) for offer in one.offers]
    names = {offer.name for offer in one.offers}
    gone = [
        state.Device(name, (), "gone", device.gone)
        for name, device in listed.items()
        if name not in names and device.gone is not None
    ]
    return state.Class(one.kind, one.file_name, (*here, *gone))


def _condition(offer: Offer, listed: Listed | None) -> state.Condition:
    if not offer.present or (listed and not listed.healthy):
        return "unhealthy"
    return "kept" if offer.kept else "present"


def _resources(
    settings: Settings, inventory: Inventory, registered: Iterable[Registered]
) -> tuple[state.Resource, ...]:
    """Return the resources; where nothing serves the kubelet yet, as they will be."""
    known = {one.listing.resource.name: one for one in registered}
    return tuple(
        _resource(known.get(one.resource.name), one.kind, one.resource.name, inventory.get(one.kind))
        for one in settings.classes
        if one.resource and one.resource in settings.resources
    )


def _resource(one: Registered | None, kind: str, name: str, listing: Listing | None) -> state.Resource:
    devices = listing.devices if listing else {}
    bounds: tuple[float, ...] = ()
    if one:
        from agent.deviceplugin.serving import BOUNDS as bounds  # noqa: N811 - there where the plugin is
    tally = one.tally if one else None
    return state.Resource(
        name=name,
        kind=kind,
        socket=one.socket if one else "",
        devices=len(devices),
        healthy=sum(device.healthy for device in devices.values()),
        since=one.since if one else None,
        count=one.count if one else 0,
        error=one.error if one else None,
        bounds=bounds,
        times=tuple(tally.times) if tally else (),
        seconds=tally.seconds if tally else 0.0,
        refusals=tally.refusals if tally else 0,
    )


def _containerd(keeper: Keeper) -> state.Containerd:
    return state.Containerd(keeper.looked, keeper.changes, keeper.problems, keeper.notes)


def _has_kubelet(directory: str) -> bool:
    """Tell whether a kubelet's socket is there."""
    try:
        return stat.S_ISSOCK(os.stat(os.path.join(directory, _KUBELET_SOCKET)).st_mode)
    except OSError:
        return False


def installed_version(path: Iterable[str] = ()) -> str:
    """Return the version of cdi-sync by the name of its metadata's directory, ``unknown`` without one.

    What the standard library has for that brings the whole of ``email``. To be asked at the start: an update may put
    another version there while this one runs.
    """
    for directory in path or sys.path:
        try:
            names = os.listdir(directory or ".")
        except OSError:
            continue
        for name in names:
            if name.startswith("cdi_sync-") and name.endswith(".dist-info"):
                return name.removeprefix("cdi_sync-").removesuffix(".dist-info")
    return "unknown"
