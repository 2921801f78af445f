"""Which devices a class takes, key by key. The explanation why is the same code that decides."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from agent.host import Unreadable, fact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent.config.settings import DeviceClass, Parent, Patterns, Selector
    from agent.host import Ancestor, HostDevice


class Check(NamedTuple):
    """One key of a selector against one device: what was wanted, what was found, and whether it fits."""

    key: str
    wanted: Patterns
    found: tuple[str, ...]
    fits: bool


def takes(device_class: DeviceClass, device: HostDevice) -> bool:
    """Tell whether a class takes a device: any select fits, and no exclude does.

    Raises:
        Unreadable: a fact that decides could not be read.
    """
    selects = [one for one in device_class.selects if joins(device_class, one, device)]
    return _any_fits(selects, device) and not _any_fits(device_class.excludes, device)


def _any_fits(selectors: Iterable[Selector], device: HostDevice) -> bool:
    """Tell whether any selector fits; one that cannot be told matters only where no other fits."""
    unknown: Unreadable | None = None
    for one in selectors:
        try:
            if fits(one, device):
                return True
        except Unreadable as error:
            unknown = error
    if unknown:
        raise unknown
    return False


def joins(device_class: DeviceClass, selector: Selector, device: HostDevice) -> bool:
    """Tell whether a select may put a device into a group.

    A USB device has a node of its own, ``/dev/bus/usb/...``, which every select by ``usb`` fits; it is a member only
    where the select names the subsystem.
    """
    return device_class.group_by is None or bool(selector.subsystem) or device.subsystem != "usb"


def fits(selector: Selector, device: HostDevice) -> bool:
    """Tell whether all keys of a selector fit a device; raises `Unreadable` as :func:`takes`."""
    return all(check.fits for check in checks(selector, device))


def checks(selector: Selector, device: HostDevice) -> Iterator[Check]:
    """Check the given keys one after the other, those that cost least first."""
    yield from _identity_checks(selector, device)
    if selector.devnode:
        yield _node_check(selector.devnode, device)
    yield from _attribute_checks(selector, device)
    for table in ("usb", "pci"):
        for name, wanted in getattr(selector, table).items():
            yield _check(f"{table}.{name}", wanted, fact(device, f"{table}:{name}"))
    if selector.mountpoint:
        yield _any_check("mountpoint", selector.mountpoint, device.mountpoints)
    if selector.parent is not None:
        yield _parent_check(selector.parent, device)
    for name, wanted in selector.properties.items():
        yield _check(f"properties.{name}", wanted, device.properties.get(name))
    if selector.tags:
        yield _any_check("tags", selector.tags, tuple(sorted(device.tags)))


def _identity_checks(one: Selector | Parent, device: Ancestor, prefix: str = "") -> Iterator[Check]:
    """Check what a device and an ancestor have in common."""
    if one.subsystem:
        yield _check(f"{prefix}subsystem", one.subsystem, device.subsystem or None)
    if one.sysname:
        yield _check(f"{prefix}sysname", one.sysname, device.sysname)
    if one.driver:
        yield _check(f"{prefix}driver", one.driver, device.driver or None)


def _attribute_checks(one: Selector | Parent, device: Ancestor, prefix: str = "") -> Iterator[Check]:
    for path, wanted in one.attributes.items():
        yield _check(f"{prefix}attributes.{path}", wanted, device.attribute(path))


def _check(key: str, wanted: Patterns, found: str | None) -> Check:
    """A fact that is absent fits nothing, not even ``*``."""
    return _any_check(key, wanted, () if found is None else (found,))


def _any_check(key: str, wanted: Patterns, found: tuple[str, ...]) -> Check:
    return Check(key, wanted, found, any(pattern.matches(value) for pattern in wanted for value in found))


def _node_check(wanted: Patterns, device: HostDevice) -> Check:
    if any(pattern.matches(device.node) for pattern in wanted):
        return Check("devnode", wanted, (device.node,), fits=True)
    found = (device.node, *device.links)  # links cost a walk over /dev
    return Check("devnode", wanted, found, any(pattern.matches(path) for pattern in wanted for path in found))


def _parent_check(parent: Parent, device: HostDevice) -> Check:
    """Look for an ancestor that fits; of those that do not, the one that came furthest explains why."""
    furthest = 0, Check("parent", (), (), fits=False)
    for ancestor in device.above():
        one_by_one = chain(*(each(parent, ancestor, "parent.") for each in (_identity_checks, _attribute_checks)))
        failed = next(((count, check) for count, check in enumerate(one_by_one, 1) if not check.fits), None)
        if failed is None:
            return Check("parent", (), (ancestor.sysname,), fits=True)
        furthest = max(furthest, failed, key=lambda pair: pair[0])
    return furthest[1]
