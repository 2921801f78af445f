"""The messages of the kubelet's interfaces, to and from bytes.

k8s.io/kubelet, pkg/apis/deviceplugin/v1beta1 and pkg/apis/pluginregistration/v1. Field numbers stand beside the names
that the interface gives them; a field that is not known is skipped, as protobuf has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.rpc import protobuf
from agent.rpc.protobuf import as_bytes, as_int, as_text, block, flag, integer, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VERSION = "v1beta1"
EMPTY = b""
REGISTER = "/v1beta1.Registration/Register"
_PLUGIN = "/v1beta1.DevicePlugin/"
OPTIONS = f"{_PLUGIN}GetDevicePluginOptions"
LIST_AND_WATCH = f"{_PLUGIN}ListAndWatch"
ALLOCATE = f"{_PLUGIN}Allocate"
PREFERRED_ALLOCATION = f"{_PLUGIN}GetPreferredAllocation"
PRE_START_CONTAINER = f"{_PLUGIN}PreStartContainer"
GET_INFO = "/pluginregistration.Registration/GetInfo"
NOTIFY_REGISTRATION_STATUS = "/pluginregistration.Registration/NotifyRegistrationStatus"

HEALTHY = "Healthy"  # the kubelet compares letter by letter
UNHEALTHY = "Unhealthy"


def options(*, preferred_allocation: bool) -> bytes:
    """Return DevicePluginOptions: pre_start_required = 1 is left false."""
    return flag(2, preferred_allocation)  # get_preferred_allocation_available


def register_request(endpoint: str, resource: str, offered: bytes) -> bytes:
    """Return a RegisterRequest; ``endpoint`` is the name of a socket in the kubelet's directory."""
    return text(1, VERSION) + text(2, endpoint) + text(3, resource) + block(4, offered)


def device(id_: str, *, healthy: bool, numa: Iterable[int] = ()) -> bytes:
    """Return a Device as a field of ListAndWatchResponse: ID = 1, health = 2, topology = 3 (nodes = 1, each ID = 1)."""
    nodes = b"".join(block(1, integer(1, node)) for node in numa)
    return block(1, text(1, id_) + text(2, HEALTHY if healthy else UNHEALTHY) + (block(3, nodes) if nodes else b""))


def allocate_request(message: bytes) -> tuple[tuple[str, ...], ...]:
    """Return the device ids for each container of an AllocateRequest. Raises `DamagedError`."""
    return tuple(tuple(_texts(one, 1)) for one in _blocks(message, 1))


def allocate_response(containers: Iterable[Iterable[str]]) -> bytes:
    """Return an AllocateResponse with nothing but CDI device names, for each container."""
    return b"".join(block(1, b"".join(block(5, text(1, name)) for name in names)) for names in containers)


@dataclass(frozen=True, slots=True)
class Preference:
    """A ContainerPreferredAllocationRequest: ``size`` ids of those ``available``, all of ``required`` among them."""

    available: tuple[str, ...]
    required: tuple[str, ...]
    size: int


def preferred_allocation_request(message: bytes) -> tuple[Preference, ...]:
    """Return what is asked for each container of a PreferredAllocationRequest. Raises `DamagedError`."""
    return tuple(
        Preference(
            tuple(_texts(one, 1)),
            tuple(_texts(one, 2)),
            _last_int(one, 3),
        )
        for one in _blocks(message, 1)
    )


def preferred_allocation_response(containers: Iterable[Iterable[str]]) -> bytes:
    """Return a PreferredAllocationResponse with the ids for each container."""
    return b"".join(block(1, b"".join(text(1, id_) for id_ in ids)) for ids in containers)


def plugin_info(resource: str, endpoint: str) -> bytes:
    """Return a PluginInfo; ``endpoint`` is the path of the socket that serves the resource."""
    return text(1, "DevicePlugin") + text(2, resource) + text(3, endpoint) + text(4, VERSION)


def registration_status(message: bytes) -> str | None:
    """Return why a RegistrationStatus says that the kubelet did not register a plugin, ``None`` where it did.

    Raises:
        DamagedError: it is no such message.
    """
    registered, reason = False, ""
    for number, value in protobuf.fields(message):
        if number == 1:
            registered = bool(as_int(value))
        elif number == 2:
            reason = as_text(value)
    return None if registered else reason or "no reason is given"


def _blocks(message: bytes, wanted: int) -> Iterator[bytes]:
    return (as_bytes(value) for number, value in protobuf.fields(message) if number == wanted)


def _last_int(message: bytes, wanted: int) -> int:
    """Return a number that a message may say several times: the last one counts."""
    found = 0
    for number, value in protobuf.fields(message):
        if number == wanted:
            found = as_int(value)
    return found


def _texts(message: bytes, wanted: int) -> Iterator[str]:
    return (as_text(value) for number, value in protobuf.fields(message) if number == wanted)
