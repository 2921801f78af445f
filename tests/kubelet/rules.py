"""Judgement of what a plugin sends: values in, what is wrong with them out."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from typing import TYPE_CHECKING

from cdi.names import qualified_problem
from tests.kubelet.journal import Rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tests.kubelet.pb import deviceplugin_pb2 as pb

VERSION = "v1beta1"
HEALTHY, UNHEALTHY = "Healthy", "Unhealthy"

# The directories are fixed whatever the kubelet's configuration says; those of tests have other lengths.
STANDARD_DIRECTORY = "/var/lib/kubelet/device-plugins"
STANDARD_REGISTRY = "/var/lib/kubelet/plugins_registry"
_PATH_BYTES = 107
_ID_LENGTH = 63
_QUOTA_PREFIX = "requests."

_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")

Wrong = tuple[Rule, str]


def resource_problem(name: str) -> str | None:
    """Why the kubelet takes no resource of this name (IsExtendedResourceName, with its quota rule), or None."""
    if "/" not in name or "kubernetes.io/" in name or name.startswith(_QUOTA_PREFIX):
        return f"the ResourceName {name!r} is invalid"
    # It must still be a qualified name when it stands in a quota, behind that prefix.
    domain, _, rest = (_QUOTA_PREFIX + name).partition("/")
    if len(domain) > 253 or not _DOMAIN.fullmatch(domain) or len(rest) > 63 or not _NAME.fullmatch(rest):
        return f"the ResourceName {name!r} is invalid"
    return None


def socket_problems(path: str, standard: str) -> Iterator[Wrong]:
    """What is wrong with a plugin's socket, could it stand in the directory ``standard`` of a real node."""
    real = f"{standard}/{os.path.basename(path)}"
    for each in {path, real}:
        if (length := len(os.fsencode(each))) > _PATH_BYTES:
            yield Rule.SOCKET_PATH, f"{each} is {length} bytes long, and a socket's path has at most {_PATH_BYTES}"
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        yield Rule.NOT_SERVING, f"{path}: {error.strerror}"
        return
    if not stat.S_ISSOCK(mode):
        yield Rule.NOT_SERVING, f"{path} is no socket"
    elif stat.S_IMODE(mode) != 0o600:
        yield Rule.SOCKET_MODE, f"{path} has mode {stat.S_IMODE(mode):04o}, not 0600"


def list_problems(devices: Collection[pb.Device], before: Mapping[str, str], held: Collection[str]) -> Iterator[Wrong]:
    """What is wrong with a list, given health by id in the one before it, and the ids that pods hold."""
    for one, count in Counter(device.ID for device in devices).items():
        if not 0 < len(one) <= _ID_LENGTH:
            yield Rule.DEVICE_ID, f"{one!r} has {len(one)} characters, not 1 to {_ID_LENGTH}"
        if count > 1:
            yield Rule.DUPLICATE_ID, f"{one!r} is listed {count} times and counts once"
    for device in devices:
        if device.health not in (HEALTHY, UNHEALTHY):
            yield Rule.HEALTH_WORD, f"{device.ID!r} is {device.health!r}, which the kubelet takes for {UNHEALTHY}"
    listed = {device.ID for device in devices}
    for one in sorted((before.keys() | set(held)) - listed):
        # A pod that holds it would go on to be told that all is well.
        if one in held:
            yield Rule.DEVICE_DROPPED, f"{one!r} is no longer listed although a pod holds it"
        elif before[one] == HEALTHY:
            yield Rule.DEVICE_DROPPED, f"{one!r} is no longer listed although it was never {UNHEALTHY}"


def answer_problems(answer: pb.AllocateResponse) -> Iterator[Wrong]:
    """What is wrong with an answer to Allocate for one container."""
    if len(answer.container_responses) != 1:
        yield Rule.ANSWER, f"{len(answer.container_responses)} answers for one container"
    for response in answer.container_responses:
        for name in ("envs", "mounts", "devices", "annotations"):
            if getattr(response, name):
                yield Rule.ANSWER, f"the answer has {name}, which are replayed as they are at every container start"
        if not response.cdi_devices:
            yield Rule.ANSWER, "the answer names no CDI device"
        for device in response.cdi_devices:
            if problem := qualified_problem(device.name):
                yield Rule.CDI_NAME, problem
