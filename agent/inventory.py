"""What the kubelet is offered, and the two steps in which it changes around a write: pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from agent.config.settings import DeviceClass, Resource
    from agent.render import Offer, Rendered


@dataclass(frozen=True, slots=True)
class Listed:
    """One device as the kubelet is told of it.

    ``numa`` are the memory nodes it is near to. ``gone`` is when it was first missed, in seconds since the epoch, and
    ``None`` while it is one of its class: the kubelet takes a device that is not listed for healthy, so it stays.
    """

    healthy: bool
    numa: tuple[int, ...] = ()
    gone: float | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One resource: the class it is, and its devices by name, in the order of their names."""

    kind: str
    resource: Resource
    devices: Mapping[str, Listed]


Inventory: TypeAlias = "Mapping[str, Listing]"
"""The listing of each kind."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A class after a look at the node: what it comes to, and which of its devices may be handed out.

    ``ready`` names the devices whose spec is on disk as it should be; ``failing`` the nodes that do not open.
    """

    device_class: DeviceClass
    rendered: Rendered
    ready: Set[str] = frozenset()
    failing: Set[str] = frozenset()


def withdrawn(before: Inventory, standings: Iterable[Standing], now: float) -> Inventory:
    """Return what may be offered while specs are being written: what holds before and after.

    Nothing is new in it. What vanished, or is not whole, is unhealthy; what is no resource any more is gone.

    Args:
        before: what is offered now.
        standings: the classes; what is ready is not looked at.
        now: seconds since the epoch.
    """
    found = {}
    for standing in standings:
        kind, resource = standing.device_class.kind, standing.device_class.resource
        if kind in before and resource:
            known = before[kind].devices
            healthy = {name for name, one in known.items() if one.healthy}
            fit = {offer.name for offer in standing.rendered.found if offer.present and offer.name in healthy}
            found[kind] = Listing(kind, resource, _devices(known, standing, fit, frozenset(), now))
    return found


def without(before: Inventory, standings: Iterable[Standing], gone: Set[str]) -> Inventory:
    """Return what may be offered when these nodes have gone since the classes were looked at.

    Whether a device that lost one of several nodes is still whole, the next look says.
    """
    found = dict(before)
    for standing in standings:
        kind = standing.device_class.kind
        lost = {offer.name for offer in standing.rendered.found if not gone.isdisjoint(offer.nodes)}
        lost.discard(standing.device_class.all_name or "")  # healthy while any node is there
        if kind in found and not lost.isdisjoint(found[kind].devices):
            devices = {
                name: replace(one, healthy=False) if name in lost else one for name, one in found[kind].devices.items()
            }
            found[kind] = replace(found[kind], devices=devices)
    return found


def offered(before: Inventory, standings: Iterable[Standing], now: float, keep: float) -> Inventory:
    """Return what is to be offered now that the specs are written.

    Args:
        before: what is offered now.
        standings: the classes.
        now: seconds since the epoch.
        keep: seconds for which a device that vanished stays listed.
    """
    found = {}
    for standing in standings:
        kind, resource = standing.device_class.kind, standing.device_class.resource
        if resource:
            fit = {
                offer.name
                for offer in standing.rendered.found
                if offer.present and offer.name in standing.ready and not _fails(standing, offer)
            }
            known = before[kind].devices if kind in before else {}
            devices = _devices(known, standing, fit, standing.ready, now)
            found[kind] = Listing(kind, resource, _remembered(devices, now - keep))
    return found


def _devices(
    known: Mapping[str, Listed], standing: Standing, fit: Set[str], new: Set[str], now: float
) -> Mapping[str, Listed]:
    """Return a class's devices: ``fit`` ones are healthy, ``new`` ones may be listed that are not ``known``."""
    offers = standing.rendered.found
    devices = {
        offer.name: Listed(offer.name in fit, _numa(offer, known.get(offer.name)))
        for offer in offers
        if offer.name in known or offer.name in new
    }
    missing = known.keys() - devices.keys()
    for name in missing:
        was = known[name]
        devices[name] = was if was.gone is not None else Listed(healthy=False, numa=was.numa, gone=now)
    return dict(sorted(devices.items())) if missing else devices


def _fails(standing: Standing, offer: Offer) -> bool:
    """Tell whether a device's nodes do not open: of the device that holds all others, any of them will do."""
    if offer.name == standing.device_class.all_name:
        return bool(offer.nodes) and set(offer.nodes) <= standing.failing
    return not standing.failing.isdisjoint(offer.nodes)


def _numa(offer: Offer, was: Listed | None) -> tuple[int, ...]:
    """Return where a device is; one that could not be looked at is where it was."""
    return was.numa if offer.kept and was else offer.numa


def _remembered(devices: Mapping[str, Listed], since: float) -> Mapping[str, Listed]:
    """Leave out what has been gone for too long."""
    if all(one.gone is None or one.gone > since for one in devices.values()):
        return devices
    return {name: one for name, one in devices.items() if one.gone is None or one.gone > since}
