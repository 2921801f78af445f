"""``config``: check a configuration, show what it comes to, print its schema, or begin one."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import TYPE_CHECKING, Any

from agent.cli.terminal import say, table
from agent.cli.verbs import documents
from agent.cli.verbs.presetting import summary
from agent.config import files, places
from agent.config.checking import Merged, schema, settings_of, spelled
from agent.config.load import load
from agent.config.model import Agent, Containerd
from agent.discovery.udev import UdevDatabase
from agent.reconcile import Reconciler
from agent.store import SpecDirectory

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from agent.toml import Path

DONE, FAILED, NOT_PERMITTED = 0, 1, 4

_HEAD = """\
# What cdi-sync makes of this machine's devices. Every key: docs/configuration.md; try it with
#   cdi-sync --once --dry-run
version = 1

[agent]
# spec_dir = "/etc/cdi"
# resync   = "10m"
"""
_OWN = """
# A class of your own; `cdi-sync explain /dev/NODE` shows the facts to select and name by.
# [[class]]
# kind = "example.com/modem"
# name = "{ID_SERIAL_SHORT|ID_PATH}"
#   [[class.select]]
#   usb = { vendor = "2c7c", product = "0125" }
#   [class.node]
#   permissions = "rw"
"""


def config(options: argparse.Namespace) -> int:
    """Do what ``options.action`` says; a configuration that cannot be used raises `ConfigError`."""
    return _ACTIONS[options.action](options)


def _check(options: argparse.Namespace) -> int:
    settings = load(options.config, spec_dir=options.spec_dir, state_dir=options.state_dir)
    where = ", ".join(settings.files) or "the built-in default"
    if options.output == "json":
        documents.show({"files": list(settings.files), "classes": [one.kind for one in settings.classes]}, "json")
    elif not options.quiet:
        count = len(settings.classes)
        print(f"good: {count} class{'' if count == 1 else 'es'}, from {where}")
    return DONE


def _show(options: argparse.Namespace) -> int:
    sources = files.read(options.config)
    settings_of(sources)  # a configuration that cannot be used has no effect to be shown
    rows = list(_effective(Merged(sources)))
    if options.output == "json":
        documents.show({"keys": [{"key": key, "value": value, "from": origin} for key, value, origin in rows]}, "json")
    else:
        table(("KEY", "VALUE", "FROM"), [(key, json.dumps(value), origin) for key, value, origin in rows])
    return DONE


def _effective(merged: Merged) -> Iterator[tuple[str, Any, str]]:
    """Yield every key that is in force, with its value and where it comes from."""
    for name, model in (("agent", Agent), ("containerd", Containerd)):
        table = merged.document.get(name, {})
        for field in dataclasses.fields(model):
            key, default = field.name, field.default
            if key in table:
                yield f"{name}.{key}", table[key], merged.place((name, key))
            elif default is not None:
                yield f"{name}.{key}", default, "default"
    for index, one in enumerate(merged.document.get("class", [])):
        yield from _leaves(merged, ("class", index), one)


def _leaves(merged: Merged, path: Path, value: Any) -> Iterator[tuple[str, Any, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(merged, (*path, key), inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, inner in enumerate(value):
            yield from _leaves(merged, (*path, index), inner)
    else:
        yield spelled(path), value, merged.place(path)


def _schema(_options: argparse.Namespace) -> int:
    documents.show(schema(), "json")
    return DONE


def _init(options: argparse.Namespace) -> int:
    text = _HEAD + "".join(_preset_blocks()) + _OWN
    target = options.file or places.STANDARD
    if target == "-":
        print(text, end="")
        return DONE
    try:
        os.makedirs(os.path.dirname(os.path.abspath(target)), mode=0o755, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        say(f"error: {target}: is there already; name another file, or - for standard output")
        return FAILED
    except OSError as error:
        say(f"error: {target}: cannot be written: {(error.strerror or str(error)).lower()}; name another file")
        return NOT_PERMITTED if isinstance(error, PermissionError) else FAILED
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    say(f"wrote {target}; see what comes of it: cdi-sync --once --dry-run --config {target}")
    return DONE


def _preset_blocks() -> Iterator[str]:
    """Yield each preset as a class: in force where this machine has such devices, as a comment where it has none."""
    udev = UdevDatabase()
    for name in files.preset_names():
        source = files.parse(name, f'[[class]]\npreset = "{name}"\n')
        outcome = Reconciler(SpecDirectory("/nonexistent"), udev).run(settings_of((source,)), None)
        found = [offer.name for one in outcome.classes for offer in one.offers]
        shown = ", ".join(found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
        yield f"\n# {summary(name)}" + (f": {shown} here\n" if found else "; none here\n")
        mark = "" if found and name in _HARMLESS else "# "
        yield f'{mark}[[class]]\n{mark}preset = "{name}"\n'


_HARMLESS = ("kvm", "fuse", "tun", "dri", "usb-serial", "video")  # as in the built-in default

_ACTIONS = {"check": _check, "show": _show, "schema": _schema, "init": _init}
