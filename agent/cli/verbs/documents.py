"""Results as documents, for programs: the shapes that ``schemas/output`` describes, as JSON or YAML."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

from cdi import wire
from cdi.names import split_kind

if TYPE_CHECKING:
    from cdi.errors import Problem
    from cdi.model import Spec
    from cdi.registry import Entry, Registry, SpecFile
    from cdi.specdirs import SpecDirs

Document: TypeAlias = dict[str, Any]


def show(document: Document, form: str) -> None:
    """Print a document. Whoever reads may stop reading: that shows here, not when the process ends."""
    sys.stdout.write(text(document, form))
    sys.stdout.flush()


def text(document: Document, form: str) -> str:
    """Return a document as text in plain ASCII, which does nothing to a terminal; ``form`` is yaml, or it is JSON."""
    if form == "yaml":
        return _yaml(document)
    return json.dumps(document, indent=2) + "\n"


def device(entry: Entry) -> Document:
    """Return a device, what it changes in a container, and where it stands."""
    vendor, class_ = split_kind(entry.spec.kind)
    return {
        "name": entry.name,
        "vendor": vendor,
        "class": class_,
        "device": entry.device.name,
        "file": entry.file.path,
        "priority": entry.file.priority,
        "cdiVersion": entry.spec.version,
        "annotations": dict(entry.device.annotations),
        "containerEdits": wire.CONTAINER_EDITS.write(entry.device.container_edits),
        "specContainerEdits": wire.CONTAINER_EDITS.write(entry.spec.container_edits),
    }


def problems(dirs: SpecDirs) -> list[Document]:
    """Return what is wrong in spec directories: what could not be read, and files of no use to runtimes."""
    return [
        *(problem("error", one) for one in dirs.problems.values()),
        *(problem("warning", one) for several in dirs.registry.problems.values() for one in several),
    ]


def problem(severity: str, one: Problem) -> Document:
    """Return a problem."""
    return {"severity": severity, "where": one.where, "message": one.message, "hint": one.hint}


def state(registry: Registry, file: SpecFile) -> str:
    """Return what runtimes make of a file: they take it, or not, or it defines a device that another defines too."""
    if file.spec is None:
        return "rejected"
    return "conflict" if file.path in registry.problems else "valid"


def spec(one: Spec) -> Document:
    """Return a spec as it would stand in a file."""
    return wire.write(one)


def _yaml(document: Document) -> str:
    import yaml

    fast = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    for base in (fast, yaml.SafeDumper):
        # No anchors: one edit may well stand in many devices, and each is to be read by itself.
        dumper = type("Dumper", (base,), {"ignore_aliases": lambda *_: True})
        with contextlib.suppress(UnicodeEncodeError):  # a file name that is no text, which only the slow one can write
            return str(yaml.dump(document, Dumper=dumper, sort_keys=False, default_flow_style=False, width=120))
    raise AssertionError("the slow one writes all")
