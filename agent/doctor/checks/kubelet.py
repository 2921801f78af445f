"""The kubelet: whether it can be registered with, whether it knows our resources, and what it will replay."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

from agent import checkpoint
from agent.config.settings import Kubelet
from agent.doctor.findings import Finding, command, fail, mode, ok, or_ok, some, unseen, warn, writers
from agent.reconcile import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.config.settings import Resource
    from agent.doctor.node import Node
    from agent.doctor.record import Record

_SECONDS = 5.0
_RESTART = "systemctl restart cdi-sync"
_KUBELET_SOCKET = "kubelet.sock"


def _is_served(node: Node) -> bool:
    """Tell whether there is a kubelet to look at, and it is to be served."""
    wanted = node.kubelet.device_plugin
    node.reach(node.kubelet.directory, node.kubelet.sockets)
    return wanted is not False and (bool(wanted) or _runs(node) or _may_be(node.kubelet.directory))


def _may_be(path: str) -> bool:
    """Tell whether something is there, or may be where this user may not look."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _runs(node: Node) -> bool:
    """Tell whether a kubelet runs that uses the directory: each uses the standard one, whatever its options say."""
    return node.kubelet.directory == Kubelet().directory and node.kubelet_runs


def directory(node: Node) -> Iterator[Finding]:
    """Tell whether the kubelet's directory for device plugins is there, and nobody else's to write."""
    path = node.kubelet.directory
    if not _is_served(node):
        off = node.kubelet.device_plugin is False
        yield ok("kubelet", "is not served, as configured" if off else "is not here")
        return
    try:
        status = os.stat(path)
    except FileNotFoundError:
        yield fail(path, "is not there", "start the kubelet, which makes it; or correct directory in [kubelet]")
        return
    except OSError as error:
        yield unseen(path, error)
        return
    yield from or_ok(_of_directory(path, status), path, f"mode {mode(status)}, of user {status.st_uid}")


def _of_directory(path: str, status: os.stat_result) -> Iterator[Finding]:
    if not stat.S_ISDIR(status.st_mode):
        yield fail(path, "is no directory", "move it away; the kubelet makes it anew")
        return
    yield from writers(path, status, "offer devices to every pod")


def kubelet_socket(node: Node) -> Iterator[Finding]:
    """Tell whether the kubelet takes connections, at the socket where plugins register."""
    path = f"{node.kubelet.directory}/{_KUBELET_SOCKET}"
    if not _is_served(node) or not os.path.isdir(node.kubelet.directory):
        return
    try:
        _connect(path)
    except FileNotFoundError:
        if _runs(node):
            yield fail(path, "is not there, though a kubelet runs", "restart the kubelet")
        else:
            yield warn(path, "is not there: no kubelet runs", "start it; or set device_plugin = false in [kubelet]")
    except TimeoutError:
        yield fail(path, f"the kubelet takes no connection within {_SECONDS:.0f} s", "restart the kubelet")
    except ConnectionRefusedError:
        yield fail(path, "nobody listens: the kubelet has ended", "start the kubelet, and see its log")
    except PermissionError as error:
        yield unseen(path, error)
    except OSError as error:
        yield fail(path, f"cannot be connected to: {(error.strerror or str(error)).lower()}",
                   "remove what is in its place, and restart the kubelet")  # fmt: skip
    else:
        yield ok(path, "the kubelet takes connections")


def _connect(path: str) -> None:
    """Connect and hang up. Raises `OSError`."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(_SECONDS)
        try:
            caller.connect(path)
        except BlockingIOError:
            raise TimeoutError from None


def plugin_sockets(node: Node) -> Iterator[Finding]:
    """Tell whether the sockets of ours are listened at, one for each resource, by nobody but a running agent."""
    if not _is_served(node):
        return
    from agent.deviceplugin.plugin import PREFIX, SUFFIX

    path = node.kubelet.sockets
    try:
        names = [name for name in sorted(os.listdir(path)) if name.startswith(PREFIX) and name.endswith(SUFFIX)]
    except FileNotFoundError:
        names = []
    except OSError as error:
        yield unseen(path, error)
        return
    findings = [_of_socket(f"{path}/{name}") for name in names]
    yield from (one for one in findings if one.verdict != "ok")
    listening = sum(one.verdict == "ok" for one in findings)
    wanted = len(node.settings.resources) if node.settings else 0
    if node.holder is None or listening >= wanted:
        yield ok(path, f"{listening} of our sockets {'is' if listening == 1 else 'are'} listened at")
    elif not _is_offered(node):
        yield ok(path, "the agent makes ours when there is a kubelet")
    else:
        yield fail(path, f"of {count(wanted, 'resource')} the agent serves {listening}",
                   f"see its log, and restart it: {_RESTART}")  # fmt: skip


def _is_offered(node: Node) -> bool:
    """Tell whether an agent has somebody to offer devices to; where a kubelet finds our sockets, it is not awaited."""
    kubelet = node.kubelet
    return kubelet.watched or _may_be(f"{kubelet.directory}/{_KUBELET_SOCKET}")


def _of_socket(path: str) -> Finding:
    try:
        status = os.stat(path)
        if stat.S_ISSOCK(status.st_mode):
            _connect(path)
    except PermissionError as error:
        return unseen(path, error)
    except (ConnectionRefusedError, FileNotFoundError):
        return warn(
            path,
            "nobody listens: it was left by an agent that was killed",
            f"{command('rm', path)}, or start the agent",
        )
    except OSError as error:  # among them that nobody accepts in time
        return fail(path, f"the agent takes no connection: {(error.strerror or str(error)).lower()}", _RESTART)
    return _of_owner(path, status)


def _of_owner(path: str, status: os.stat_result) -> Finding:
    if not stat.S_ISSOCK(status.st_mode):
        return warn(path, "has the name of a socket of ours, and is none", command("rm", path))
    if status.st_mode & 0o077:
        return warn(path, f"others can speak to it (mode {mode(status)})", f"restart the agent: {_RESTART}")
    return ok(path, "is listened at")


def checkpoint_file(node: Node) -> Iterator[Finding]:
    """Tell whether the kubelet's record of devices can be read."""
    if not _is_served(node):
        return
    path = f"{node.kubelet.directory}/{checkpoint.NAME}"
    try:
        found = node.record
    except OSError as error:
        yield unseen(path, error)
    except checkpoint.UnreadableError as error:
        yield warn(
            path, f"is damaged: {error}", "drain the node, remove the file and restart the kubelet: it starts anew"
        )
    else:
        fact = f"{count(len(found.registered), 'resource')}, {count(len(found.held), 'allocation')}" if found else ""
        yield ok(path, fact or "is not there: the kubelet has given out no device yet")


def _record(node: Node) -> Record | None:
    """Return the record, where there is one to stand on."""
    try:
        return node.record if _is_served(node) else None
    except (OSError, checkpoint.UnreadableError):
        return None  # the check of the file says so


def registered(node: Node) -> Iterator[Finding]:
    """Tell of each resource of ours whether the kubelet knows it, and how many healthy devices it has."""
    found = _record(node)
    if found is None or node.settings is None:
        return
    for one in node.settings.resources:
        healthy = found.registered.get(one.name)
        here = 0 if one.opens else _present(node, one)  # whether a node opens, only the agent knows
        again = f"see the agent's log, and restart it: {_RESTART}"
        if healthy is None and node.holder is None:
            yield warn(one.name, "is not registered: no agent runs", "systemctl enable --now cdi-sync")
        elif healthy is None:
            yield fail(one.name, "is not registered with the kubelet", again)
        elif not healthy and here and node.holder is not None:
            yield fail(
                one.name, f"is registered, and the kubelet counts none of {count(here, 'device')} as healthy", again
            )
        else:
            yield ok(one.name, f"is registered, with {count(len(healthy), 'healthy device')}")


def _present(node: Node, resource: Resource) -> int:
    """Return how many devices of a resource a pass finds here, with all their nodes."""
    kinds = {one.kind for one in node.settings.classes if one.resource == resource} if node.settings else set()
    rendered = node.outcome.classes if node.outcome else ()
    return sum(offer.present for one in rendered if one.kind in kinds for offer in one.offers)


def replayed(node: Node) -> Iterator[Finding]:
    """Name the pods whose devices no spec defines any more: the next start of their containers fails."""
    found = _record(node)
    if found is None:
        return
    living = [one for one in found.held if _is_here(node, one)]
    yield from or_ok(
        (finding for one in living for finding in _of_allocation(node, one)),
        "pods",
        "the devices of all can be resolved",
    )


def _of_allocation(node: Node, one: checkpoint.Held) -> Iterator[Finding]:
    lost = [name for name in one.names if name not in node.specs.registry.devices]
    if lost:
        yield fail(f"pod {one.pod}", f"container {one.container} was given {some(lost)}, which no spec defines: "
                   "its next start fails", "bring the device or its class back, or delete the pod")  # fmt: skip


def _is_here(node: Node, one: checkpoint.Held) -> bool:
    """Tell whether a pod is still on the node: the checkpoint forgets those that ended only when another comes."""
    pods = f"{os.path.dirname(node.kubelet.directory)}/pods"
    return not os.path.isdir(pods) or os.path.isdir(f"{pods}/{one.pod}")
