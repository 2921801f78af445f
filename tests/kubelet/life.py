"""What a kubelet knows and does between its start and its end; of the last one it has the checkpoint alone."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from tests.kubelet import checkpoint
from tests.kubelet.checkpoint import Checkpoint, Entry
from tests.kubelet.client import CallError, Plugin
from tests.kubelet.journal import Rule
from tests.kubelet.rules import HEALTHY, UNHEALTHY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from tests.kubelet.pb import deviceplugin_pb2 as pb
    from tests.kubelet.referee import Referee

_PATIENCE_POLL = 0.001
_JOIN_SECONDS = 10.0


class UnexpectedAdmissionError(Exception):
    """The kubelet refuses a pod, for good."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: how long capacity outlives its plugin, how long a plugin is dialled, and `Life.await_end`'s patience."""

    grace: float
    dial: float
    patience: float


@dataclass(slots=True)
class _Endpoint:
    """The newest plugin of a resource (none: one of the last life), and since when it is gone."""

    plugin: Plugin | None
    stopped_at: float | None = None


class Life:
    """The device manager of one run of the kubelet."""

    def __init__(self, directory: Path, referee: Referee, timing: Timing) -> None:
        self._file = directory / checkpoint.NAME
        self._referee = referee
        self._journal = referee.journal
        self._timing = timing
        self._state = threading.Condition(threading.RLock())  # held for a moment only; told of thaws and the end
        self._writing = threading.Lock()
        self._admitting = threading.Lock()
        self._open: set[Plugin] = set()
        self._threads: set[threading.Thread] = set()
        self._frozen: set[str | None] = set()
        self.over = threading.Event()

        self._clients: dict[str, Plugin] = {}
        self._endpoints: dict[str, _Endpoint] = {}
        self._healthy: dict[str, set[str]] = {}
        self._unhealthy: dict[str, set[str]] = {}
        self._devices: dict[str, dict[str, pb.Device]] = {}  # the last list of each resource, as it came
        self._entries: dict[tuple[str, str, str], Entry] = {}  # by pod, container, resource
        self._gone: set[str] = set()  # deleted pods whose devices are not yet taken back
        self._load()

    def end(self) -> None:
        """Drop every connection and forget; no file is written any more, no call is waited for."""
        self.over.set()
        with self._writing, self._state:
            self._state.notify_all()
            plugins, threads = set(self._open), set(self._threads)
        for plugin in plugins:
            plugin.close()
        end = time.monotonic() + _JOIN_SECONDS
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))

    # Registration

    def way(self, resource: str) -> str | None:
        """In which way the plugin registered that serves a resource now, or None."""
        with self._state:
            endpoint = self._endpoints.get(resource)
            plugin = endpoint.plugin if endpoint else None
            return plugin.way if plugin and not plugin.closed else None

    def await_end(self, resource: str) -> None:
        """Give the stream of a resource that is about to be registered again a moment to end, or it is a breach.

        A plugin that ends it and then registers does so on two connections, which the kubelet may hear in either
        order. Without patience nothing is judged, and what happens is what would happen on a node. Nor is anything
        while it is frozen: this side hears of no end then.
        """
        end = time.monotonic() + self._timing.patience
        while (plugin := self._open_stream(resource)) is not None and not self.over.is_set():
            if not self._timing.patience or self._is_frozen(resource):
                return
            if time.monotonic() > end:
                message = f"it registered while its stream at {plugin.socket} was open; that one's end disconnects it"
                self._journal.breach(Rule.STREAM_STILL_OPEN, resource, message)
                return
            time.sleep(_PATIENCE_POLL)

    def connect(
        self,
        resource: str,
        socket: str,
        way: str,
        asked: pb.DevicePluginOptions | None = None,
        waits: Callable[[], bool] = lambda: True,
    ) -> None:
        """Make the plugin at a socket the resource's one, as the newest always is, and watch it from then on.

        ``asked``: the options of its request, if there were any. ``waits`` tells whether whoever asked for it still
        waits; one that died meanwhile is dialled all the same, and not blamed.

        Raises:
            CallError: it could not be dialled, or has no options to tell.
        """
        plugin = Plugin(resource, socket, way)
        with self._state:
            self._clients[resource] = plugin
            self._open.add(plugin)
        try:
            plugin.dial(self._timing.dial)
        except CallError as error:
            with self._state:
                # Whoever was there before is forgotten with it, although its stream goes on.
                self._clients.pop(resource, None)
                self._open.discard(plugin)
            plugin.close()
            if error.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED) and waits():
                self._journal.breach(Rule.NOT_SERVING, resource, f"{socket} could not be dialled: {error.details}")
            raise
        if waits():
            self._referee.dialled(plugin, asked)
        with self._state:
            if self.over.is_set():
                plugin.close()
                raise CallError("Register", grpc.StatusCode.UNAVAILABLE, "the kubelet ended")
            self._endpoints[resource] = _Endpoint(plugin)
            thread = threading.Thread(target=self._watch, args=(plugin,), name=f"watch {resource}", daemon=True)
            self._threads.add(thread)
            thread.start()

    def disconnect(self, resource: str) -> None:
        """Drop the resource's current plugin, if there is one: nothing of it is healthy any more."""
        with self._state:
            plugin = self._clients.pop(resource, None)
            if plugin is None:
                return
            if (endpoint := self._endpoints.get(resource)) is not None:
                healthy = self._healthy.get(resource, set())
                self._unhealthy[resource] = self._unhealthy.get(resource, set()) | healthy
                self._healthy[resource] = set()
                endpoint.stopped_at = time.monotonic()
            self._journal.note("disconnect", resource, socket=plugin.socket)
        if plugin.dialled:  # else it gets through, and nobody will disconnect it
            plugin.close()

    def _watch(self, plugin: Plugin) -> None:
        ending = self._read(plugin)
        by = "kubelet" if plugin.closed else "plugin"
        self._journal.note("stream-end", plugin.resource, socket=plugin.socket, by=by, **ending)
        if not self.over.is_set():
            # Whichever plugin is the current one: by its name, not by whose stream this was.
            self.disconnect(plugin.resource)
        plugin.close()
        plugin.ended = True
        with self._state:
            self._open.discard(plugin)
            self._threads.discard(threading.current_thread())

    def _read(self, plugin: Plugin) -> dict[str, str]:
        try:
            for response in plugin.lists():
                at = time.monotonic()
                if not self._thawed(plugin):
                    break
                self._take(plugin, response, at)
        except CallError as error:
            if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED and not plugin.closed:
                self._journal.breach(Rule.LIST_SIZE, plugin.resource, error.details)
            return {"code": error.code.name, "details": error.details}
        return {"code": grpc.StatusCode.OK.name, "details": ""}

    def _take(self, plugin: Plugin, response: pb.ListAndWatchResponse, at: float) -> None:
        resource = plugin.resource
        with self._state:
            self._devices[resource] = {device.ID: device for device in response.devices}
            # One that is listed twice, in both states, is in both.
            self._healthy[resource] = {device.ID for device in response.devices if device.health == HEALTHY}
            self._unhealthy[resource] = {device.ID for device in response.devices if device.health != HEALTHY}
            plugin.listed = True
            # Within: whoever sees the state finds the event, and the other way round.
            self._referee.listed(resource, response, self._held(resource, but=self._gone), at)
        try:
            self.write()
        except OSError as error:
            self._journal.note("checkpoint-unwritten", resource, error=str(error))

    def _open_stream(self, resource: str) -> Plugin | None:
        with self._state:
            endpoint = self._endpoints.get(resource)
            plugin = endpoint.plugin if endpoint else None
            return plugin if plugin and plugin.listed and not plugin.ended else None

    # Trouble

    def freeze(self, resource: str | None, *, frozen: bool) -> None:
        """Stop or go on reading the streams of one resource or of all."""
        with self._state:
            (self._frozen.add if frozen else self._frozen.discard)(resource)
            self._state.notify_all()

    def _is_frozen(self, resource: str) -> bool:
        return bool(self._frozen & {resource, None})

    def _thawed(self, plugin: Plugin) -> bool:
        with self._state:
            self._state.wait_for(lambda: self.over.is_set() or plugin.closed or not self._is_frozen(plugin.resource))
            return not self.over.is_set() and not plugin.closed

    # Status

    def capacity(self, resource: str) -> tuple[int, int] | None:
        """Capacity and allocatable, or None when the node has no such resource (any more)."""
        with self._state:
            endpoint = self._endpoints.get(resource)
            if resource not in self._healthy or endpoint is None:
                return None
            if endpoint.stopped_at is not None and time.monotonic() - endpoint.stopped_at > self._timing.grace:
                for state in (self._endpoints, self._healthy, self._unhealthy):
                    state.pop(resource, None)
                return None
            healthy, unhealthy = self._healthy[resource], self._unhealthy.get(resource, set())
            return len(healthy) + len(unhealthy), len(healthy)

    def health(self, resource: str) -> dict[str, str]:
        """What pods are told of the devices: those listed last, and those that they hold."""
        with self._state:
            listed = {
                one: HEALTHY if device.health == HEALTHY else UNHEALTHY
                for one, device in self._devices.get(resource, {}).items()
            }
            return dict.fromkeys(self._held(resource), HEALTHY) | listed

    def plugin(self, resource: str) -> Plugin:
        """The resource's plugin, to call it by hand.

        Raises:
            LookupError: there is none.
        """
        with self._state:
            endpoint = self._endpoints.get(resource)
            if endpoint is None or endpoint.plugin is None or endpoint.stopped_at is not None:
                raise LookupError(f"nobody serves {resource}")
            return endpoint.plugin

    def _held(self, resource: str, but: Collection[str] = ()) -> frozenset[str]:
        entries = [one for one in self._entries.values() if one.resource == resource and one.pod not in but]
        return frozenset().union(*(entry.ids for entry in entries))

    # Pods

    def admit(self, pod: str, container: str, resource: str, count: int, *, running: bool) -> frozenset[str]:
        """Find devices for a container, as `Kubelet.admit` says."""
        with self._admitting:
            self.sweep()
            with self._state:
                before = self._entries.get((pod, container, resource))
                available = self._available(before, resource, count, running=running)
            if available is None:
                assert before is not None
                return before.ids
            ids = self._choose(resource, available, count)
            self._allocate(pod, container, resource, ids)
            try:
                self.write()
            except OSError as error:
                raise UnexpectedAdmissionError(f"failed to write checkpoint file: {error}") from None
            return frozenset(ids)

    def _available(self, before: Entry | None, resource: str, count: int, *, running: bool) -> set[str] | None:
        """What can be handed out to a container; None when it has its devices already."""
        if before is not None and len(before.ids) != count:
            raise UnexpectedAdmissionError(f"changed request for {resource} from {len(before.ids)} to {count}")
        if before is not None and running:
            return None
        if resource not in self._healthy:
            raise UnexpectedAdmissionError(f"cannot allocate unregistered device {resource}")
        healthy = self._healthy[resource]
        if not healthy:
            raise UnexpectedAdmissionError(f"no healthy devices present; cannot allocate {resource}")
        if before is not None:
            if not before.ids <= healthy:
                raise UnexpectedAdmissionError(f"previously allocated devices are no longer healthy: {resource}")
            return None
        available = healthy - self._held(resource)
        if len(available) < count:
            message = f"requested number of devices unavailable for {resource}: {count} of {len(available)}"
            raise UnexpectedAdmissionError(message)
        return available

    def _choose(self, resource: str, available: set[str], count: int) -> list[str]:
        plugin = self._callable(resource)
        preferred: frozenset[str] = frozenset()
        if plugin.options.get_preferred_allocation_available:
            try:
                preferred = plugin.prefer(sorted(available), count)
            except CallError as error:
                self._journal.note("preferred-failed", resource, error=str(error))
                raise UnexpectedAdmissionError(f"device plugin {error}") from None
            self._referee.preferred(resource, available, count, preferred)
        # What it may not choose is passed over, and what it left open is filled up.
        chosen = [*sorted(preferred & available), *sorted(available - preferred)]
        return sorted(chosen[:count])

    def _allocate(self, pod: str, container: str, resource: str, ids: list[str]) -> None:
        try:
            answer = self._callable(resource).allocate(ids)
        except CallError as error:
            self._journal.note("allocate-failed", resource, ids=ids, error=str(error))
            raise UnexpectedAdmissionError(f"Allocate failed due to {error}") from None
        self._referee.allocated(resource, ids, answer)
        if not answer.container_responses:
            raise UnexpectedAdmissionError("no containers return in allocation response")
        stored = answer.container_responses[0].SerializeToString()
        with self._state:
            # The list may have changed meanwhile; of a device that went the node is no longer known.
            nodes = _by_node(ids, self._devices.get(resource, {}))
            self._entries[pod, container, resource] = Entry(pod, container, resource, nodes, stored)

    def _callable(self, resource: str) -> Plugin:
        try:
            return self.plugin(resource)
        except LookupError:
            raise UnexpectedAdmissionError(f"endpoint of {resource} has been stopped") from None

    def start_container(self, pod: str, container: str) -> list[bytes]:
        """Announce the start to the plugins that asked for it; the stored answers of the container.

        Raises:
            LookupError: it holds nothing.
            UnexpectedAdmissionError: a plugin refused.
        """
        with self._state:
            entries = [entry for entry in self._entries.values() if (entry.pod, entry.container) == (pod, container)]
            endpoints = {entry.resource: self._endpoints.get(entry.resource) for entry in entries}
        if not entries:
            raise LookupError(f"container {container} of pod {pod} holds no device")
        for entry in entries:
            endpoint = endpoints[entry.resource]
            plugin = endpoint.plugin if endpoint else None
            if plugin is not None and plugin.options.pre_start_required:
                self._pre_start(plugin, sorted(entry.ids))
        return [entry.answer for entry in entries]

    def _pre_start(self, plugin: Plugin, ids: list[str]) -> None:
        self._journal.note("pre-start", plugin.resource, ids=ids)
        try:
            plugin.pre_start(ids)
        except CallError as error:
            raise UnexpectedAdmissionError(f"device plugin PreStartContainer rpc failed with err: {error}") from None

    def delete(self, pod: str) -> None:
        """The pod is gone; its devices come back with the next `sweep`."""
        with self._state:
            self._gone.add(pod)

    def sweep(self) -> None:
        """Take back what deleted pods held."""
        with self._state:
            self._entries = {key: entry for key, entry in self._entries.items() if entry.pod not in self._gone}
            self._gone.clear()

    # The checkpoint

    def write(self) -> None:
        """Write the file, whole. Raises `OSError`."""
        with self._writing:
            if self.over.is_set():
                return
            with self._state:
                registered = {resource: sorted(ids) for resource, ids in self._healthy.items()}
                content = Checkpoint(tuple(self._entries.values()), registered)
            temporary = self._file.with_name(f".{self._file.name}")
            temporary.write_bytes(content.dump())
            os.replace(temporary, self._file)

    def _load(self) -> None:
        try:
            last = checkpoint.load(self._file.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            self._journal.note("checkpoint-unread", error=str(error))
            return
        self._entries = {(entry.pod, entry.container, entry.resource): entry for entry in last.entries}
        for resource in last.registered:
            self._healthy[resource], self._unhealthy[resource] = set(), set()
            self._endpoints[resource] = _Endpoint(None, time.monotonic())


def _by_node(ids: Collection[str], devices: Mapping[str, pb.Device]) -> dict[int, list[str]]:
    nodes: defaultdict[int, list[str]] = defaultdict(list)
    for one in ids:
        device = devices.get(one)
        for node in [node.ID for node in device.topology.nodes] if device else []:
            nodes[node].append(one)
        if device is None or not device.topology.nodes:
            nodes[checkpoint.NO_NODE].append(one)
    return dict(nodes)
