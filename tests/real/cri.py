"""A client of the container runtime interface, as far as the tests go."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc

from tests.real.cri_pb import cri_pb2 as pb

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

Answer = TypeVar("Answer", bound="Message")
_CALL_SECONDS = 60.0


class CRIError(Exception):
    """The runtime refused a call; `message` is its own word, `code` gRPC's."""

    def __init__(self, method: str, code: grpc.StatusCode, message: str) -> None:
        super().__init__(f"{method}: {code.name}: {message}")
        self.method, self.code, self.message = method, code, message


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


class CRI:
    """One connection to a runtime's socket."""

    def __init__(self, socket: Path) -> None:
        self._channel = grpc.insecure_channel(f"unix:{socket}")

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def call(self, method: str, request: Message, answer: type[Answer]) -> Answer:
        """Call a method of the runtime service, or, when it has a slash, of another one.

        Raises:
            CRIError: the runtime's refusal, or that it did not answer in time.
        """
        path = f"/{method}" if "/" in method else f"/runtime.v1.RuntimeService/{method}"
        stub: grpc.UnaryUnaryMultiCallable[Message, Answer] = self._channel.unary_unary(
            path, request_serializer=_serialize, response_deserializer=answer.FromString
        )
        try:
            return stub(request, timeout=_CALL_SECONDS)
        except grpc.RpcError as error:
            refusal = cast("grpc.Call", error)
            raise CRIError(method, refusal.code(), refusal.details() or "") from None

    def wait_ready(self, seconds: float) -> None:
        """Wait until the runtime answers; a daemon serves its socket before this part of it is up.

        Raises:
            CRIError: its last answer, when time is up or there is no such service at all.
        """
        end = time.monotonic() + seconds
        while True:
            try:
                self.call("Version", pb.VersionRequest(), pb.VersionResponse)
            except CRIError as error:
                if error.code is grpc.StatusCode.UNIMPLEMENTED or time.monotonic() > end:
                    raise
                time.sleep(0.02)
            else:
                return

    def config(self) -> dict[str, Any]:
        """The configuration in force, out of `Status(verbose)`."""
        answer = self.call("Status", pb.StatusRequest(verbose=True), pb.StatusResponse)
        config: dict[str, Any] = json.loads(answer.info["config"])
        return config

    def has_image(self, name: str) -> bool:
        """Whether the runtime would start a container of this image without pulling it."""
        request = pb.ImageStatusRequest(image=pb.ImageSpec(image=name))
        answer = self.call("runtime.v1.ImageService/ImageStatus", request, pb.ImageStatusResponse)
        return answer.HasField("image")
