"""A device as a person reads it: its name, and a line for everything that it does to a container."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from agent.cli.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cdi.model import ContainerEdits, DeviceNode, Hook, IntelRdt, Mount
    from cdi.registry import Entry

_SHOWN = 3  # nodes of one device that are named in a table


def nodes(edits: ContainerEdits) -> str:
    """Return the host's device nodes of some edits, as many as a table's cell holds."""
    paths = [node.host_path or node.path for node in edits.device_nodes]
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return " ".join(paths[:_SHOWN]) + more


def print_entry(entry: Entry) -> None:
    """Print a device: where it stands, and what it does."""
    place = f"{entry.file.path} (priority {entry.file.priority}, CDI {entry.spec.version})"
    notes = ((key, value) for key, value in (*entry.spec.annotations.items(), *entry.device.annotations.items()))
    print(harmless(entry.name))
    _print_lines([("file", place), *(("annotation", f"{key}={value}") for key, value in notes)])
    print_edits(entry)


def print_edits(entry: Entry) -> None:
    """Print a device's own edits and those of its spec."""
    _print_lines(_edits(entry.device.container_edits))
    if entry.spec.container_edits:
        print("  with any device of this file:")
        _print_lines(_edits(entry.spec.container_edits))


def _print_lines(lines: Iterable[tuple[str, str]]) -> None:
    sys.stdout.writelines(f"  {what:<10}  {harmless(text)}\n" for what, text in lines)


def _edits(edits: ContainerEdits) -> Iterator[tuple[str, str]]:
    yield from (("node", _node(node)) for node in edits.device_nodes)
    yield from (("env", variable) for variable in edits.env)
    yield from (("mount", _mount(mount)) for mount in edits.mounts)
    yield from (("interface", _renamed(one.host_interface_name, one.name)) for one in edits.net_devices)
    yield from (("hook", _hook(hook)) for hook in edits.hooks)
    if edits.intel_rdt is not None:
        yield "intelRdt", _rdt(edits.intel_rdt)
    if edits.additional_gids:
        yield "gids", " ".join(map(str, edits.additional_gids))


def _renamed(there: str, here: str) -> str:
    return here if there in {"", here} else f"{there} as {here}"


def _node(node: DeviceNode) -> str:
    number = f"{node.type} {node.major}:{node.minor}" if node.type and node.major else node.type
    mode = "" if node.file_mode is None else f"mode {node.file_mode:04o}"
    owner = "" if node.uid is None and node.gid is None else f"owner {_id(node.uid)}:{_id(node.gid)}"
    return _words(_renamed(node.host_path, node.path), node.permissions or "rwm", number, mode, owner)


def _id(number: int | None) -> str:
    return "" if number is None else str(number)


def _mount(mount: Mount) -> str:
    options = f"({','.join(mount.options)})" if mount.options else ""
    return _words(_renamed(mount.host_path, mount.container_path), mount.type, options)


def _hook(hook: Hook) -> str:
    timeout = "" if hook.timeout is None else f"(at most {hook.timeout} s)"
    # The first argument is the program's name again.
    return _words(f"{hook.hook_name}:", *hook.env, hook.path, *hook.args[1:], timeout)


def _rdt(rdt: IntelRdt) -> str:
    monitoring = "monitored" if rdt.enable_monitoring else ""
    return _words(rdt.clos_id, rdt.l3_cache_schema, rdt.mem_bw_schema, *(rdt.schemata or ()), monitoring)


def _words(*words: str) -> str:
    return " ".join(filter(None, words))
