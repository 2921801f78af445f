from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf import descriptor_pb2 as real
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.rpc import protobuf
from agent.rpc.protobuf import DamagedError, as_bytes, as_int, as_text, block, fields, flag, integer, text

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = st.integers(1, 2**29 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)


@settings(deadline=None)
@given(NUMBERS, INT64)
def test_a_number_comes_back_as_it_was(number: int, value: int) -> None:
    found = list(fields(integer(number, value)))
    assert [(one, as_int(said)) for one, said in found] == ([(number, value)] if value else [])


@settings(deadline=None)
@given(NUMBERS, st.text())
def test_a_text_comes_back_as_it_was(number: int, value: str) -> None:
    found = list(fields(text(number, value)))
    assert [(one, as_text(said)) for one, said in found] == ([(number, value)] if value else [])


@settings(deadline=None)
@given(st.lists(st.tuples(NUMBERS, INT64.filter(bool) | st.binary())))
def test_fields_come_back_in_order(wanted: list[tuple[int, int | bytes]]) -> None:
    data = b"".join(
        integer(number, value) if isinstance(value, int) else block(number, value) for number, value in wanted
    )
    found = [(number, value if isinstance(value, bytes) else as_int(value)) for number, value in fields(data)]
    assert found == wanted


@settings(deadline=None)
@given(st.integers(-(2**31), 2**31 - 1), st.text(min_size=1), st.booleans())
def test_a_real_message_reads_the_same(number: int, name: str, deprecated: bool) -> None:
    ours = text(1, name) + integer(3, number) + block(8, flag(3, deprecated) + flag(4, value=True))
    theirs = real.FieldDescriptorProto(name=name, number=number)
    theirs.options.deprecated = deprecated
    read = real.FieldDescriptorProto.FromString(ours)
    assert (read.name, read.number, read.options.deprecated) == (name, number, deprecated)
    said = dict(fields(theirs.SerializeToString()))
    assert (as_text(said[1]), as_int(said[3])) == (name, number)
    assert dict(fields(as_bytes(said[8]))) == {3: int(deprecated)}


def test_nothing_is_written_of_what_is_nothing() -> None:
    assert text(1, "") + flag(1, value=False) + integer(1, 0) == b""
    assert block(1, b"") == b"\x0a\x00"
    assert list(fields(b"")) == []


def test_what_has_a_fixed_length_is_skipped() -> None:
    data = b"\x09" + b"x" * 8 + b"\x0d" + b"x" * 4 + text(2, "a")
    assert list(fields(data)) == [(2, b"a")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x0a", "a number is cut short"),
        (b"\x0a\x02a", "a field is cut short"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a field is cut short"),
        (b"\x09abc", "a field is cut short"),
        (b"\x0dabc", "a field is cut short"),
        (b"\x08", "a number is cut short"),
        (b"\x08\x80", "a number is cut short"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "a number is longer than 64 bits"),
        (b"\xff" * 11, "a number is longer than 64 bits"),
        (b"\x02\x00", "a field has the number 0"),
        (b"\x0b", "wire type 3 is unknown"),
        (b"\x0c", "wire type 4 is unknown"),
        (b"\x0e", "wire type 6 is unknown"),
        (b"\x0f", "wire type 7 is unknown"),
    ],
)
def test_what_is_no_message_is_damaged(data: bytes, why: str) -> None:
    with pytest.raises(DamagedError, match=why):
        list(fields(data))


@pytest.mark.parametrize(
    ("read", "value", "why"),
    [
        (as_text, 1, "another type"),
        (as_bytes, 1, "another type"),
        (as_int, b"1", "another type"),
        (as_text, b"\xff", "not UTF-8"),
        (as_text, b"\xed\xa0\x80", "not UTF-8"),
    ],
)
def test_a_field_of_another_type_is_damaged(
    read: Callable[[int | bytes], object], value: int | bytes, why: str
) -> None:
    with pytest.raises(DamagedError, match=why):
        read(value)


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_any_bytes_are_fields_or_damaged(data: bytes) -> None:
    try:
        found = list(protobuf.fields(data))
    except DamagedError:
        return
    assert all(number > 0 for number, _ in found)
