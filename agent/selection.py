"""Which devices a class takes, key by key. The explanation why is the same code that decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.config.settings import DeviceClass, Selector
    from agent.host import HostDevice
    from agent.patterns import Pattern


class Check(NamedTuple):
    """One key of a selector against one device: what was wanted, what was found, and whether it fits."""

    key: str
    wanted: tuple[Pattern, ...]
    found: tuple[str, ...]
    fits: bool


def takes(device_class: DeviceClass, device: HostDevice) -> bool:
    """Tell whether a class takes a device: any select fits, and no exclude does.

    Raises:
        Unreadable: a fact that decides could not be read.
    """
    return any(fits(one, device) for one in device_class.selects) and not any(
        fits(one, device) for one in device_class.excludes
    )


def fits(selector: Selector, device: HostDevice) -> bool:
    """Tell whether all keys of a selector fit a device; raises `Unreadable` as :func:`takes`."""
    return all(check.fits for check in checks(selector, device))


def checks(selector: Selector, device: HostDevice) -> Iterator[Check]:
    """Check the given keys one after the other, those that cost least first."""
    if selector.subsystem:
        yield _check("subsystem", selector.subsystem, device.subsystem or None)
    if selector.devnode:
        yield _node_check(selector.devnode, device)
    for path, wanted in selector.attributes.items():
        yield _check(f"attributes.{path}", wanted, device.attribute(path))
    for name, wanted in selector.properties.items():
        yield _check(f"properties.{name}", wanted, device.properties.get(name))


def _check(key: str, wanted: tuple[Pattern, ...], found: str | None) -> Check:
    """A fact that is absent fits nothing, not even ``*``."""
    if found is None:
        return Check(key, wanted, (), fits=False)
    return Check(key, wanted, (found,), any(pattern.matches(found) for pattern in wanted))


def _node_check(wanted: tuple[Pattern, ...], device: HostDevice) -> Check:
    if any(pattern.matches(device.node) for pattern in wanted):
        return Check("devnode", wanted, (device.node,), fits=True)
    found = (device.node, *device.links)  # links cost a walk over /dev
    return Check("devnode", wanted, found, any(pattern.matches(path) for pattern in wanted for path in found))
