"""``devices``, ``vendors``, ``classes``, ``specs``, ``dirs``: what the spec directories hold."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from agent.cli.terminal import say, table
from agent.cli.verbs import details, documents
from agent.cli.verbs.matching import matching, patterns
from agent.cli.verbs.reading import outcome, read
from cdi.names import split_kind

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from agent.cli.verbs.documents import Document
    from cdi.model import Spec
    from cdi.registry import Entry, Registry, SpecFile
    from cdi.specdirs import SpecDirs


def devices(options: argparse.Namespace) -> int:
    """List the devices that runtimes can be asked for."""
    wanted = patterns(options.pattern)
    dirs = read(options)
    found = [dirs.registry.devices[name] for name in matching(dirs.registry.devices, wanted)]
    document = {"devices": list(map(documents.device, found)), "conflicts": list(dirs.registry.conflicts)}
    if not _is_shown(options, dirs, document):
        print_devices(found, verbose=options.verbose)
        _say_if_none(found, "device", dirs)
    return _end(dirs)


def vendors(options: argparse.Namespace) -> int:
    """List the vendors of all valid specs."""
    dirs = read(options)
    found = [_vendor(dirs.registry, vendor) for vendor in dirs.registry.vendors]
    if not _is_shown(options, dirs, {"vendors": found}):
        rows = [(one["name"], " ".join(one["classes"]), str(len(one["specs"])), str(one["devices"])) for one in found]
        _table(("VENDOR", "CLASSES", "SPECS", "DEVICES"), rows)
        _say_if_none(found, "vendor", dirs)
    return _end(dirs)


def classes(options: argparse.Namespace) -> int:
    """List the device classes of all valid specs."""
    dirs = read(options)
    found = [_class(dirs.registry, class_) for class_ in dirs.registry.classes]
    if not _is_shown(options, dirs, {"classes": found}):
        rows = [(one["name"], " ".join(one["vendors"]), str(len(one["specs"])), str(one["devices"])) for one in found]
        _table(("CLASS", "VENDORS", "SPECS", "DEVICES"), rows)
        _say_if_none(found, "class", dirs)
    return _end(dirs)


def specs(options: argparse.Namespace) -> int:
    """List the spec files, those of some vendors only if any are given; broken ones have none."""
    wanted = patterns(options.vendor)
    dirs = read(options)
    found = [file for file in dirs.registry.files if not wanted or matching(_vendor_of(file), wanted)]
    document = {"specs": [_spec(dirs.registry, file) for file in found]}
    if not _is_shown(options, dirs, document):
        _table(("FILE", "KIND", "CDI", "DEVICES", "STATE"), [_row(one) for one in document["specs"]])
        if options.verbose:
            _print_details(dirs.registry, found)
        _say_if_none(found, "spec", dirs)
    return _end(dirs)


def directories(options: argparse.Namespace) -> int:
    """List the spec directories in order of rising priority."""
    dirs = read(options)
    found = [_directory(dirs, priority, path) for priority, path in enumerate(dirs.directories)]
    if not _is_shown(options, dirs, {"directories": found}):
        rows = [(one["directory"], str(one["priority"]), one["state"], str(one["specs"])) for one in found]
        _table(("DIRECTORY", "PRIORITY", "STATE", "SPECS"), rows)
    return _end(dirs)


def print_devices(found: Sequence[Entry], *, verbose: bool) -> None:
    """Print devices as a table, or each with all that it does."""
    if verbose:
        for entry in found:
            details.print_entry(entry)
    else:
        rows = [(entry.name, details.nodes(entry.device.container_edits), entry.file.path) for entry in found]
        _table(("DEVICE", "NODES", "FILE"), rows)


def _is_shown(options: argparse.Namespace, dirs: SpecDirs, document: Document) -> bool:
    """Print the document if one is wanted; return whether nothing else is."""
    if options.output != "text":
        documents.show({**document, "problems": documents.problems(dirs)}, options.output)
    return bool(options.quiet or options.output != "text")


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if rows:
        table(titles, rows)


def _say_if_none(found: Sequence[object], what: str, dirs: SpecDirs) -> None:
    if not found:
        say(f"no {what} in {', '.join(dirs.directories)}")


def _end(dirs: SpecDirs) -> int:
    sys.stdout.flush()
    return outcome(dirs)


def _vendor(registry: Registry, vendor: str) -> Document:
    found = [(file, spec) for file, spec in _valid(registry) if split_kind(spec.kind)[0] == vendor]
    return {
        "name": vendor,
        "classes": sorted({split_kind(spec.kind)[1] for _, spec in found}),
        "specs": [file.path for file, _ in found],
        "devices": _count(registry, {spec.kind for _, spec in found}),
    }


def _class(registry: Registry, class_: str) -> Document:
    found = [(file, spec) for file, spec in _valid(registry) if split_kind(spec.kind)[1] == class_]
    return {
        "name": class_,
        "vendors": sorted({split_kind(spec.kind)[0] for _, spec in found}),
        "specs": [file.path for file, _ in found],
        "devices": _count(registry, {spec.kind for _, spec in found}),
    }


def _valid(registry: Registry) -> Iterable[tuple[SpecFile, Spec]]:
    return ((file, file.spec) for file in registry.files if file.spec is not None)


def _count(registry: Registry, kinds: set[str]) -> int:
    """Count the devices of these kinds that can be asked for."""
    return sum(entry.spec.kind in kinds for entry in registry.devices.values())


def _vendor_of(file: SpecFile) -> list[str]:
    return [split_kind(file.spec.kind)[0]] if file.spec else []


def _spec(registry: Registry, file: SpecFile) -> Document:
    spec = file.spec
    return {
        "file": file.path,
        "priority": file.priority,
        "state": documents.state(registry, file),
        "kind": spec.kind if spec else None,
        "cdiVersion": spec.version if spec else None,
        "devices": [device.name for device in spec.devices] if spec else [],
        "spec": documents.spec(spec) if spec else None,
    }


def _row(one: Document) -> tuple[str, ...]:
    return one["file"], one["kind"] or "", one["cdiVersion"] or "", str(len(one["devices"])), one["state"]


def _print_details(registry: Registry, files: Iterable[SpecFile]) -> None:
    paths = {file.path for file in files}
    for entry in registry.devices.values():
        if entry.file.path in paths:
            print()
            details.print_entry(entry)


def _directory(dirs: SpecDirs, priority: int, path: str) -> Document:
    state = "unreadable" if path in dirs.problems else "present" if os.path.isdir(path) else "missing"
    files = [file for file in dirs.registry.files if file.priority == priority]
    return {"directory": path, "priority": priority, "state": state, "specs": len(files)}
