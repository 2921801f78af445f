"""The formats that can be imported, and the way from a file's text to ours: translate, check, write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

from agent.config.checking import settings_of
from agent.config.files import SIZE_LIMIT, ConfigError, parse
from cdi.errors import Problem

from . import writer
from .draft import Draft, Remark

if TYPE_CHECKING:
    from .draft import DraftClass

FORMATS = ("power-device-plugin", "generic-device-plugin", "smarter-device-manager")


@dataclass(frozen=True, slots=True)
class Imported:
    """A configuration of ours, and what the peer's had that this one has not."""

    text: str
    warnings: tuple[Problem, ...]


def imported(form: str, name: str, data: bytes) -> Imported:
    """Translate a peer's configuration into one that our loader takes.

    Args:
        form: one of :data:`FORMATS`.
        name: the file's name, for messages.
        data: the file's content.

    Raises:
        ConfigError: it is not of that format; file and line are named.
    """
    module = import_module(f"{__package__}.{form.replace('-', '_')}")
    draft = module.translate(name, data)
    title = f"Imported from {name}, a configuration of {form}"
    if len(writer.toml(draft, title).encode()) > SIZE_LIMIT:
        raise ConfigError(Problem(name, "comes to more than a configuration may hold", "import parts of it"))
    draft = _loadable(draft)
    text = writer.toml(draft, title)
    return Imported(text, tuple(_warnings(draft)))


def _loadable(draft: Draft) -> Draft:
    """Leave out the classes that our loader refuses, and say why: what it refuses, a runtime would refuse later."""
    if not _faults(draft.classes):
        return draft
    classes, remarks = [], list(draft.remarks)
    for one in draft.classes:
        if faults := _faults((one,)):
            facts = "; ".join(f"{fault.where.rpartition(': ')[2]}: {fault.message}" for fault in faults)
            remarks += one.remarks
            remarks.append(
                Remark(one.place, "", f"{one.resource} is left out, since it cannot be written here: {facts}")
            )
        else:
            classes.append(one)
    return replace(draft, classes=tuple(classes), remarks=tuple(remarks))


def _faults(classes: tuple[DraftClass, ...]) -> tuple[Problem, ...]:
    try:
        settings_of((parse("", writer.toml(Draft(classes), "")),))
    except ConfigError as error:
        return error.problems
    return ()


def _warnings(draft: Draft) -> list[Problem]:
    remarks = [*draft.remarks, *(remark for one in draft.classes for remark in one.remarks)]
    return [
        Problem(f"{remark.place}: {remark.what}" if remark.what else remark.place, remark.fact, remark.advice)
        for remark in remarks
        if remark.aloud
    ]
