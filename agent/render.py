"""From settings and an observation to the specs that should be: pure, same input, same specs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from agent import templates
from agent.edits import LeftOutError, device_node, unit_edits
from agent.grouping import Unit, units
from agent.host import Blind, Unreadable, Unseen
from agent.templates import Choice
from cdi import versions
from cdi.errors import Problem
from cdi.model import ContainerEdits, Device, DeviceNode, Spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from agent.config.settings import DeviceClass
    from agent.host import HostDevice, Observation

_SINGLY = 8  # devices of which one by one is told what is true of many
_TELLING = ("serial", "usb:port", "pci:address", "link", "sysname")  # facts that tell two devices apart


@dataclass(frozen=True, slots=True)
class Offer:
    """One device of a class as it stands in the spec: its CDI name, its host nodes, and whether all are there.

    ``kept``: it could not be looked at just now, and stands as it stood before. ``numa`` are the memory nodes that it
    is near to.
    """

    name: str
    nodes: tuple[str, ...]
    present: bool = True
    kept: bool = False
    numa: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one class comes to: its spec (``None``: no device, so no file), its devices, and what was left out.

    ``warnings`` tell of devices that are left out by the configuration's own word, ``problems`` of all others.
    ``held``: what the file should hold cannot be told or written; it stays as it is. ``found`` are its devices whether
    or not a spec of them can be written.
    """

    kind: str
    file_name: str
    spec: Spec | None
    offers: tuple[Offer, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    held: bool = False
    found: tuple[Offer, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    places: tuple[str, ...]
    device: Device
    present: bool = True
    kept: bool = False
    unit: Unit | None = None
    numa: tuple[int, ...] = ()

    @property
    def offer(self) -> Offer:
        nodes = tuple(dict.fromkeys(_host_node(node) for node in self.device.container_edits.device_nodes))
        numa = self.unit.memory_nodes if self.unit else self.numa
        return Offer(self.device.name, nodes, self.present, self.kept, numa)


def render(
    device_class: DeviceClass,
    observation: Observation,
    previous: Callable[[], Mapping[str, Device]],
    taken: Mapping[str, str],
    max_version: str | None = None,
) -> Rendered:
    """Render one class.

    Args:
        device_class: what is wanted.
        observation: what was seen for it.
        previous: gives the devices of the spec as it stands, by name; only asked where it matters.
        taken: qualified device names that files of others in the same directory define, with the file.
        max_version: the newest ``cdiVersion`` that may be written.
    """
    return _Renderer(device_class, observation, previous, taken).result(max_version)


class _Renderer:
    def __init__(
        self,
        device_class: DeviceClass,
        observation: Observation,
        previous: Callable[[], Mapping[str, Device]],
        taken: Mapping[str, str],
    ) -> None:
        self.device_class = device_class
        self.observation = observation
        self.previous = previous
        self.taken = taken
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.unstable: list[str] = []
        self.unknown = list(observation.blind)

    def result(self, max_version: str | None) -> Rendered:
        self.problems += [
            Problem(blind.path, blind.reason, "what was known of it stays; see to its permissions and its disk")
            for blind in self.observation.blind
            if not blind.pending
        ]
        candidates = self.free(self.with_all(self.members()))
        candidates.sort(key=lambda candidate: candidate.device.name)
        self.tell_unstable()
        spec = self.spec(tuple(candidate.device for candidate in candidates), max_version) if candidates else None
        found = tuple(candidate.offer for candidate in candidates)
        return Rendered(
            kind=self.device_class.kind,
            file_name=self.device_class.file_name,
            spec=spec,
            offers=found if spec else (),
            problems=_together(self.problems),
            warnings=_together(self.warnings),
            held=bool(candidates) and spec is None,
            found=found,
        )

    def members(self) -> list[_Candidate]:
        """Return all devices but ``all``."""
        discovered = list(self.discovered())
        if self.device_class.only_all:
            return [*self.declared(), *discovered]
        candidates = self.without_newcomers(self.unique([*self.declared(), *discovered]))
        return [self.completed(candidate) for candidate in candidates] + list(self.kept(candidates))

    def without_newcomers(self, candidates: list[_Candidate]) -> list[_Candidate]:
        """Leave out who claims a name whose holder is there and only cannot be looked at.

        A node that udev has yet to work on is no such holder: it is new, and may be anything.
        """
        blinds = [blind for blind in self.unknown if not blind.pending]
        if not blinds:
            return candidates
        unreadable = Unseen(blinds)
        kept = []
        for candidate in candidates:
            before = self.previous().get(candidate.device.name)
            nodes = _nodes(before) if before else set()
            if candidate.unit and nodes.isdisjoint(candidate.places) and any(map(unreadable.covers, nodes)):
                self.problem(
                    _shown(candidate),
                    f"would be named {candidate.device.name!r}, which {' '.join(sorted(nodes))} holds, "
                    "and that cannot be looked at now",
                    "see to its permissions and its disk",
                )
            else:
                kept.append(candidate)
        return kept

    def problem(self, node: str, message: str, hint: str) -> None:
        self.problems.append(Problem(f"{self.device_class.kind}: {node}", message, hint))

    def warning(self, node: str, message: str, hint: str) -> None:
        self.warnings.append(Problem(f"{self.device_class.kind}: {node}", message, hint))

    def declared(self) -> Iterable[_Candidate]:
        for declared in self.device_class.declared:
            nodes = tuple(map(_host_node, declared.device.container_edits.device_nodes))
            present = declared.always or not self.observation.absent.intersection(nodes)
            numa = {self.observation.numa[node] for node in nodes if node in self.observation.numa}
            yield _Candidate(nodes, declared.device, present, numa=tuple(sorted(numa)))

    def discovered(self) -> Iterable[_Candidate]:
        speakable = [device for device in self.observation.devices if self.speakable(device)]
        for unit in units(self.device_class.group_by, speakable, self.tell_unreadable, self.tell_alone):
            try:
                yield self.candidate(unit)
            except LeftOutError as reason:
                self.warning(" ".join(unit.places), *reason.args)
            except Unreadable as unknown:
                for member in unit.members:
                    self.tell_unreadable(member, unknown)

    def speakable(self, device: HostDevice) -> bool:
        """Tell whether a spec can hold a node's path: no control character in it, and nothing that is not UTF-8."""
        if device.place.isprintable():
            return True
        self.warning(ascii(device.place), "has characters in its path that no spec can hold", "rename the node")
        return False

    def tell_unreadable(self, device: HostDevice, unknown: Unreadable) -> None:
        self.unknown.append(Blind(device.place, unknown.reason))
        self.problem(device.place, str(unknown), "what was known of it stays; see to its permissions")

    def tell_alone(self, device: HostDevice) -> None:
        by = self.device_class.group_by
        self.warning(
            device.place, f"is left out, since nothing groups it by {by}", "exclude it, or group by another fact"
        )

    def candidate(self, unit: Unit) -> _Candidate:
        name = self.device_class.all_name or "" if self.device_class.only_all else self.name(unit)
        edits = unit_edits(self.device_class, unit, name)
        present = len(unit.members) >= self.device_class.requires
        return _Candidate(unit.places, Device(name=name, container_edits=edits), present, unit=unit)

    def name(self, unit: Unit) -> str:
        raw = self.device_class.name.fill(unit.fact)
        if isinstance(raw, Choice):
            raise LeftOutError(
                f"has no name, since nothing is there for {raw}",
                'add a field that it has to the class\'s name, such as "|sysname}"',
            )
        if self.device_class.name.last_resort == "sysname" and raw == unit.fact("sysname") and raw[-1:].isdigit():
            self.unstable.append(raw)
        return templates.device_name(raw)

    def tell_unstable(self) -> None:
        if self.unstable:
            shown = ", ".join(sorted(self.unstable)[:4]) + (", ..." if len(self.unstable) > 4 else "")
            self.warnings.append(
                Problem(
                    self.device_class.kind,
                    f"devices are named after the kernel's names ({shown}), which others may have after a reboot",
                    "give the class a name by a fact that stays, such as a serial number or a port",
                )
            )

    def unique(self, candidates: list[_Candidate]) -> list[_Candidate]:
        """Keep one candidate a name: its present holder; without one, none, since either could be meant."""
        by_name: dict[str, list[_Candidate]] = defaultdict(list)
        for candidate in candidates:
            by_name[candidate.device.name].append(candidate)
        kept = []
        for name, same in by_name.items():
            if len(same) == 1:
                kept += same
            else:
                holder = self.holder(name, same)
                kept += [holder] if holder else []
                self.tell_clash(name, same, holder)
        return kept

    def holder(self, name: str, candidates: list[_Candidate]) -> _Candidate | None:
        declared = [candidate for candidate in candidates if candidate.unit is None]
        if declared:
            return declared[0]
        before = self.previous().get(name)
        nodes = _nodes(before) if before else set()
        holders = [candidate for candidate in candidates if nodes.intersection(candidate.places)]
        return holders[0] if len(holders) == 1 else None

    def tell_clash(self, name: str, same: list[_Candidate], holder: _Candidate | None) -> None:
        nodes = " and ".join(_shown(candidate) for candidate in same[:4])
        more = f" and {len(same) - 4} more" if len(same) > 4 else ""
        fate = f"{_shown(holder)} keeps it, the others are left out" if holder else "all are left out"
        self.problems.append(
            Problem(
                f"{self.device_class.kind}: {nodes}{more}",
                f"would all be named {name!r}; {fate}",
                _apart(same),
            )
        )

    def kept(self, candidates: list[_Candidate]) -> Iterable[_Candidate]:
        """Yield the devices of the spec as it stands whose nodes could not be looked at."""
        if not self.unknown:
            return
        names = {candidate.device.name for candidate in candidates}
        seen = {place for candidate in candidates for place in candidate.places}
        for name, device in self.previous().items():
            nodes = _nodes(device)
            if name not in names and name != self.device_class.all_name and self.hidden(nodes) and not nodes & seen:
                present = len(nodes) >= self.device_class.requires
                yield _Candidate(tuple(sorted(nodes)), device, present, kept=True)

    @cached_property
    def unseen(self) -> Unseen:
        """Asked for when all devices have been."""
        return Unseen(self.unknown)

    def hidden(self, nodes: Iterable[str]) -> set[str]:
        """Return which nodes were not seen, and may be there."""
        return set(filter(self.unseen.covers, nodes))

    def completed(self, candidate: _Candidate) -> _Candidate:
        """Give a group back the nodes that could not be looked at."""
        if not self.unknown or self.device_class.group_by is None:
            return candidate
        before = self.previous().get(candidate.device.name)
        missing = self.hidden(_nodes(before) - set(candidate.places)) if before else set()
        if not before or not missing:
            return candidate
        edits = candidate.device.container_edits
        back = tuple(node for node in before.container_edits.device_nodes if _host_node(node) in missing)
        nodes = tuple(sorted((*edits.device_nodes, *back), key=_host_node))
        device = replace(candidate.device, container_edits=replace(edits, device_nodes=nodes))
        return replace(candidate, device=device, present=len(nodes) >= self.device_class.requires, kept=True)

    def with_all(self, candidates: list[_Candidate]) -> list[_Candidate]:
        """Add the device that holds the nodes of all others, or put it in their place."""
        name = self.device_class.all_name
        if name is None:
            return candidates
        if not self.device_class.only_all:
            for candidate in (one for one in candidates if one.device.name == name):
                self.problem(_shown(candidate), f"has the name of the device that holds all others, {name!r}",
                             "give the class another name or another all")  # fmt: skip
            candidates = [one for one in candidates if one.device.name != name]
        together = self.all_device(name, candidates)
        return [*([] if self.device_class.only_all else candidates), *([together] if together else [])]

    def all_device(self, name: str, candidates: list[_Candidate]) -> _Candidate | None:
        nodes = {_host_node(node) for one in candidates for node in one.device.container_edits.device_nodes}
        before = self.previous().get(name) if self.unknown and self.device_class.only_all else None
        nodes |= self.hidden(_nodes(before)) if before else set()
        if not nodes:
            return None
        gids = dict.fromkeys(gid for one in candidates for gid in one.device.container_edits.additional_gids)
        edits = ContainerEdits(
            device_nodes=tuple(device_node(self.device_class, node, node) for node in sorted(nodes)),
            additional_gids=tuple(sorted(gids)),
        )
        present = any(one.present for one in candidates) or bool(before)
        return _Candidate(tuple(sorted(nodes)), Device(name=name, container_edits=edits), present)

    def free(self, candidates: list[_Candidate]) -> list[_Candidate]:
        """Leave out names that another spec of the directory defines: runtimes would drop both."""
        kept = []
        for candidate in candidates:
            qualified = f"{self.device_class.kind}={candidate.device.name}"
            if other := self.taken.get(qualified):
                self.problem(
                    _shown(candidate),
                    f"is left out, since {other} defines {qualified} too and runtimes would drop both",
                    "remove that file, or give the class another kind or name",
                )
            else:
                kept.append(candidate)
        return kept

    def spec(self, devices: tuple[Device, ...], max_version: str | None) -> Spec | None:
        kind, edits = self.device_class.kind, self.device_class.container_edits
        spec = Spec(version=versions.ALL[0], kind=kind, devices=devices, container_edits=edits)
        needed = versions.minimum_version(spec)
        if max_version is not None and versions.ALL.index(needed) > versions.ALL.index(max_version):
            self.problems.append(
                Problem(
                    self.device_class.origin,
                    f"{kind} needs cdiVersion {needed}, and max_cdi_version is {max_version}",
                    "raise it, or leave out what needs the newer version",
                )
            )
            return None
        return Spec(version=needed, kind=kind, devices=devices, container_edits=edits)


def _host_node(node: DeviceNode) -> str:
    return node.host_path or node.path


def _together(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Say once what is said of very many devices alike."""
    alike: dict[tuple[str, str], list[Problem]] = defaultdict(list)
    for problem in problems:
        alike[problem.message, problem.hint].append(problem)
    return tuple(told for same in alike.values() for told in (same if len(same) <= _SINGLY else (_one_of(same),)))


def _one_of(same: list[Problem]) -> Problem:
    return replace(same[0], where=f"{same[0].where} and {len(same) - 1} others")


def _nodes(device: Device) -> set[str]:
    return {_host_node(node) for node in device.container_edits.device_nodes}


def _shown(candidate: _Candidate) -> str:
    return " ".join(candidate.places) or f"the declared {candidate.device.name}"


def _apart(same: list[_Candidate]) -> str:
    """Say which fact differs between devices that would get one name."""
    found = [candidate.unit for candidate in same if candidate.unit]
    for field in _TELLING:
        try:
            values = [unit.fact(field) for unit in found]
        except Unreadable:
            continue
        if len(found) > 1 and all(values) and len(set(values)) == len(values):
            shown = ", ".join(str(value) for value in values[:4])
            return f"name them by {{{field}}}, which tells them apart ({shown})"
    return "choose a name template that tells them apart"
