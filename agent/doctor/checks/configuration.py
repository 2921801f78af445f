"""Our configuration, and what its classes come to on this node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.config.settings import Settings
from agent.doctor.findings import Finding, of_problem, ok, some, warn
from agent.reconcile import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.doctor.node import Node
    from agent.render import Rendered

_DANGEROUS = {
    "/dev/mem": "the machine's memory",
    "/dev/kmem": "the kernel's memory",
    "/dev/port": "the machine's input and output ports",
}


def files(node: Node) -> Iterator[Finding]:
    """Tell whether the configuration can be used: readable, nobody else's to write, and valid."""
    found = node.configuration
    if isinstance(found, Settings):
        where = some(found.files) or "the built-in default"
        yield ok(where, f"good, of {count(len(found.classes), 'class')}")
        return
    for problem in found:
        yield of_problem(problem, "fail", "see docs/configuration.md")


def notes(node: Node) -> Iterator[Finding]:
    """Pass on what is odd in the configuration and no mistake."""
    for problem in node.settings.notes if node.settings else ():
        yield of_problem(problem, "warn", "see docs/configuration.md")


def classes(node: Node) -> Iterator[Finding]:
    """Tell of each class how many devices it takes. With the built-in default a class without any is as meant."""
    if node.outcome is None:
        return
    asked_for = bool(node.settings and node.settings.files)
    for one in node.outcome.classes:
        yield from _of_class(one, asked_for=asked_for)
    for problem in node.outcome.problems:
        yield of_problem(problem, "fail", "correct the class")
    for problem in node.outcome.warnings:
        yield of_problem(problem, "warn", "correct the class if that is not meant")


def _of_class(one: Rendered, *, asked_for: bool) -> Iterator[Finding]:
    if not one.offers:
        if asked_for:
            yield warn(one.kind, "takes no device now", "see why with cdi-sync explain and the device's node")
        else:
            yield ok(one.kind, "no such device is here")
        return
    kept = [offer.name for offer in one.offers if offer.kept]
    lacking = [offer.name for offer in one.offers if not offer.present and not offer.kept]
    if kept:
        yield warn(one.kind, f"could not look at {some(kept)}, so that they stay as they were",
                   "see the node with cdi-sync explain")  # fmt: skip
    if lacking:
        yield warn(one.kind, f"lacks nodes of {some(lacking)}, which are unhealthy",
                   "plug them in, or load their driver")  # fmt: skip
    if not kept and not lacking:
        yield ok(one.kind, f"takes {count(len(one.offers), 'device')}")


def exposure(node: Node) -> Iterator[Finding]:
    """Name the devices of ours that give a container the whole machine."""
    for one in node.outcome.classes if node.outcome else ():
        for path, what in _DANGEROUS.items():
            if any(path in offer.nodes for offer in one.offers):
                yield warn(one.kind, f"gives containers {path}: {what}, and so the node",
                           f"exclude it: [[class.exclude]] devnode = \"{path}\"")  # fmt: skip
