"""The kubelet as a device plugin meets it."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn, Self

import grpc

from tests.kubelet.client import CallError
from tests.kubelet.journal import Journal, Rule
from tests.kubelet.life import Life, Timing, UnexpectedAdmissionError
from tests.kubelet.pb import deviceplugin_pb2 as pb
from tests.kubelet.referee import Referee
from tests.kubelet.rules import STANDARD_DIRECTORY, VERSION, resource_problem
from tests.kubelet.watcher import Watcher
from tests.removal import remove

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from tests.kubelet.client import Plugin
    from tests.kubelet.journal import Breach, Event, Found

__all__ = ["Kubelet", "UnexpectedAdmissionError"]

SOCKET = "kubelet.sock"
WAY = "register"
_WORKERS = 256  # threads that wait with a Register each; made when needed
_INODE_ATTEMPTS = 20
_HANG_POLL = 0.005
_REALTIME_COARSE = 5  # the clock that files get their times from


class Kubelet:
    """A context in which a kubelet's device manager runs on a directory.

    Everything that it saw is in `journal`, and what the plugins did wrong in `breaches`. Times are in seconds:
    ``grace``: how long capacity outlives its plugin; ``rescan``: between two looks at the ``registry``, for plugins
    that announce themselves there; ``dial``: how long a plugin that registers is dialled; ``patience``: see
    `Life.await_end`. ``told`` is called with each event of the journal.
    """

    def __init__(
        self,
        directory: Path,
        registry: Path | None = None,
        *,
        grace: float = 300.0,
        rescan: float = 1.0,
        dial: float = 10.0,
        patience: float = 2.0,
        told: Callable[[Event], None] | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.registry = registry.absolute() if registry else None
        self.journal = Journal(told)
        self.reused_inode = False  # whether kubelet.sock has the inode number that it had before the last start
        self._referee = Referee(self.journal)
        self._timing = Timing(grace, dial, patience)
        self._rescan = rescan
        self._life: Life | None = None
        self._watcher: Watcher | None = None
        self._listener: _Listener | None = None
        self._hang = 0.0
        self._refusal: tuple[grpc.StatusCode, str] | None = None
        self._inode = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def socket(self) -> Path:
        return self.directory / SOCKET

    @property
    def life(self) -> Life:
        """The present run."""
        assert self._life is not None, "the kubelet does not run"
        return self._life

    # Coming and going

    def start(self, *, same_inode: bool = False) -> None:
        """Clear the directory of sockets, serve a new one, and read who holds what.

        With ``same_inode``, kubelet.sock gets the inode number that it had, as on most nodes. Not every file system
        gives a number twice (tmpfs does not): `reused_inode` tells.
        """
        assert self._life is None, "the kubelet runs already"
        self.directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._life = Life(self.directory, self._referee, self._timing)
        with suppress(FileNotFoundError):
            last = self.socket.stat()
            self._inode = last.st_ino
            _await_tick(last.st_ctime_ns)
        _remove_sockets(self.directory)
        if same_inode:
            _await_inode(self.directory, self._inode)
        self._listener = _Listener(self.directory, self._register)
        status = self.socket.stat()
        self.reused_inode, self._inode = status.st_ino == self._inode, status.st_ino
        self.journal.note("start", inode=status.st_ino, ctime=status.st_ctime_ns)
        if self.registry is not None:
            self._watcher = Watcher(self.registry, self._life, self._referee, self._rescan, self._timing.dial)
            self._watcher.start()

    def stop(self, *, keep_socket: bool = True) -> None:
        """End as a killed process ends: every connection breaks and kubelet.sock stays behind as a dead file."""
        life, self._life = self._life, None
        if life is None:
            return
        self.journal.note("stop")
        life.over.set()
        # The socket first: a plugin that sees its stream break must not find the old kubelet there.
        if self._listener is not None:
            self._listener.close()
        life.end()
        if self._listener is not None:
            self._listener.join()
        if self._watcher is not None:
            self._watcher.join()
        self._listener = self._watcher = None
        if not keep_socket:
            self.socket.unlink(missing_ok=True)

    def restart(self, *, same_inode: bool = False, away: float = 0.0) -> None:
        """Stop, be away for so many seconds, and start."""
        self.stop()
        time.sleep(away)
        self.start(same_inode=same_inode)

    def remove_directory(self) -> None:
        """Take the directory away with all that is in it; a `restart` brings it back."""
        remove(self.directory)

    # Trouble

    def hang_in_register(self, seconds: float) -> None:
        """From now on let every Register wait so long before it goes on; 0 lets go of those that wait, too."""
        self._hang = seconds

    def refuse(self, message: str, code: grpc.StatusCode = grpc.StatusCode.UNKNOWN) -> None:
        """From now on refuse every Register."""
        self._refusal = (code, message)

    def accept(self) -> None:
        """Refuse no more."""
        self._refusal = None

    def freeze(self, resource: str | None = None) -> None:
        """Read no list any more, of one resource or of all; what the plugin sends piles up on its side."""
        self.life.freeze(resource, frozen=True)

    def thaw(self, resource: str | None = None) -> None:
        """Take back the `freeze` of the same resource."""
        self.life.freeze(resource, frozen=False)

    # Status

    def capacity(self, resource: str) -> int | None:
        """The devices that the node has, usable or not; None: it has no such resource (any more)."""
        found = self.life.capacity(resource)
        return found and found[0]

    def allocatable(self, resource: str) -> int | None:
        """The devices that are healthy; None as for `capacity`."""
        found = self.life.capacity(resource)
        return found and found[1]

    def health(self, resource: str) -> dict[str, str]:
        """Healthy or Unhealthy by id, as `allocatedResourcesStatus` of a pod shows it: of what the plugin listed
        last, whether it still lives or not, and of what pods hold; a device that is held and not listed is Healthy.
        """
        return self.life.health(resource)

    @property
    def breaches(self) -> tuple[Breach, ...]:
        """What plugins did wrong; empty at the end of a good test."""
        return self.journal.breaches

    def plugin(self, resource: str) -> Plugin:
        """The connection to a resource's plugin, for calls without a pod. Raises `LookupError` without one."""
        return self.life.plugin(resource)

    # Waiting

    def until(self, condition: Callable[[], Found], seconds: float = 10.0) -> Found:
        """Wait for a condition, and return what it yields; `AssertionError`, with the journal's end, if in vain."""
        return self.journal.until(condition, seconds)

    def next(self, what: str, resource: str | None = None, *, since: int = 0, seconds: float = 10.0) -> Event:
        """Wait for an event behind place ``since`` of the journal (a former ``len(kubelet.journal)``)."""
        return self.journal.until(lambda: self.journal.events(what, resource, since=since), seconds)[0]

    # Pods

    def admit(
        self, pod: str, container: str, resource: str, count: int = 1, *, running: bool = False
    ) -> frozenset[str]:
        """Admit a pod's container that asks for devices; the ids that it holds.

        A container that has its devices, by this kubelet or the one before, keeps them, and Allocate is not called.
        After a kubelet restart that goes well only when they are healthy, unless the container is still ``running``.

        Raises:
            UnexpectedAdmissionError: as the pod's status would say, for good.
        """
        return self.life.admit(pod, container, resource, count, running=running)

    def replay(self, pod: str, container: str) -> tuple[str, ...]:
        """Start a container, for the first or the hundredth time: the CDI names that go to the runtime.

        Raises:
            LookupError: it holds no device.
            UnexpectedAdmissionError: PreStartContainer was refused.
        """
        answers = map(pb.ContainerAllocateResponse.FromString, self.life.start_container(pod, container))
        return tuple(dict.fromkeys(device.name for answer in answers for device in answer.cdi_devices))

    def delete(self, pod: str, *, at_once: bool = False) -> None:
        """Delete a pod.

        Nobody tells the plugin, and the kubelet itself takes the devices back, and out of its checkpoint, only when
        it admits the next pod with devices; ``at_once`` does so here.
        """
        self.life.delete(pod)
        if at_once:
            self.life.sweep()
            self.life.write()

    # Registration

    def _register(self, request: pb.RegisterRequest, context: grpc.ServicerContext) -> pb.Empty:
        resource = request.resource_name
        life = self._life
        if life is None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the kubelet ends")
        self.journal.note("register", resource, endpoint=request.endpoint, version=request.version)
        life.await_end(resource)
        began = time.monotonic()
        while time.monotonic() < began + self._hang:
            if life.over.wait(_HANG_POLL):
                context.abort(grpc.StatusCode.UNAVAILABLE, "the kubelet ends")
        if self._refusal is not None:
            self._refuse(context, resource, *self._refusal)
        if problem := self._problem(request):
            rule, message = problem
            self.journal.breach(rule, resource, message)
            self._refuse(context, resource, grpc.StatusCode.UNKNOWN, message)
        if context.is_active():
            self._judge(request)
        asked = request.options if request.HasField("options") else None
        try:
            life.connect(resource, self._path(request), WAY, asked, context.is_active)
        except CallError as error:
            self._refuse(context, resource, grpc.StatusCode.UNKNOWN, f"failed to dial device plugin: {error}")
        self.journal.note("registered", resource, endpoint=request.endpoint, way=WAY)
        return pb.Empty()

    def _problem(self, request: pb.RegisterRequest) -> tuple[Rule, str] | None:
        if request.version != VERSION:
            return Rule.VERSION, f"requested API version {request.version!r} is not supported by kubelet: {VERSION}"
        if problem := resource_problem(request.resource_name):
            return Rule.RESOURCE_NAME, problem
        return None

    def _judge(self, request: pb.RegisterRequest) -> None:
        resource, endpoint = request.resource_name, request.endpoint
        if not endpoint or "/" in endpoint:
            self.journal.breach(Rule.ENDPOINT, resource, f"endpoint {endpoint!r} is no file name")
        self._referee.registers(resource, self._path(request), STANDARD_DIRECTORY)
        if self._watcher is not None and (path := self._watcher.announced(resource)):
            self.journal.breach(Rule.BOTH_WAYS, resource, f"it registers, and is announced by {path}")

    def _path(self, request: pb.RegisterRequest) -> str:
        return os.path.normpath(f"{self.directory}/{request.endpoint}")

    def _refuse(self, context: grpc.ServicerContext, resource: str, code: grpc.StatusCode, message: str) -> NoReturn:
        self.journal.note("refused", resource, error=message)
        context.abort(code, message)


class _Listener:
    """The gRPC server on kubelet.sock."""

    def __init__(
        self, directory: Path, register: Callable[[pb.RegisterRequest, grpc.ServicerContext], pb.Empty]
    ) -> None:
        # gRPC removes its socket when it ends, a killed kubelet does not: so it knows it by a path that is gone by
        # then, and that is short wherever the directory is.
        self._private = tempfile.mkdtemp(prefix="kubelet-")
        self._link = os.path.join(self._private, "d")
        os.symlink(directory, self._link)
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="kubelet.sock")
        self._server = grpc.server(self._workers, options=[("grpc.so_reuseport", 0)])
        method = grpc.unary_unary_rpc_method_handler(
            register, request_deserializer=pb.RegisterRequest.FromString, response_serializer=_serialize
        )
        handler = grpc.method_handlers_generic_handler("v1beta1.Registration", {"Register": method})
        self._server.add_generic_rpc_handlers((handler,))
        self._server.add_insecure_port(f"unix:{self._link}/{SOCKET}")
        self._server.start()

    def close(self) -> None:
        """Break every connection, and leave the socket's file."""
        os.unlink(self._link)
        os.rmdir(self._private)
        self._server.stop(None).wait()

    def join(self) -> None:
        """Wait for the threads that were still at a Register."""
        self._workers.shutdown()


def _serialize(message: pb.Empty) -> bytes:
    return message.SerializeToString()


def _remove_sockets(directory: Path) -> None:
    for path in directory.iterdir():
        with suppress(FileNotFoundError):
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()


def _await_tick(then: int) -> None:
    """Wait until files get a later time than that, as they do when a process had to start first."""
    while time.clock_gettime_ns(_REALTIME_COARSE) <= then:
        time.sleep(0.001)


def _await_inode(directory: Path, inode: int) -> None:
    """Wait until the next socket made in the directory gets this inode number, within reason."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        path = f"/proc/self/fd/{descriptor}/.trial"  # short enough wherever the directory is
        for _ in range(_INODE_ATTEMPTS):
            with socket.socket(socket.AF_UNIX) as trial:
                trial.bind(path)
            found = os.stat(path).st_ino
            os.unlink(path)
            if found == inode:
                return
            time.sleep(0.005)
    finally:
        os.close(descriptor)
