"""Every spec of everyone, as runtimes take them: what they drop, what one hides of another, what they cannot read."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

from agent.config.settings import SPEC_PREFIX
from agent.doctor.findings import Finding, command, fail, ok, or_ok, some, warn
from agent.reconcile import count
from cdi import versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.doctor.node import Node
    from agent.doctor.runtimes import Runtime
    from cdi.model import Spec
    from cdi.registry import Registry, SpecFile


def files(node: Node) -> Iterator[Finding]:
    """Name the files that runtimes drop whole, or die of."""
    for directory, problem in node.specs.problems.items():
        yield _unread(directory, problem.message)
    bad = [file for file in node.specs.registry.files if file.spec is None]
    for file in bad:
        yield _invalid(file)
    if not bad and not node.specs.problems:
        found = node.specs.registry
        yield ok("specs", f"{count(len(found.files), 'file')} with {count(len(found.devices), 'device')}, all valid")


def _unread(path: str, fact: str) -> Finding:
    if os.path.exists(path) and not os.access(path, os.R_OK):
        return Finding(path, "warn", fact, "run this as root", hidden=True)
    return fail(path, fact, f"see to it: {command('ls', '-lL', path)}")


def _invalid(file: SpecFile) -> Finding:
    first = file.problems[0]
    if first.message.startswith("the file cannot be read"):
        return _unread(file.path, first.message)
    place = first.where.removeprefix(file.path).lstrip(": ")
    more = f", and {count(len(file.problems) - 1, 'more problem')}" if len(file.problems) > 1 else ""
    fact = f"runtimes drop it: {place + ': ' if place else ''}{first.message}{more}"
    remove = "remove the file, or correct it"
    return fail(file.path, fact, f"{first.hint or remove}; see {command('cdi-sync', 'validate', file.path)}")


def valid(registry: Registry) -> Iterator[tuple[SpecFile, Spec]]:
    """Yield the files that runtimes take, with their specs."""
    return ((file, file.spec) for file in registry.files if file.spec is not None)


def conflicts(node: Node) -> Iterator[Finding]:
    """Name the devices that two files of one directory define, so that runtimes offer neither."""
    found = node.specs.registry
    pairs = _rivals(found, frozenset(found.conflicts), same_directory=True)
    yield from or_ok(
        (
            fail(
                low,
                f"{high} defines {some(names)} too, so that no runtime offers {_them(names)}",
                "remove one of the two",
            )
            for (low, high), names in pairs.items()
        ),
        "devices",
        "none is defined twice in one directory",
    )


def shadowing(node: Node) -> Iterator[Finding]:
    """Name the devices that a directory of higher priority defines anew, so that the lower file has no effect."""
    pairs = _rivals(node.specs.registry, None, same_directory=False)
    yield from or_ok(
        (
            warn(
                low,
                f"{high} has priority and hides {some(names)}",
                f"remove {low} if the other is the right one, or that one",
            )
            for (low, high), names in pairs.items()
        ),
        "devices",
        "none is defined in two directories",
    )


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _rivals(
    registry: Registry, wanted: frozenset[str] | None, *, same_directory: bool
) -> Mapping[tuple[str, str], list[str]]:
    """Return, by pair of files, the devices that both define; ``wanted``: only of these names."""
    first: dict[tuple[str, int], SpecFile] = {}
    pairs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for file, spec in valid(registry):
        for device in spec.devices:
            name = f"{spec.kind}={device.name}"
            if wanted is not None and name not in wanted:
                continue
            for priority in (file.priority,) if same_directory else range(file.priority):
                if rival := first.get((name, priority)):
                    pairs[rival.path, file.path].append(name)
            first.setdefault((name, file.priority), file)
    return pairs


def readable(node: Node) -> Iterator[Finding]:
    """Name the specs that are newer than a runtime here reads, so that it offers none of their devices."""
    for runtime in node.runtimes:
        if (limit := runtime.limit) and not node.serves_docker(runtime):
            yield from or_ok(
                _too_new(node, runtime, limit), runtime.title, f"reads every spec here (up to CDI {limit})"
            )


def _too_new(node: Node, runtime: Runtime, limit: str) -> Iterator[Finding]:
    for file, spec in valid(node.specs.registry):
        if versions.order(spec.version) <= versions.order(limit):
            continue
        needed = versions.minimum_version(spec)
        advice = f"use a newer {runtime.name}"
        if os.path.basename(file.path).startswith(SPEC_PREFIX):
            advice = f'set max_cdi_version = "auto" or "{limit}" in [agent], and run {node.command("--once")}'
        elif versions.order(needed) <= versions.order(limit):
            advice = f'declare cdiVersion "{needed}" in it, which is all it needs'
        fact = f"is of CDI {spec.version}, and {runtime.title} reads at most {limit}"
        yield Finding(file.path, node.verdict_on(runtime), fact, advice)
