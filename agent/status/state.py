"""The state of an agent at one moment: frozen, and as the document that ``schemas/output/status.json`` describes.

Times are seconds since the epoch, and in documents RFC 3339 in UTC; durations are seconds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdi.errors import Problem

Document: TypeAlias = dict[str, Any]
Condition: TypeAlias = Literal["present", "unhealthy", "kept", "gone"]
CONDITIONS: tuple[Condition, ...] = ("present", "unhealthy", "kept", "gone")
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds: the upper ends of the classes in which durations of passes are counted; one more is for what took longer."""
_EPOCH = "1970-01-01T00:00:00.000Z"  # for what is in no calendar: a file may bear any time


@dataclass(frozen=True, slots=True)
class Configuration:
    """``files`` are those in force, ``loaded`` when; ``refused`` is why the files as they stand now cannot be used."""

    files: tuple[str, ...]
    loaded: float
    refused: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Pass:
    """The last pass: when it ended, how long it took, what came of it, and whether nothing failed."""

    ended: float
    took: float
    sentence: str
    succeeded: bool


@dataclass(frozen=True, slots=True)
class Device:
    """One device of a class; ``gone`` is since when it is missed.

    Its condition is ``present`` where all is well, ``unhealthy`` where pods are not given it, ``kept`` where it could
    not be looked at, and ``gone`` where it is only listed still so that the kubelet does not take it for healthy.
    """

    name: str
    nodes: tuple[str, ...]
    condition: Condition
    gone: float | None = None


@dataclass(frozen=True, slots=True)
class Class:
    """One class of the configuration and its devices."""

    kind: str
    file_name: str
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class SpecFile:
    """One of our spec files as it stands on disk; ``held``: its class is gone, and pods hold its devices.

    ``version`` is ``None`` where the file cannot be read as a spec.
    """

    file_name: str
    kind: str
    version: str | None
    devices: int
    written: float
    earlier_boot: bool
    held: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource at the kubelet.

    ``since`` is when the kubelet began to watch it (``None``: it does not), ``count`` how often it did, ``error`` why
    it is not registered. ``times`` are the calls of Allocate by duration, in the classes that ``bounds`` ends.
    """

    name: str
    kind: str
    socket: str
    devices: int
    healthy: int
    since: float | None
    count: int
    error: str | None
    bounds: tuple[float, ...]
    times: tuple[int, ...]
    seconds: float
    refusals: int


@dataclass(frozen=True, slots=True)
class Containerd:
    """How the keeping of containerd's configuration fares; ``looked`` is when it was last looked at.

    ``changes`` counts the files that were changed since the agent started.
    """

    looked: float | None
    changes: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened since the agent started; specs by their kind, passes by what came of them, events by source.

    ``times`` are the passes by duration, in the classes of `BOUNDS`, and ``seconds`` their sum.
    """

    passes: Mapping[str, int]
    times: tuple[int, ...]
    seconds: float
    writes: Mapping[str, int]
    removals: Mapping[str, int]
    repairs: Mapping[str, int]
    failures: int
    events: Mapping[str, int]
    loads: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class State:
    """All of it. ``kubelet`` tells whether a kubelet's socket is there; ``age`` how long ago the last pass ended.

    ``success`` is when a pass last ended without a failure; ``resync`` how long the agent may be without a pass.
    """

    version: str
    pid: int
    started: float
    spec_dir: str
    state_dir: str
    configuration: Configuration
    last: Pass | None
    age: float | None
    success: float | None
    resync: float
    classes: tuple[Class, ...]
    specs: tuple[SpecFile, ...]
    resources: tuple[Resource, ...]
    kubelet: bool
    containerd: Containerd | None
    problems: tuple[Problem, ...]
    counts: Counts


def document(state: State) -> Document:
    """Return a state as ``cdi-sync status --output json`` prints it."""
    return {
        "agent": {"version": state.version, "pid": state.pid, "started": timestamp(state.started)},
        "holder": None,
        "specDir": state.spec_dir,
        "stateDir": state.state_dir,
        "configuration": {
            "files": list(state.configuration.files),
            "loaded": timestamp(state.configuration.loaded),
            "refused": [problem_document(one) for one in state.configuration.refused],
        },
        "lastPass": _pass(state.last) if state.last else None,
        "lastSuccess": _moment(state.success),
        "classes": [_class(one) for one in state.classes],
        "specs": [spec_document(one) for one in state.specs],
        "resources": [_resource(one) for one in state.resources],
        "containerd": _containerd(state.containerd) if state.containerd else None,
        "problems": [problem_document(one) for one in state.problems],
    }


def _pass(one: Pass) -> Document:
    return {
        "ended": timestamp(one.ended),
        "seconds": round(one.took, 6),
        "sentence": one.sentence,
        "succeeded": one.succeeded,
    }


def _class(one: Class) -> Document:
    return {"kind": one.kind, "file": one.file_name, "devices": [_device(device) for device in one.devices]}


def _device(one: Device) -> Document:
    return {"name": one.name, "nodes": list(one.nodes), "condition": one.condition, "goneSince": _moment(one.gone)}


def spec_document(one: SpecFile) -> Document:
    """Return a spec file as a document."""
    return {
        "file": one.file_name,
        "kind": one.kind,
        "cdiVersion": one.version,
        "devices": one.devices,
        "written": timestamp(one.written),
        "earlierBoot": one.earlier_boot,
        "heldForPods": one.held,
    }


def _resource(one: Resource) -> Document:
    return {
        "name": one.name,
        "kind": one.kind,
        "socket": one.socket,
        "devices": one.devices,
        "healthy": one.healthy,
        "registeredSince": _moment(one.since),
        "registrations": one.count,
        "error": one.error,
        "allocations": sum(one.times),
        "refusals": one.refusals,
    }


def _containerd(one: Containerd) -> Document:
    return {
        "looked": _moment(one.looked),
        "changes": one.changes,
        "problems": list(one.problems),
        "notes": list(one.notes),
    }


def problem_document(one: Problem) -> Document:
    """Return a problem as a document."""
    return {"where": one.where, "message": one.message, "hint": one.hint}


def timestamp(seconds: float) -> str:
    """Return a time as RFC 3339 has it, in UTC and to the millisecond."""
    try:
        whole, thousandth = divmod(round(seconds * 1000), 1000)
        moment = time.gmtime(whole)
    except (OverflowError, ValueError, OSError):
        return _EPOCH
    if not 1000 <= moment.tm_year <= 9999:
        return _EPOCH
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}.{thousandth:03d}Z"


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)
