"""The plugin registry: sockets that appear in a directory announce plugins (pkg/kubelet/pluginmanager).

A plugin is registered once for each time that its socket is made: when its stream ends and the socket stays, nothing
happens until a kubelet starts.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.kubelet.client import CallError, Registrar
from tests.kubelet.journal import Rule
from tests.kubelet.rules import STANDARD_REGISTRY, VERSION, resource_problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kubelet.life import Life
    from tests.kubelet.referee import Referee

WAY = "plugin-watcher"
_TYPE = "DevicePlugin"
_BACKOFF_SECONDS = (0.5, 120.0)  # the first, which doubles, and the longest


@dataclass(slots=True)
class _Socket:
    """A socket in the registry, as it was when it was dealt with."""

    identity: tuple[int, int]  # another one: it was made anew
    resource: str = ""  # once registered
    failures: int = 0
    not_before: float = 0.0
    busy: bool = False


class Watcher:
    """Looks at the registry every `rescan` seconds, in a thread of its own, as the kubelet reconciles every second."""

    def __init__(self, registry: Path, life: Life, referee: Referee, rescan: float, dial: float) -> None:
        self._registry = registry
        self._life = life
        self._referee = referee
        self._journal = referee.journal
        self._rescan = rescan
        self._dial = dial
        self._lock = threading.Lock()
        self._sockets: dict[str, _Socket] = {}
        self._thread = threading.Thread(target=self._run, name="plugin watcher", daemon=True)

    def start(self) -> None:
        """Make the directory, and look at it from now on until the life is over."""
        self._registry.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread, once the life is over."""
        self._thread.join()

    def announced(self, resource: str) -> str | None:
        """The socket that announced a resource and is still there."""
        with self._lock:
            sockets = [path for path, socket in self._sockets.items() if socket.resource == resource]
        return next((path for path in sockets if os.path.exists(path)), None)

    def _run(self) -> None:
        while not self._life.over.is_set():
            self._reconcile(dict(_sockets(self._registry)))
            self._life.over.wait(self._rescan)

    def _reconcile(self, present: dict[str, tuple[int, int]]) -> None:
        with self._lock:
            idle = {path: socket for path, socket in self._sockets.items() if not socket.busy}
        for path, socket in idle.items():
            if present.get(path) != socket.identity:
                self._withdraw(path, socket)
        for path, identity in present.items():
            with self._lock:
                socket = self._sockets.setdefault(path, _Socket(identity))
                if socket.busy or socket.resource or socket.not_before > time.monotonic():
                    continue
                socket.busy = True
            # One plugin that does not answer holds up no other.
            threading.Thread(target=self._register, args=(path, socket), name=f"register {path}", daemon=True).start()

    def _withdraw(self, path: str, socket: _Socket) -> None:
        with self._lock:
            del self._sockets[path]
        if socket.resource:
            self._journal.note("withdrawn", socket.resource, socket=path)
            self._life.disconnect(socket.resource)

    def _register(self, path: str, socket: _Socket) -> None:
        registrar = Registrar(path)
        try:
            resource = self._introduce(path, registrar)
        except CallError as error:
            if not self._life.over.is_set():
                self._journal.note("registry-failed", socket=path, error=str(error))
            resource = ""
        finally:
            registrar.close()
        first, longest = _BACKOFF_SECONDS
        with self._lock:
            socket.busy = False
            socket.resource = resource
            if not resource:
                socket.not_before = time.monotonic() + min(longest, first * 2**socket.failures)
                socket.failures += 1

    def _introduce(self, path: str, registrar: Registrar) -> str:
        """Ask, judge, connect and tell; the resource, or nothing where the plugin was refused."""
        info = registrar.info(self._dial)
        resource = info.name
        endpoint = info.endpoint or path
        self._journal.note("get-info", resource, socket=path, endpoint=endpoint)
        problem = _problem(info.type, resource, list(info.supported_versions))
        if problem:
            rule, message = problem
            self._journal.breach(rule, resource, message)
            return self._refuse(registrar, resource, message)
        self._referee.registers(resource, path, STANDARD_REGISTRY)
        if endpoint != path:
            self._referee.registers(resource, endpoint, os.path.dirname(endpoint))
        if self._life.way(resource) not in (None, WAY):
            self._journal.breach(Rule.BOTH_WAYS, resource, f"{path} announces it, and it is registered already")
        self._life.await_end(resource)
        try:
            self._life.connect(resource, endpoint, WAY)
        except CallError as error:
            return self._refuse(registrar, resource, f"plugin registration failed with err: {error}")
        self._journal.note("registered", resource, socket=path, way=WAY)
        registrar.notify()
        return resource

    def _refuse(self, registrar: Registrar, resource: str, message: str) -> str:
        self._journal.note("refused", resource, socket=registrar.socket, error=message)
        registrar.notify(message)
        return ""


def _problem(kind: str, resource: str, versions: list[str]) -> tuple[Rule, str] | None:
    if kind != _TYPE:
        return Rule.VERSION, f"no handler registered for plugin type: {kind}"
    if VERSION not in versions:
        return Rule.VERSION, f"manager version, {VERSION}, is not among plugin supported versions {versions}"
    if problem := resource_problem(resource):
        return Rule.RESOURCE_NAME, problem
    return None


def _sockets(registry: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each socket of the tree and what tells it from another of that name; names with a dot in front are not seen."""
    for directory, below, files in os.walk(registry):
        below[:] = [name for name in below if not name.startswith(".")]
        for name in files:
            path = os.path.join(directory, name)
            try:
                status = os.stat(path)
            except OSError:
                continue
            if stat.S_ISSOCK(status.st_mode) and not name.startswith("."):
                yield path, (status.st_ino, status.st_ctime_ns)
