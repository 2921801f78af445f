"""Whether the agent lives, and whether it does its job: told from its state, and said in lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.status.state import State
    from cdi.errors import Problem

_GRACE = 60.0  # seconds; the configuration may take that long to read, and no pass is made meanwhile


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    well: bool
    text: str


def alive(state: State) -> tuple[Finding, ...]:
    """Tell whether a restart could help: whoever reads this has been answered by the event loop, so that lives.

    One that hears of no device is not restarted for it: it tries to hear again with every pass, and where that is in
    vain a new process would not hear either.
    """
    return (_passes(state),)


def ready(state: State, deafness: Problem | None = None) -> tuple[Finding, ...]:
    """Tell whether pods can get their devices: specs are true and stay so, and a kubelet that is there knows them.

    ``deafness``: why no event tells of devices, where that is so.
    """
    return (*_outcome(state), _hearing(deafness), *_registrations(state))


def text(findings: tuple[Finding, ...]) -> str:
    """Return the findings as lines."""
    return "".join(f"{'ok' if one.well else 'failed'}: {one.text}\n" for one in findings)


def _passes(state: State) -> Finding:
    if state.age is None:
        return Finding(well=False, text="no pass has been made yet")
    limit = 2 * state.resync + _GRACE
    if state.age > limit:
        return Finding(well=False, text=f"the last pass ended {state.age:.0f} s ago, more than {limit:.0f} s")
    return Finding(well=True, text=f"the last pass ended {state.age:.0f} s ago")


def _outcome(state: State) -> Iterator[Finding]:
    if state.last is None:
        yield Finding(well=False, text="no pass has been made yet")
    else:
        yield Finding(state.last.succeeded, f"last pass: {state.last.sentence}")


def _hearing(deafness: Problem | None) -> Finding:
    if deafness is not None:
        return Finding(well=False, text=str(deafness))
    return Finding(well=True, text="events of devices are heard")


def _registrations(state: State) -> Iterator[Finding]:
    for one in state.resources if state.kubelet else ():
        if one.since is not None:
            yield Finding(well=True, text=f"{one.name} is registered with the kubelet")
        else:
            reason = f": {one.error}" if one.error else ""
            yield Finding(well=False, text=f"{one.name} is not registered with the kubelet{reason}")
