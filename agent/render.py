"""From settings and an observation to the specs that should be: pure, same input, same specs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import templates
from agent.host import Blind, Unreadable, fact
from agent.templates import Choice
from cdi import versions
from cdi.errors import Problem
from cdi.model import ContainerEdits, Device, DeviceNode, Spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from agent.config.settings import DeviceClass
    from agent.host import HostDevice, Observation

_TELLING = ("serial", "usb:port", "pci:address", "link", "sysname")  # facts that tell two devices apart


@dataclass(frozen=True, slots=True)
class Offer:
    """One device of a class as it stands in the spec: its CDI name, its host nodes, and whether all are there.

    ``kept``: it could not be looked at just now, and stands as it stood before.
    """

    name: str
    nodes: tuple[str, ...]
    present: bool = True
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one class comes to: its spec (``None``: no device, so no file), its devices, and what was left out.

    ``warnings`` tell of devices that are left out by the configuration's own word, ``problems`` of all others.
    ``held``: what the file should hold cannot be told or written; it stays as it is.
    """

    kind: str
    file_name: str
    spec: Spec | None
    offers: tuple[Offer, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    held: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    node: str
    device: Device
    offer: Offer
    source: HostDevice | None = None


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
        self.unknown = list(observation.blind)

    def result(self, max_version: str | None) -> Rendered:
        self.problems += [
            Problem(blind.path, blind.reason, "what was known of it stays; see to its permissions and its disk")
            for blind in self.observation.blind
            if not blind.pending
        ]
        candidates = self.unique([*self.declared(), *self.discovered()])
        candidates = self.free([*candidates, *self.kept(candidates)])
        candidates.sort(key=lambda candidate: candidate.device.name)
        spec = self.spec(tuple(candidate.device for candidate in candidates), max_version) if candidates else None
        return Rendered(
            kind=self.device_class.kind,
            file_name=self.device_class.file_name,
            spec=spec,
            offers=tuple(candidate.offer for candidate in candidates) if spec else (),
            problems=tuple(self.problems),
            warnings=tuple(self.warnings),
            held=bool(candidates) and spec is None,
        )

    def problem(self, node: str, message: str, hint: str) -> None:
        self.problems.append(Problem(f"{self.device_class.kind}: {node}", message, hint))

    def warning(self, node: str, message: str, hint: str) -> None:
        self.warnings.append(Problem(f"{self.device_class.kind}: {node}", message, hint))

    def declared(self) -> Iterable[_Candidate]:
        for declared in self.device_class.declared:
            nodes = tuple(node.host_path or node.path for node in declared.device.container_edits.device_nodes)
            present = declared.always or not self.observation.absent.intersection(nodes)
            offer = Offer(declared.device.name, nodes, present)
            yield _Candidate(nodes[0] if nodes else "", declared.device, offer)

    def discovered(self) -> Iterable[_Candidate]:
        for device in self.observation.devices:
            try:
                candidate = self.candidate(device)
            except Unreadable as unknown:
                self.unknown.append(Blind(device.node, unknown.reason))
                self.problem(device.node, str(unknown), "what was known of it stays; see to its permissions")
            else:
                if candidate:
                    yield candidate

    def candidate(self, device: HostDevice) -> _Candidate | None:
        if not _speakable(device.node):
            self.warning(ascii(device.node), "has characters in its path that no spec can hold", "rename the node")
            return None
        raw = self.device_class.name.fill(lambda field: fact(device, field))
        if isinstance(raw, Choice):
            self.warning(device.node, f"has no name, since nothing is there for {raw}",
                         'add a field that it has to the class\'s name, such as "|sysname}"')  # fmt: skip
            return None
        name = templates.device_name(raw)
        edits = self.edits(device, name)
        if edits is None:
            return None
        offer = Offer(name, (device.node,))
        return _Candidate(device.node, Device(name=name, container_edits=edits), offer, device)

    def edits(self, device: HostDevice, name: str) -> ContainerEdits | None:
        wanted = self.device_class.node
        path = device.node
        if wanted.path is not None:
            facts = {"name": name, "devnode": device.node.rpartition("/")[2]}
            filled = wanted.path.fill(lambda field: facts.get(field) or fact(device, field), templates.path_component)
            if isinstance(filled, Choice):
                self.warning(device.node, f"has no path in the container, since nothing is there for {filled}",
                             "add a field that it has to the class's node.path")  # fmt: skip
                return None
            path = filled
        node = DeviceNode(
            path=path,
            host_path=device.node if path != device.node else "",
            permissions="".join(letter for letter in "rwm" if letter in wanted.permissions),
        )
        gids = (device.gid,) if wanted.group and device.gid else ()
        return ContainerEdits(device_nodes=(node,), additional_gids=gids)

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
        declared = [candidate for candidate in candidates if candidate.source is None]
        if declared:
            return declared[0]
        before = self.previous().get(name)
        nodes = _nodes(before) if before else set()
        holders = [candidate for candidate in candidates if candidate.node in nodes]
        return holders[0] if len(holders) == 1 else None

    def tell_clash(self, name: str, same: list[_Candidate], holder: _Candidate | None) -> None:
        nodes = " and ".join(candidate.node or "a declared device" for candidate in same[:4])
        more = f" and {len(same) - 4} more" if len(same) > 4 else ""
        fate = (
            f"{holder.node or 'the declared one'} keeps it, the others are left out" if holder else "all are left out"
        )
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
        seen = {candidate.node for candidate in candidates}
        for name, device in self.previous().items():
            nodes = _nodes(device)
            hidden = [node for node in nodes if any(blind.covers(node) for blind in self.unknown)]
            if hidden and name not in names and not nodes & seen:
                yield _Candidate(min(nodes), device, Offer(name, tuple(sorted(nodes)), kept=True))

    def free(self, candidates: list[_Candidate]) -> list[_Candidate]:
        """Leave out names that another spec of the directory defines: runtimes would drop both."""
        kept = []
        for candidate in candidates:
            qualified = f"{self.device_class.kind}={candidate.device.name}"
            if other := self.taken.get(qualified):
                self.problem(
                    candidate.node,
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


def _nodes(device: Device) -> set[str]:
    return {node.host_path or node.path for node in device.container_edits.device_nodes}


def _speakable(path: str) -> bool:
    """Tell whether a spec can hold a path: no control character, and nothing that is not UTF-8."""
    return path.isprintable()


def _apart(same: list[_Candidate]) -> str:
    """Say which fact differs between devices that would get one name."""
    devices = [candidate.source for candidate in same if candidate.source]
    for field in _TELLING:
        try:
            values = [fact(device, field) for device in devices]
        except Unreadable:
            continue
        if len(devices) > 1 and all(values) and len(set(values)) == len(values):
            shown = ", ".join(str(value) for value in values[:4])
            return f"name them by {{{field}}}, which tells them apart ({shown})"
    return "choose a name template that tells them apart"
