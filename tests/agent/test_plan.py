from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.plan import Change, Remove, Write, plan

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.mark.parametrize(
    ("desired", "present", "changes"),
    [
        ({}, {}, ()),
        ({"a": b"1"}, {}, (Write("a", b"1"),)),
        ({"a": b"1"}, {"a": b"1"}, ()),
        ({"a": b"1"}, {"a": b"0"}, (Write("a", b"1", b"0"),)),
        ({"a": b"1"}, {"a": None}, (Write("a", b"1", None),)),
        ({}, {"a": b"1"}, (Remove("a", b"1"),)),
        ({}, {"a": None}, (Remove("a", None),)),
        ({"b": b"", "c": b""}, {"a": b""}, (Write("b", b""), Write("c", b""), Remove("a", b""))),
    ],
)
def test_the_changes_between_what_should_be_and_what_is(
    desired: Mapping[str, bytes], present: Mapping[str, bytes | None], changes: tuple[Change, ...]
) -> None:
    assert plan(desired, present) == changes


def test_a_held_file_stays_as_it_is() -> None:
    assert plan({"a": b"1"}, {"a": b"0", "b": b"0"}, {"a", "b"}) == ()


FILES = st.dictionaries(st.sampled_from("abcd"), st.binary(max_size=1))


@settings(deadline=None)
@given(FILES, FILES)
def test_the_changes_lead_from_what_is_to_what_should_be(desired: dict[str, bytes], present: dict[str, bytes]) -> None:
    files = dict(present)
    for change in plan(desired, present):
        match change:
            case Write(name, data):
                files[name] = data
            case Remove(name):
                del files[name]
    assert files == desired
    assert plan(desired, files) == ()
