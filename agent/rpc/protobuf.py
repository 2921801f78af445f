"""The wire format of protocol buffers: fields out of a message, and into one.

Only what the kubelet's and the runtimes' interfaces use (protobuf.dev, "Encoding"): numbers, and whatever has a length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIXED = {1: 8, 5: 4}  # bytes of the wire types of fixed length, which are skipped
_BITS = 64


class DamagedError(ValueError):
    """These bytes are no message; the text says why."""


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field in order: an ``int``, or the ``bytes`` of what has a length.

    Raises:
        DamagedError: the message ends within a field, or is none.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise DamagedError("a field has the number 0")
        if kind == 0:
            value, at = _varint(message, at)
            yield number, value
        elif kind == 2:
            length, at = _varint(message, at)
            if length > len(message) - at:
                raise DamagedError("a field is cut short")
            yield number, message[at : at + length]
            at += length
        elif kind in _FIXED:
            at += _FIXED[kind]
            if at > len(message):
                raise DamagedError("a field is cut short")
        else:
            raise DamagedError(f"wire type {kind} is unknown")


def block(number: int, value: bytes) -> bytes:
    """Return a field that has a length: a message, or bytes."""
    return _key(number, 2) + _number(len(value)) + value


def text(number: int, value: str) -> bytes:
    """Return a string field; nothing where it is empty, as proto3 has it."""
    return block(number, value.encode()) if value else b""


def flag(number: int, value: bool) -> bytes:
    """Return a boolean field; nothing where it is false, as proto3 has it."""
    return _key(number, 0) + b"\x01" if value else b""


def integer(number: int, value: int) -> bytes:
    """Return an integer field (not zigzag); nothing where it is 0, as proto3 has it."""
    return _key(number, 0) + _number(value & (1 << _BITS) - 1) if value else b""


def as_text(value: int | bytes) -> str:
    """Return a field's value as the string it is meant to be.

    Raises:
        DamagedError: it is a number, or not UTF-8.
    """
    try:
        return as_bytes(value).decode()
    except UnicodeDecodeError:
        raise DamagedError("a string is not UTF-8") from None


def as_bytes(value: int | bytes) -> bytes:
    """Return a field's value as the message it is meant to be.

    Raises:
        DamagedError: it is a number.
    """
    if isinstance(value, int):
        raise DamagedError("a field has another type than it should")
    return value


def as_int(value: int | bytes) -> int:
    """Return a field's value as the signed number it is meant to be.

    Raises:
        DamagedError: it is none.
    """
    if not isinstance(value, int):
        raise DamagedError("a field has another type than it should")
    return value - (1 << _BITS) if value >> (_BITS - 1) else value


def _key(number: int, kind: int) -> bytes:
    return _number(number << 3 | kind)


def _number(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    result = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise DamagedError("a number is cut short")
        byte = message[at]
        result |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return result & (1 << _BITS) - 1, at
    raise DamagedError("a number is longer than 64 bits")
