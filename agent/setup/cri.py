"""What a running container runtime says of itself: the CRI call Status, verbose.

Only two fields of two messages matter, so they are written and read here byte by byte instead of by generated stubs
(k8s.io/cri-api, pkg/apis/runtime/v1: StatusRequest.verbose = 1, StatusResponse.info = 2, a map of strings).
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERBOSE = b"\x08\x01"
_BYTES = {1: 8, 5: 4}  # of the wire types of fixed length


class NoAnswerError(Exception):
    """The daemon gave no answer; the message says why.

    ``absent``: it answers, but has no CRI; ``unable``: there is nothing here to ask it with.
    """

    def __init__(self, message: str, *, absent: bool = False, unable: bool = False) -> None:
        super().__init__(message)
        self.absent = absent
        self.unable = unable


def config(socket: str, seconds: float = 5.0) -> dict[str, Any]:
    """Return the CRI configuration in force in the daemon at a socket.

    Raises:
        NoAnswerError: it does not run, has no CRI, or there is no gRPC here to ask it with.
    """
    for name, value in (("GRPC_ENABLE_FORK_SUPPORT", "0"), ("GRPC_VERBOSITY", "NONE")):
        os.environ.setdefault(name, value)
    try:
        import grpc
    except ImportError:
        raise NoAnswerError("the package grpcio, with which to ask, is not installed", unable=True) from None
    if not os.path.exists(socket):
        raise NoAnswerError(f"nothing listens at {socket}")
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/runtime.v1.RuntimeService/Status")
        try:
            answer = call(_VERBOSE, timeout=seconds)
        except grpc.RpcError as error:
            refusal = cast("grpc.Call", error)
            absent = refusal.code() is grpc.StatusCode.UNIMPLEMENTED
            raise NoAnswerError("its CRI plugin is off" if absent else "it does not answer", absent=absent) from None
    return parse(answer)


def parse(answer: bytes) -> dict[str, Any]:
    """Return the configuration out of a StatusResponse; empty where it has none or is damaged."""
    try:
        for number, value in _fields(answer):
            entry = dict(_fields(value)) if number == 2 else {}
            if entry.get(1) == b"config":
                found = json.loads(entry.get(2, b"{}"))
                return found if isinstance(found, dict) else {}
    except (ValueError, IndexError, RecursionError):
        pass
    return {}


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each field of a message that has a length; others are skipped."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            _, at = _varint(message, at)
        elif kind == 2:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("cut short")
            yield key >> 3, message[at : at + length]
            at += length
        elif kind in _BYTES:
            at += _BYTES[kind]
        else:
            raise ValueError("no such wire type")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = message[at]
        result |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return result, at
