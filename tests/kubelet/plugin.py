"""A small device plugin that keeps every rule, and breaks one where a test tells it to."""

from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import grpc

from tests.kubelet.pb import deviceplugin_pb2 as pb
from tests.kubelet.pb import pluginregistration_pb2 as registration
from tests.kubelet.rules import HEALTHY, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from google.protobuf.message import Message

Answered = TypeVar("Answered")
RESOURCE = "acme.com/modem"
_POLL = 0.002
# No retries: gRPC would repeat a Register at the next kubelet, which has removed the socket that it names.
_CHANNEL = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
_HELLO_SECONDS = 1.0
_STREAM_SECONDS = 1.0  # from a registration to its stream


def device(one: str, health: str = HEALTHY, *nodes: int) -> pb.Device:
    """A device as it is listed."""
    return pb.Device(ID=one, health=health, topology=pb.TopologyInfo(nodes=[pb.NUMANode(ID=node) for node in nodes]))


def cdi_answer(ids: Sequence[str], kind: str = RESOURCE) -> pb.AllocateResponse:
    """CDI names and nothing else."""
    names = [pb.CDIDevice(name=f"{kind}={one.partition('::')[0]}") for one in ids]
    return pb.AllocateResponse(container_responses=[pb.ContainerAllocateResponse(cdi_devices=names)])


@contextmanager
def bound(path: Path, mode: int = 0o600) -> Iterator[None]:
    """A socket at which nobody answers; its file stays. The path may be longer than a socket's can be."""
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(path.parent)
        try:
            listener.bind(path.name)
        finally:
            os.chdir(here)
        path.chmod(mode)
        yield


class RefusalError(Exception):
    """An RPC that the plugin refuses."""


class SmallPlugin:
    """A context in which a plugin serves a socket; `register` it, or let it `follow` the kubelet, or `announce` it."""

    def __init__(
        self,
        directory: Path,
        devices: Sequence[pb.Device] = (),
        resource: str = RESOURCE,
        *,
        name: str = "acme.sock",
        mode: int = 0o600,
        options: pb.DevicePluginOptions | None = None,
        info: registration.PluginInfo | None = None,
    ) -> None:
        self.socket = directory / name
        self.kubelet = directory / "kubelet.sock"
        self.resource = resource
        self.options = options or pb.DevicePluginOptions()
        self.info = info or registration.PluginInfo(type="DevicePlugin", name=resource, supported_versions=[VERSION])
        self.answer: Callable[[Sequence[str]], pb.AllocateResponse] = cdi_answer
        self.prefer: Callable[[Sequence[str], int], Sequence[str]] = lambda ids, size: sorted(ids)[-size:]
        self.calls: list[tuple[str, tuple[str, ...]]] = []  # Allocate and PreStartContainer, with their ids
        self.statuses: list[registration.RegistrationStatus] = []
        self._mode = mode
        self._devices = tuple(devices)
        self._changed = threading.Condition()
        self._version = 0
        self._streams = 0
        self._ended = 0  # streams up to this one end
        self._opened = 0
        self._over = threading.Event()
        self._server: grpc.Server | None = None
        self._workers: ThreadPoolExecutor | None = None
        self._follower: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.serve()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._follower is not None:
            self._follower.join()
        self.close()

    def serve(self) -> None:
        """Serve the socket, anew where it was served before."""
        self.close()
        self._workers = ThreadPoolExecutor(8)
        self._server = grpc.server(self._workers, options=[("grpc.max_send_message_length", -1)])
        self._server.add_generic_rpc_handlers(self._handlers())
        self._server.add_insecure_port(f"unix:{self.socket}")
        self.socket.chmod(self._mode)
        self._server.start()

    def close(self) -> None:
        """End every stream and serve no more."""
        self.end_streams()
        if self._server is not None and self._workers is not None:
            self._server.stop(None).wait()
            self._workers.shutdown()
        self._server = self._workers = None

    def list(self, *devices: pb.Device) -> None:
        """Send another list on every stream."""
        with self._changed:
            self._devices = devices
            self._version += 1
            self._changed.notify_all()

    def end_streams(self) -> None:
        """End the streams that are open."""
        with self._changed:
            self._ended = self._opened
            self._changed.notify_all()

    @property
    def streams(self) -> int:
        """How many are open."""
        return self._streams

    def register(self, then: Callable[[], None] | None = None, **other: Any) -> None:
        """Register at the kubelet, with fields other than the right ones where they are given.

        ``then`` is called between connecting and registering.

        Raises:
            grpc.RpcError: its refusal.
        """
        fields = {"version": VERSION, "endpoint": self.socket.name, "resource_name": self.resource}
        request = pb.RegisterRequest(**{**fields, **other})
        with grpc.insecure_channel(f"unix:{self.kubelet}", options=_CHANNEL) as channel:
            if then is not None:
                _connect(channel)
                then()
            call: grpc.UnaryUnaryMultiCallable[pb.RegisterRequest, pb.Empty] = channel.unary_unary(
                "/v1beta1.Registration/Register",
                request_serializer=_serialize,
                response_deserializer=pb.Empty.FromString,
            )
            call(request, timeout=60)

    def follow(self) -> None:
        """From now on register whenever there is no stream, and serve the socket anew when it was removed."""
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._follower.start()

    def _follow(self) -> None:
        while not self._over.wait(_POLL):
            if self._streams or not self.kubelet.exists():
                continue
            opened = self._opened
            try:
                # A kubelet removes sockets before it listens: only when connected is it sure that ours stays.
                self.register(then=self._serve_if_removed)
            except grpc.RpcError:
                continue
            self._await_stream(opened)

    def _await_stream(self, opened: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._opened > opened, _STREAM_SECONDS)

    def _serve_if_removed(self) -> None:
        if not self.socket.exists():
            self.serve()

    def _handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        plugin = {
            "GetDevicePluginOptions": _method(lambda _, __: self.options, pb.Empty),
            "ListAndWatch": grpc.unary_stream_rpc_method_handler(
                self._list_and_watch, request_deserializer=pb.Empty.FromString, response_serializer=_serialize
            ),
            "GetPreferredAllocation": _method(self._prefer, pb.PreferredAllocationRequest),
            "Allocate": _method(self._allocate, pb.AllocateRequest),
            "PreStartContainer": _method(self._pre_start, pb.PreStartContainerRequest),
        }
        announced = {
            "GetInfo": _method(lambda _, __: self.info, registration.InfoRequest),
            "NotifyRegistrationStatus": _method(self._status, registration.RegistrationStatus),
        }
        return (
            grpc.method_handlers_generic_handler("v1beta1.DevicePlugin", plugin),
            grpc.method_handlers_generic_handler("pluginregistration.Registration", announced),
        )

    def _list_and_watch(self, _: pb.Empty, context: grpc.ServicerContext) -> Iterator[pb.ListAndWatchResponse]:
        with self._changed:
            self._opened += 1
            self._streams += 1
            number, sent = self._opened, -1
            self._changed.notify_all()
        context.add_callback(self._gone)
        while True:
            with self._changed:
                while sent == self._version and number > self._ended and context.is_active():
                    self._changed.wait()
                if number <= self._ended or not context.is_active():
                    return
                sent, devices = self._version, self._devices
            yield pb.ListAndWatchResponse(devices=devices)

    def _gone(self) -> None:
        with self._changed:
            self._streams -= 1
            self._changed.notify_all()

    def _prefer(self, request: pb.PreferredAllocationRequest, context: grpc.ServicerContext) -> Message:
        asked = request.container_requests[0]
        chosen = _or_refuse(context, lambda: self.prefer(asked.available_deviceIDs, asked.allocation_size))
        response = pb.ContainerPreferredAllocationResponse(deviceIDs=chosen)
        return pb.PreferredAllocationResponse(container_responses=[response])

    def _allocate(self, request: pb.AllocateRequest, context: grpc.ServicerContext) -> Message:
        ids = tuple(request.container_requests[0].devices_ids)
        self.calls.append(("Allocate", ids))
        return _or_refuse(context, lambda: self.answer(ids))

    def _pre_start(self, request: pb.PreStartContainerRequest, context: grpc.ServicerContext) -> Message:
        self.calls.append(("PreStartContainer", tuple(request.devices_ids)))
        return pb.PreStartContainerResponse()

    def _status(self, request: registration.RegistrationStatus, context: grpc.ServicerContext) -> Message:
        self.statuses.append(request)
        return registration.RegistrationStatusResponse()


def _connect(channel: grpc.Channel) -> None:
    hello: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/v1beta1.Registration/Hello")
    try:
        hello(b"", timeout=_HELLO_SECONDS)
    except grpc.RpcError as error:
        if cast("grpc.Call", error).code() is not grpc.StatusCode.UNIMPLEMENTED:
            raise


def _or_refuse(context: grpc.ServicerContext, answer: Callable[[], Answered]) -> Answered:
    try:
        return answer()
    except RefusalError as refusal:
        context.abort(grpc.StatusCode.NOT_FOUND, str(refusal))


def _method(
    answer: Callable[[Any, grpc.ServicerContext], Message], request: type[Message]
) -> grpc.RpcMethodHandler[Any, Any]:
    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=request.FromString, response_serializer=_serialize
    )


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
