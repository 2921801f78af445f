from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.rpc.messages import Code, RpcError, Unframer, framed, percent_decoded, percent_encoded


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(1, 20), max_size=40))
def test_messages_come_out_of_any_pieces(messages: list[bytes], pieces: list[int]) -> None:
    found: list[bytes] = []
    data, unframer = b"".join(map(framed, messages)), Unframer(40)
    for size in pieces:
        found += unframer.feed(data[:size])
        data = data[size:]
    found += unframer.feed(data)
    assert found == messages
    assert unframer.whole


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\1" + framed(b"x")[1:], Code.UNIMPLEMENTED),
        (b"\xff\0\0\0\0", Code.UNIMPLEMENTED),
        (b"\0\xff\xff\xff\xff", Code.RESOURCE_EXHAUSTED),
        (framed(b"x" * 11), Code.RESOURCE_EXHAUSTED),
    ],
)
def test_what_is_not_taken_is_refused_at_its_prefix(data: bytes, code: Code) -> None:
    unframer = Unframer(10)
    with pytest.raises(RpcError) as refusal:
        list(unframer.feed(data[:5]))
    assert refusal.value.code == code


def test_messages_before_a_bad_one_are_given() -> None:
    found = Unframer(10).feed(framed(b"good") + b"\1\0\0\0\0")
    assert next(found) == b"good"
    with pytest.raises(RpcError):
        next(found)


@pytest.mark.parametrize(("data", "held"), [(b"", 0), (b"\0", 1), (framed(b"abc")[:-1], 7), (framed(b"abc"), 0)])
def test_what_has_only_begun_is_held(data: bytes, held: int) -> None:
    unframer = Unframer(10)
    list(unframer.feed(data))
    assert (unframer.held, unframer.whole) == (held, not held)


@settings(deadline=None)
@given(st.text())
def test_a_status_message_comes_back_as_it_was(message: str) -> None:
    encoded = percent_encoded(message)
    assert all(0x20 <= byte <= 0x7E for byte in encoded)
    assert percent_decoded(encoded) == message


@pytest.mark.parametrize(
    ("encoded", "message"),
    [(b"%", "%"), (b"%4", "%4"), (b"%zz", "%zz"), (b"%ff", "\ufffd"), (b"\xff", "\ufffd"), (b"100%25", "100%")],
)
def test_a_malformed_status_message_is_shown_as_well_as_it_can(encoded: bytes, message: str) -> None:
    assert percent_decoded(encoded) == message
