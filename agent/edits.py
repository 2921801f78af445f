"""What a CDI device changes in a container: its nodes, and the class's edits filled in with its facts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent import templates
from agent.host import fact
from agent.templates import Choice
from cdi.model import ContainerEdits, DeviceNode

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.config.settings import DeviceClass, EditsTemplate
    from agent.grouping import Unit
    from agent.host import HostDevice
    from agent.templates import Template


class LeftOutError(Exception):
    """A device is not written, by the configuration's own word; fact and advice."""


def unit_edits(device_class: DeviceClass, unit: Unit, name: str) -> ContainerEdits:
    """Return the edits of one CDI device: those of all its nodes, in node order; what several say alike is said once.

    Raises:
        LeftOutError: the class's edits cannot be made for it.
        Unreadable: a fact that they want cannot be read.
    """
    edits = ContainerEdits()
    for member in unit.members:
        edits = edits.joined(_node_edits(device_class, member, name))
        if device_class.device_edits and not device_class.only_all:
            edits = edits.joined(_filled(device_class.device_edits, member, name))
    paths = [node.path for node in edits.device_nodes]
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise LeftOutError(f"has two nodes at {twice} in the container", "tell them apart in the class's node.path")
    if not edits:
        raise LeftOutError("has no node, and the class edits nothing else", "add [class.deviceEdits]")
    return _without_repeats(edits)


def _node_edits(device_class: DeviceClass, device: HostDevice, name: str) -> ContainerEdits:
    if not device.node:
        return ContainerEdits()
    wanted = device_class.node
    path = device.node
    if wanted.path is not None and not device_class.only_all:
        path = _text(wanted.path, device, name, templates.path_component)
    gids = (device.gid,) if wanted.group and device.gid else ()
    return ContainerEdits(device_nodes=(device_node(device_class, path, device.node),), additional_gids=gids)


def device_node(device_class: DeviceClass, path: str, host_path: str) -> DeviceNode:
    """Return a node of a class: at ``path`` in the container, at ``host_path`` on the host.

    It has no numbers, so that the runtime looks it up when the container starts.
    """
    letters = "".join(letter for letter in "rwm" if letter in device_class.node.permissions)
    return DeviceNode(path=path, host_path=host_path if path != host_path else "", permissions=letters)


def _text(template: Template, device: HostDevice, name: str, clean: Callable[[str], str]) -> str:
    facts = {"name": name, "devnode": device.node.rpartition("/")[2]}
    filled = template.fill(lambda field: facts.get(field) or fact(device, field), clean)
    if isinstance(filled, Choice):
        raise LeftOutError(
            f"lacks what {template.text!r} asks for: nothing is there for {filled}",
            "add a field that it has, behind a |",
        )
    return filled


def _filled(wanted: EditsTemplate, device: HostDevice, name: str) -> ContainerEdits:
    """Fill in the templates of a class's edits for one device."""

    def fill(text: str, clean: Callable[[str], str]) -> str:
        template = wanted.templates.get(text)
        return text if template is None else _text(template, device, name, clean)

    def path(text: str) -> str:
        return fill(text, templates.path_component)

    def plain(text: str) -> str:
        return fill(text, templates.plain_text)

    edits = wanted.edits
    rdt = edits.intel_rdt
    return replace(
        edits,
        env=tuple(map(plain, edits.env)),
        device_nodes=tuple(
            replace(node, path=path(node.path), host_path=path(node.host_path)) for node in edits.device_nodes
        ),
        net_devices=tuple(
            replace(one, host_interface_name=path(one.host_interface_name), name=path(one.name))
            for one in edits.net_devices
        ),
        hooks=tuple(replace(hook, env=tuple(map(plain, hook.env))) for hook in edits.hooks),
        mounts=tuple(
            replace(
                mount,
                host_path=path(mount.host_path),
                container_path=path(mount.container_path),
                options=tuple(map(plain, mount.options)),
            )
            for mount in edits.mounts
        ),
        intel_rdt=rdt and replace(rdt, clos_id=path(rdt.clos_id)),
    )


def _without_repeats(edits: ContainerEdits) -> ContainerEdits:
    return replace(
        edits,
        env=tuple(dict.fromkeys(edits.env)),
        net_devices=tuple(dict.fromkeys(edits.net_devices)),
        hooks=tuple(dict.fromkeys(edits.hooks)),
        mounts=tuple(dict.fromkeys(edits.mounts)),
        additional_gids=tuple(dict.fromkeys(edits.additional_gids)),
    )
