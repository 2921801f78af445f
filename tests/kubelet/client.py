"""A connection to a plugin's socket, and the calls that a kubelet makes on it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar, cast

import grpc

from tests.kubelet.pb import deviceplugin_pb2 as pb
from tests.kubelet.pb import pluginregistration_pb2 as registration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.protobuf.message import Message

Answer = TypeVar("Answer", bound="Message")

RECEIVE_BYTES = 4 * 1024 * 1024  # gRPC's own limit, which the kubelet leaves as it is
_OPTIONS = (
    ("grpc.default_authority", "localhost"),
    ("grpc.max_receive_message_length", RECEIVE_BYTES),
    ("grpc.use_local_subchannel_pool", 1),  # else the next connection to the path would share this one's fate
)
_PRE_START_SECONDS = 30.0
_INFO_SECONDS = 1.0
_NOTIFY_SECONDS = 5.0


class CallError(Exception):
    """A plugin's refusal, or that it cannot be reached; the message is for the pod's or the plugin's owner."""

    def __init__(self, method: str, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{method}: {code.name}: {details}")
        self.code, self.details = code, details


class Connection:
    """A channel to a unix socket. Calls raise `CallError`."""

    def __init__(self, socket: str) -> None:
        self.socket = socket
        self.closed = False
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=_OPTIONS)

    def close(self) -> None:
        """End it, and every call on it."""
        self.closed = True
        self._channel.close()

    def call(
        self, method: str, request: Message, answer: type[Answer], seconds: float | None = None, *, wait: bool = False
    ) -> Answer:
        """Call a method; with ``wait``, while nobody listens at the socket it is tried again, too."""
        stub: grpc.UnaryUnaryMultiCallable[Message, Answer] = self._channel.unary_unary(
            f"/{method}", request_serializer=_serialize, response_deserializer=answer.FromString
        )
        try:
            return stub(request, timeout=seconds, wait_for_ready=wait)
        except grpc.RpcError as error:
            raise _call_error(method, error) from None
        except ValueError:  # closed by another thread
            raise CallError(method, grpc.StatusCode.CANCELLED, "the connection is closed") from None

    def stream(self, method: str, answer: type[Answer]) -> Iterator[Answer]:
        """Call a method that answers with a stream; each message is read when it is asked for, not before."""
        stub: grpc.UnaryStreamMultiCallable[Message, Answer] = self._channel.unary_stream(
            f"/{method}", request_serializer=_serialize, response_deserializer=answer.FromString
        )
        try:
            yield from stub(pb.Empty())
        except grpc.RpcError as error:
            raise _call_error(method, error) from None
        except ValueError:
            raise CallError(method, grpc.StatusCode.CANCELLED, "the connection is closed") from None


class Plugin(Connection):
    """A device plugin as registered for a resource, in one way or the other; `options` are set by `dial`."""

    def __init__(self, resource: str, socket: str, way: str) -> None:
        super().__init__(socket)
        self.resource = resource
        self.way = way
        self.options = pb.DevicePluginOptions()
        self.dialled = False
        self.late = False  # nobody served the socket when it was dialled first
        self.listed = False  # it sent a list, so it knows of its stream
        self.ended = False  # its stream did

    def dial(self, seconds: float) -> None:
        """Connect within so many seconds and ask for the options.

        Raises:
            CallError: it could not be reached, or did not answer well.
        """
        end = time.monotonic() + seconds
        method = "v1beta1.DevicePlugin/GetDevicePluginOptions"
        try:
            self.options = self.call(method, pb.Empty(), pb.DevicePluginOptions, seconds)
        except CallError as error:
            if error.code is not grpc.StatusCode.UNAVAILABLE:
                raise
            self.late = True
            left = max(0.0, end - time.monotonic())
            self.options = self.call(method, pb.Empty(), pb.DevicePluginOptions, left, wait=True)
        self.dialled = True

    def lists(self) -> Iterator[pb.ListAndWatchResponse]:
        """What ListAndWatch sends, for its life. Raises `CallError` where it ends with an error."""
        return self.stream("v1beta1.DevicePlugin/ListAndWatch", pb.ListAndWatchResponse)

    def prefer(self, available: Iterable[str], size: int) -> frozenset[str]:
        """The plugin's choice of ``size`` devices; it may name fewer."""
        container = pb.ContainerPreferredAllocationRequest(available_deviceIDs=available, allocation_size=size)
        request = pb.PreferredAllocationRequest(container_requests=[container])
        method = "v1beta1.DevicePlugin/GetPreferredAllocation"
        answer = self.call(method, request, pb.PreferredAllocationResponse)
        return frozenset(answer.container_responses[0].deviceIDs if answer.container_responses else ())

    def allocate(self, ids: Iterable[str]) -> pb.AllocateResponse:
        """The answer to Allocate for one container, for which the kubelet waits without a limit."""
        request = pb.AllocateRequest(container_requests=[pb.ContainerAllocateRequest(devices_ids=ids)])
        return self.call("v1beta1.DevicePlugin/Allocate", request, pb.AllocateResponse)

    def pre_start(self, ids: Iterable[str]) -> None:
        """Announce that a container with these devices starts."""
        request = pb.PreStartContainerRequest(devices_ids=ids)
        method = "v1beta1.DevicePlugin/PreStartContainer"
        self.call(method, request, pb.PreStartContainerResponse, _PRE_START_SECONDS)


class Registrar(Connection):
    """A socket in the plugin registry."""

    def info(self, seconds: float) -> registration.PluginInfo:
        """What the plugin says of itself; ``seconds`` are for the dialling."""
        method, request = "pluginregistration.Registration/GetInfo", registration.InfoRequest()
        try:
            return self.call(method, request, registration.PluginInfo, _INFO_SECONDS)
        except CallError as error:
            if error.code is not grpc.StatusCode.UNAVAILABLE:
                raise
            return self.call(method, request, registration.PluginInfo, seconds, wait=True)

    def notify(self, error: str = "") -> None:
        """Tell the plugin that it is registered, or why not."""
        request = registration.RegistrationStatus(plugin_registered=not error, error=error)
        method = "pluginregistration.Registration/NotifyRegistrationStatus"
        self.call(method, request, registration.RegistrationStatusResponse, _NOTIFY_SECONDS)


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


def _call_error(method: str, error: grpc.RpcError) -> CallError:
    call = cast("grpc.Call", error)
    return CallError(method, call.code(), call.details() or "")
