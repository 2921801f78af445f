"""What both ends of a gRPC call share: status, and how messages lie in a stream of bytes."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT_TYPE = b"application/grpc"
_PREFIX = 5  # bytes before each message: a flag for compression, and its length


class Code(enum.IntEnum):
    """The status codes of gRPC that are told apart here."""

    OK = 0
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


class RpcError(Exception):
    """A call ends with this status instead of an answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def framed(message: bytes) -> bytes:
    """Return a message as it lies in the stream: not compressed, its length, itself."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class Unframer:
    """Takes the bytes of a stream in any pieces, and gives the messages in it."""

    def __init__(self, limit: int) -> None:
        """``limit``: the longest message that is taken, in bytes."""
        self._limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each message that is complete now.

        Raises:
            RpcError: one is compressed, or longer than the limit.
        """
        self._rest += data
        while len(self._rest) >= _PREFIX:
            length = int.from_bytes(self._rest[1:_PREFIX], "big")
            if self._rest[0]:
                raise RpcError(Code.UNIMPLEMENTED, "the message is compressed; send it as it is")
            if length > self._limit:
                raise RpcError(
                    Code.RESOURCE_EXHAUSTED, f"the message has {length} bytes; at most {self._limit} are taken"
                )
            if len(self._rest) < _PREFIX + length:
                return
            message = bytes(self._rest[_PREFIX : _PREFIX + length])
            del self._rest[: _PREFIX + length]
            yield message

    @property
    def held(self) -> int:
        """How many bytes are kept of a message that has only begun."""
        return len(self._rest)

    @property
    def whole(self) -> bool:
        """Whether nothing is left of a message that has only begun."""
        return not self._rest


def percent_encoded(message: str) -> bytes:
    """Return a status message as the header ``grpc-message`` carries it: ASCII, with ``%`` and a byte for others."""
    return b"".join(
        bytes((byte,)) if 0x20 <= byte <= 0x7E and byte != 0x25 else b"%%%02X" % byte for byte in message.encode()
    )


def percent_decoded(message: bytes) -> str:
    """Return the text of a header ``grpc-message``, however malformed."""
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(message).decode("utf-8", "replace")
