"""One pass: look, decide, write. It returns what it found and did, with its one-sentence outcome."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent import checkpoint
from agent.discovery.observe import observe
from agent.discovery.sysfs import Look, Roots
from agent.host import Observation
from agent.plan import Remove, Write, plan
from agent.render import render
from agent.store import Signature, SpecDirectory, StoreError, kind_of
from cdi import codec, schema, specdirs, validation
from cdi.errors import CDIError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set

    from agent.config.settings import DeviceClass, Settings
    from agent.discovery.udev import UdevDatabase
    from agent.plan import Change
    from agent.render import Rendered
    from agent.store import Writer
    from cdi.model import Device, Spec


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one pass found and did.

    ``changes`` are those made, or unless ``applied`` those to be made; ``problems`` what was left out or held
    though it should not be, ``warnings`` what the configuration leaves out by its own word; ``failures`` the files
    that could not be written; ``pending`` the nodes that udev has yet to work on. ``ready`` names the devices of each
    kind that stand on disk as they should; ``holding`` the files that stay for pods although their class is gone.
    ``repaired`` names the files that others had changed or removed, and that were put back.
    """

    classes: tuple[Rendered, ...]
    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    failures: tuple[StoreError, ...] = ()
    pending: frozenset[str] = frozenset()
    applied: bool = True
    ready: Mapping[str, Set[str]] = field(default_factory=dict)
    holding: frozenset[str] = frozenset()
    repaired: frozenset[str] = frozenset()

    @property
    def sentence(self) -> str:
        """The pass in one sentence, for the log; the same outcome gives the same sentence."""
        devices = sum(len(one.offers) for one in self.classes)
        kinds = sum(1 for one in self.classes if one.offers)
        text = f"{count(devices, 'device')} of {count(kinds, 'kind')}"
        written = sum(isinstance(change, Write) for change in self.changes)
        removed = sum(isinstance(change, Remove) for change in self.changes)
        verbs = ("written", "removed") if self.applied else ("to write", "to remove")
        done = [
            f"{count(number, 'spec')} {verb}" for number, verb in zip((written, removed), verbs, strict=True) if number
        ]
        done += [f"{count(len(self.failures), 'failure')}"] if self.failures else []
        return f"{text}: {', '.join(done)}" if done else f"{text}: nothing to change"


def count(number: int, noun: str) -> str:
    """Return a number of things as one says it."""
    return f"{number} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"


@dataclass(frozen=True, slots=True)
class _Effect:
    """What became of a pass's changes.

    ``changes`` are those on disk, or without a writer those to be made; ``undone`` those that may not be there for
    good; ``done`` names the files whose change is. ``lasting`` is false where the directory could not be synced.
    """

    changes: tuple[Change, ...]
    failures: tuple[StoreError, ...]
    undone: Mapping[str, Change]
    done: frozenset[str] = frozenset()
    lasting: bool = True


class Reconciler:
    """Makes passes over one spec directory; between them it remembers only what saves reading again."""

    def __init__(
        self,
        directory: SpecDirectory,
        udev: UdevDatabase | None,
        roots: Roots | None = None,
        *,
        declared_only: bool = False,
    ) -> None:
        """``declared_only``: the specs are for another machine, whose devices are not here to be looked at."""
        self.directory = directory
        self._declared_only = declared_only
        self._udev = udev
        self._roots = roots or Roots()
        self._last: dict[str, tuple[bytes, Spec]] = {}
        self._durable: Mapping[str, Set[str]] = {}
        self._others: dict[str, tuple[Signature, tuple[str, ...]]] = {}
        self._strayed: set[str] = set()

    def run(
        self,
        settings: Settings,
        writer: Writer | None,
        withdraw: Callable[[Sequence[Rendered]], None] = lambda _rendered: None,
    ) -> Outcome:
        """Make one pass.

        Args:
            settings: what is wanted.
            writer: without one, nothing is changed.
            withdraw: is told what the classes come to, before anything is written: time to take back offers.

        Raises:
            StoreError: the specs cannot be read.
        """
        present = self._present(settings)
        with Look(self._roots, self._udev.fresh() if self._udev else None) as look:
            observations = self._observe(settings, look)
            rendered = self._render(settings, observations, present)
        holding, unsure = self._held_by_pods(settings, present)
        changes, problems = self._decide(rendered, present, holding)
        if writer:
            withdraw(rendered)
        effect = self._apply(changes, writer)
        return Outcome(
            classes=rendered,
            changes=effect.changes,
            problems=(*(problem for one in rendered for problem in one.problems), *problems, *unsure),
            warnings=tuple(warning for one in rendered for warning in one.warnings),
            failures=effect.failures,
            applied=writer is not None,
            ready=self._lasting({one.kind: self._ready(one, effect.undone) for one in rendered}, effect),
            holding=frozenset(holding),
            repaired=self._repaired(rendered, effect.done, present),
            pending=frozenset(blind.path for one in observations.values() for blind in one.blind if blind.pending),
        )

    def _present(self, settings: Settings) -> Mapping[str, bytes | None]:
        """Return our specs as they stand, and keep note of those that others touched since we saw them."""
        left = {one.file_name: self.directory.known(one.file_name) for one in settings.classes}
        present = self.directory.present()
        self._strayed |= {name for name, data in left.items() if data is not None and present.get(name) != data}
        return present

    def _observe(self, settings: Settings, look: Look) -> Mapping[str, Observation]:
        if self._declared_only:
            return {one.kind: Observation() for one in settings.classes}
        return observe(settings.classes, look)

    def _render(
        self, settings: Settings, observations: Mapping[str, Observation], present: Mapping[str, bytes | None]
    ) -> tuple[Rendered, ...]:
        taken = self._taken({one.kind for one in settings.classes})
        return tuple(
            render(
                one,
                observations[one.kind],
                functools.partial(self._previous, one, present),
                taken,
                settings.max_cdi_version,
            )
            for one in settings.classes
        )

    def _apply(self, changes: Sequence[Change], writer: Writer | None) -> _Effect:
        if not writer:
            return _Effect(tuple(changes), (), {change.name: change for change in changes}, lasting=True)
        failures = tuple(writer.apply(changes))
        paths = {failure.problem.where for failure in failures}
        failed = {change.name for change in changes if f"{self.directory.path}/{change.name}" in paths}
        lasting = self.directory.path not in paths
        return _Effect(
            changes=tuple(change for change in changes if change.name not in failed),
            failures=failures,
            undone={change.name: change for change in changes if not lasting or change.name in failed},
            done=frozenset(change.name for change in changes if lasting and change.name not in failed),
            lasting=lasting,
        )

    def _repaired(
        self, rendered: Sequence[Rendered], written: Set[str], present: Mapping[str, bytes | None]
    ) -> frozenset[str]:
        """Return which of the files that others touched were written; of those that wait for that, keep note."""
        wanted = {one.file_name: self._last[one.kind][0] for one in rendered if one.kind in self._last}
        repaired = frozenset(written & self._strayed & wanted.keys())
        waiting = self._strayed.intersection(wanted) - repaired
        self._strayed = {name for name in waiting if present.get(name) != wanted[name]}
        return repaired

    def _ready(self, one: Rendered, undone: Mapping[str, Change]) -> Set[str]:
        """Name the devices of a class that are in its spec on disk as they should be."""
        if one.spec is None:  # what its file held when it was last written still holds for who is there
            return _devices(self.directory.known(one.file_name)).keys() if one.held else frozenset()
        change = undone.get(one.file_name)
        if change is None and one.kind in self._last and self._last[one.kind][1] is one.spec:
            return {device.name for device in one.spec.devices}
        there = _devices(change.before if change else self.directory.known(one.file_name))
        return {device.name for device in one.spec.devices if there.get(device.name) == device}

    def _lasting(self, ready: Mapping[str, Set[str]], effect: _Effect) -> Mapping[str, Set[str]]:
        """Return what is ready for good: where the directory could not be synced, what was so before."""
        if not effect.lasting:
            return {kind: names & self._durable.get(kind, frozenset()) for kind, names in ready.items()}
        self._durable = ready
        return ready

    def _held_by_pods(self, settings: Settings, present: Mapping[str, bytes | None]) -> tuple[set[str], list[Problem]]:
        """Return the files that no class accounts for, and that pods hold devices of; and why that cannot be told.

        The kubelet replays the names that it was given at every start of a container.
        """
        wanted = {one.file_name for one in settings.classes}
        left = {kind_of(name): name for name in present if name not in wanted}
        if not left or self._declared_only:
            return set(), []
        try:
            kinds = checkpoint.kinds(checkpoint.read(settings.kubelet.directory))
        except checkpoint.UnreadableError as error:
            path = os.path.join(settings.kubelet.directory, checkpoint.NAME)
            hint = "until it is, specs of classes that are gone stay, in case pods hold their devices"
            return set(left.values()), [Problem(path, f"cannot be read: {error}", hint)]
        return {name for kind, name in left.items() if kind in kinds}, []

    def _decide(
        self, rendered: Sequence[Rendered], present: Mapping[str, bytes | None], holding: Set[str]
    ) -> tuple[tuple[Change, ...], list[Problem]]:
        self._last = {
            one.kind: self._last[one.kind] for one in rendered if one.kind in self._last and (one.spec or one.held)
        }
        desired: dict[str, bytes] = {}
        held = set(holding)
        problems: list[Problem] = []
        for one in rendered:
            if one.held:
                held.add(one.file_name)
            if one.spec is None:
                continue
            try:
                data = codec.encode(one.spec)
            except CDIError as error:
                held.add(one.file_name)
                problems += (problem.within(one.file_name) for problem in error.problems)
                continue
            if present.get(one.file_name) != data and (faults := _faults(one.file_name, one.spec)):
                held.add(one.file_name)
                problems += faults
                continue
            desired[one.file_name] = data
            self._last[one.kind] = (data, one.spec)
        return plan(desired, present, held), problems

    def _previous(self, device_class: DeviceClass, present: Mapping[str, bytes | None]) -> dict[str, Device]:
        """Return the devices of the spec as it stands, by name; none where it is not readable as ours."""
        data = present.get(device_class.file_name)
        known = self._last.get(device_class.kind)
        if known and (data is None or known[0] == data):
            return {device.name: device for device in known[1].devices}
        return _devices(data)

    def _taken(self, kinds: set[str]) -> dict[str, str]:
        """Return the qualified names of our kinds that specs of others in this directory define, with the file."""
        others: dict[str, tuple[Signature, tuple[str, ...]]] = {}
        for path in self.directory.others():
            if entry := self._other(path):
                others[path] = entry
        self._others = others
        return {name: path for path, (_, found) in others.items() for name in found if name.partition("=")[0] in kinds}

    def _other(self, path: str) -> tuple[Signature, tuple[str, ...]] | None:
        try:
            signature = Signature.of(os.stat(path))
        except OSError:
            return None
        known = self._others.get(path)
        if known and known[0] == signature:
            return known
        try:
            spec = specdirs.load_file(path)
        except CDIError:
            return signature, ()  # runtimes drop the whole file, and nothing of it can clash
        return signature, tuple(f"{spec.kind}={device.name}" for device in spec.devices)


def _devices(data: bytes | None) -> dict[str, Device]:
    """Return the devices of a spec by name; none where it is not readable as one."""
    try:
        return {device.name: device for device in codec.decode(data).devices} if data is not None else {}
    except CDIError:
        return {}


def _faults(file_name: str, spec: Spec) -> list[Problem]:
    """Judge a spec before it is written: the shipped schema first, then the rules between fields."""
    problems = schema.check(codec.to_document(spec)) or validation.check(spec)
    return [problem.within(file_name) for problem in problems]
