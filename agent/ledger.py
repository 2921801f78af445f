"""Which devices the kubelet was told of, across restarts: it must go on hearing of those that vanished."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from agent import durable
from agent.inventory import Listed, Listing
from cdi import names
from cdi.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.config.settings import Settings
    from agent.inventory import Inventory

NAME = "devices.json"
_VERSION = 1
_LATEST = 1e12  # seconds; neither infinite nor no number
_LIMIT = 64 * 1024 * 1024  # bytes


class Ledger:
    """The file ``devices.json`` in a state directory: each kind's devices, with the time since when one is missed."""

    def __init__(self, state_dir: str) -> None:
        self.path = os.path.join(state_dir, NAME)
        self._written: object = None

    def read(self, settings: Settings) -> tuple[Inventory, Problem | None]:
        """Return what was offered last of the resources that there are now, and what is wrong with the record.

        Nothing in it is healthy: that is for a look at the node to say.
        """
        try:
            with open(self.path, "rb") as file:
                document = json.loads(file.read(_LIMIT))
            kinds = _kinds(document)
        except FileNotFoundError:
            return {}, None
        except (OSError, ValueError, TypeError, RecursionError) as error:
            reason = (error.strerror or "").lower() if isinstance(error, OSError) else "it is damaged"
            return {}, Problem(self.path, f"cannot be read: {reason}",
                               "devices that vanished before now are forgotten; nothing else is lost")  # fmt: skip
        self._written = kinds
        return {
            one.kind: Listing(
                one.kind,
                one.resource,
                {name: Listed(healthy=False, gone=gone) for name, gone in sorted(kinds[one.kind].items())},
            )
            for one in settings.classes
            if one.resource and one.kind in kinds
        }, None

    def write(self, inventory: Inventory) -> Problem | None:
        """Record what is offered, durably, if that is not what is recorded; returns why it could not be done."""
        kinds = {kind: {name: one.gone for name, one in listing.devices.items()} for kind, listing in inventory.items()}
        if kinds == self._written:
            return None
        data = json.dumps({"version": _VERSION, "kinds": kinds}, separators=(",", ":")).encode()
        directory = os.path.dirname(self.path)
        try:
            os.makedirs(directory, mode=0o755, exist_ok=True)
            durable.replace(self.path, f"{self.path}.tmp", data, 0o600)
            durable.sync(directory)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            hint = "see to the state directory; until then a restart forgets devices that vanished"
            return Problem(self.path, f"cannot be written: {reason}", hint)
        self._written = kinds
        return None


def _kinds(document: object) -> Mapping[str, Mapping[str, float | None]]:
    """Return the record's kinds; raises ValueError or TypeError where it is none."""
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise TypeError("no record of this version")
    kinds = document.get("kinds")
    if not isinstance(kinds, dict):
        raise TypeError("no kinds")
    for devices in kinds.values():
        if not isinstance(devices, dict) or not all(map(_is_time, devices.values())):
            raise TypeError("no devices")
        if any(map(names.device_problem, devices)):
            raise ValueError("no names of devices")
    return kinds


def _is_time(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LATEST
