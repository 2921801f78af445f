"""Loaded specs to devices by name: precedence, conflicts, problems per file, as runtimes have them.

A directory's priority is its place in the list, the last one highest. Between two definitions of one device the
higher priority wins; at equal priority both files are at fault, and the device is withdrawn, also where a third file
of higher priority defines it properly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cdi.errors import Problem
from cdi.names import split_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cdi.model import Device, Spec


@dataclass(frozen=True, slots=True)
class SpecFile:
    """A file of a spec directory, read: its spec, or the problems that make runtimes pass it over."""

    path: str
    priority: int
    spec: Spec | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A device that can be asked for, the spec that it stands in, and the file that provides it."""

    name: str
    device: Device
    spec: Spec
    file: SpecFile


@dataclass(frozen=True, slots=True)
class Registry:
    """What a set of files offers: ``devices`` by qualified name; ``problems`` by path, also of files that conflict.

    ``conflicts`` are the names that were withdrawn. Everything is sorted.
    """

    files: tuple[SpecFile, ...] = ()
    devices: Mapping[str, Entry] = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)

    @property
    def specs(self) -> tuple[SpecFile, ...]:
        """The files that hold a valid spec."""
        return tuple(file for file in self.files if file.spec is not None)

    @property
    def vendors(self) -> tuple[str, ...]:
        """The vendors of all valid specs."""
        return tuple(sorted({vendor for vendor, _ in self._kinds()}))

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of all valid specs."""
        return tuple(sorted({class_ for _, class_ in self._kinds()}))

    def resolve(self, name: str) -> Entry | None:
        """Return the device of a qualified name, or None."""
        return self.devices.get(name)

    def _kinds(self) -> Iterable[tuple[str, str]]:
        return (split_kind(file.spec.kind) for file in self.files if file.spec is not None)


@dataclass(frozen=True, slots=True)
class Changes:
    """How one registry differs from an earlier one: names of devices, and paths of files with other problems."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.problems)


def index(files: Iterable[SpecFile]) -> Registry:
    """Return the registry of these files, given in order of priority and, within one directory, of name."""
    files = tuple(files)
    devices: dict[str, Entry] = {}
    conflicts: dict[str, list[tuple[SpecFile, SpecFile]]] = {}
    for file in files:
        if file.spec is None:
            continue
        for device in file.spec.devices:
            name = f"{file.spec.kind}={device.name}"
            old = devices.get(name)
            if old is not None and old.file.priority == file.priority:
                conflicts.setdefault(name, []).append((old.file, file))
            else:
                devices[name] = Entry(name, device, file.spec, file)
    for name in conflicts:
        del devices[name]
    return Registry(
        files=files,
        devices=dict(sorted(devices.items())),
        conflicts=tuple(sorted(conflicts)),
        problems=_problems(files, conflicts),
    )


def difference(old: Registry, new: Registry) -> Changes:
    """Return what is other in ``new``: a device has changed when its edits, its spec's or its file have."""
    return Changes(
        added=tuple(name for name in new.devices if name not in old.devices),
        removed=tuple(name for name in old.devices if name not in new.devices),
        changed=tuple(
            name
            for name, entry in new.devices.items()
            if (before := old.devices.get(name)) is not None and _differ(before, entry)
        ),
        problems=tuple(
            path
            for path in sorted(old.problems.keys() | new.problems.keys())
            if old.problems.get(path) != new.problems.get(path)
        ),
    )


def _differ(old: Entry, new: Entry) -> bool:
    if old is new or old.file is new.file:
        return False
    return (old.device, old.spec.container_edits, old.file.path) != (
        new.device,
        new.spec.container_edits,
        new.file.path,
    )


def _problems(
    files: Iterable[SpecFile], conflicts: Mapping[str, list[tuple[SpecFile, SpecFile]]]
) -> dict[str, tuple[Problem, ...]]:
    found = {file.path: list(file.problems) for file in files if file.problems}
    for name, pairs in conflicts.items():
        for old, new in pairs:
            for here, there in ((old, new), (new, old)):
                found.setdefault(here.path, []).append(
                    Problem(
                        here.path,
                        f"{name} is defined in {there.path} too, so that no runtime offers it",
                        "remove one of the two",
                    )
                )
    return {path: tuple(dict.fromkeys(problems)) for path, problems in sorted(found.items())}
