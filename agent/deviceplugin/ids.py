"""Ids of devices and of their shares: what the kubelet counts. Share 0 of a device has the device's own name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MARK = "::"  # in no device name
_DIGITS = 9  # of a share's number; Python reads no number of thousands of them


def share(name: str, number: int) -> str:
    """Return the id of a device's share, counted from 0."""
    return f"{name}{_MARK}{number}" if number else name


def device_of(id_: str) -> str:
    """Return the name of the device that an id is a share of."""
    return id_.partition(_MARK)[0]


def known(id_: str, devices: Mapping[str, object], shares: int) -> bool:
    """Tell whether an id is one of those that stand for shares of these devices."""
    name, mark, number = id_.partition(_MARK)
    if name not in devices:
        return False
    return not mark or (
        len(number) <= _DIGITS
        and number.isdecimal()
        and number.isascii()
        and share(name, int(number)) == id_
        and 0 < int(number) < shares
    )
