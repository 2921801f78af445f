from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.deviceplugin import ids

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9:._-]{0,8}[a-z0-9])?", fullmatch=True).filter(lambda name: "::" not in name)


def test_the_first_share_has_the_devices_own_name() -> None:
    assert [ids.share("a", number) for number in range(3)] == ["a", "a::1", "a::2"]


@settings(deadline=None)
@given(NAMES, st.integers(0, 10_000), st.integers(1, 10_000))
def test_a_share_is_known_while_there_are_so_many(name: str, number: int, shares: int) -> None:
    id_ = ids.share(name, number)
    assert ids.device_of(id_) == name
    assert ids.known(id_, {name: None}, shares) is (number < shares)
    assert not ids.known(id_, {f"{name}x": None}, shares)


@pytest.mark.parametrize(
    "id_",
    ["", "b", "a::", "a::0", "a::01", "a::-1", "a::+1", "a:: 1", "a::1 ", "a::1::1", "a::2", "a::\u00b2", "a::\u0661",
     "a::1_0", "a:::1", "a:1", "::1", "A", "a ", "a\0", "a::" + "9" * 5000, "a::" + "1" * 10],
)  # fmt: skip
def test_what_only_looks_like_a_share_is_not_known(id_: str) -> None:
    assert not ids.known(id_, {"a": None}, 2)
