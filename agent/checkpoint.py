"""The kubelet's own record of which pods hold which devices (``kubelet_internal_checkpoint``)."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from typing import Any

from agent.rpc import protobuf

NAME = "kubelet_internal_checkpoint"
_CDI_DEVICES = 5  # ContainerAllocateResponse.cdi_devices, of messages with the name in field 1


class UnreadableError(Exception):
    """The checkpoint is there and cannot be read: which pods hold what is unknown; the text says why."""


@dataclass(frozen=True, slots=True)
class Held:
    """What one container of a pod holds: the ids that it was given, and the CDI names that the answer said."""

    pod: str
    container: str
    resource: str
    ids: tuple[str, ...]
    names: tuple[str, ...]


def read(directory: str) -> tuple[Held, ...]:
    """Return what pods hold by the checkpoint in a kubelet's directory for device plugins; nothing without one.

    The kubelet replays the answer stored there at every start of a container.

    Raises:
        UnreadableError: it is there, and cannot be read.
    """
    try:
        with open(os.path.join(directory, NAME), "rb") as file:
            document = json.load(file)
        entries = document["Data"]["PodDeviceEntries"] or ()
        return tuple(map(_held, entries))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise UnreadableError((error.strerror or str(error)).lower()) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UnreadableError("it is damaged, or of a kubelet that is not known yet") from None


def kinds(held: tuple[Held, ...]) -> frozenset[str]:
    """Return the CDI kinds of which any container holds a device."""
    return frozenset(name.partition("=")[0] for one in held for name in one.names)


def _held(entry: dict[str, Any]) -> Held:
    ids = entry["DeviceIDs"]
    lists = ids.values() if isinstance(ids, dict) else [ids]  # by memory node since Kubernetes 1.20
    return Held(
        str(entry["PodUID"]),
        str(entry["ContainerName"]),
        str(entry["ResourceName"]),
        tuple(str(one) for some in lists for one in some or ()),
        tuple(_names(base64.b64decode(str(entry["AllocResp"] or "")))),
    )


def _names(answer: bytes) -> list[str]:
    return [
        protobuf.as_text(value)
        for number, device in protobuf.fields(answer)
        if number == _CDI_DEVICES
        for inner, value in protobuf.fields(protobuf.as_bytes(device))
        if inner == 1
    ]
