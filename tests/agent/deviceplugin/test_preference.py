from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.deviceplugin import ids
from agent.deviceplugin.preference import preferred
from agent.inventory import Listed

if TYPE_CHECKING:
    import random


def devices(**numa: tuple[int, ...]) -> dict[str, Listed]:
    return {name: Listed(healthy=True, numa=nodes) for name, nodes in numa.items()}


def shares(names: str, number: int) -> list[str]:
    return [ids.share(name, one) for name in names for one in range(number)]


TWO_NODES = devices(a=(0,), b=(0,), c=(1,), d=(1,), e=(1,))


@pytest.mark.parametrize(
    ("available", "required", "size", "listed", "chosen"),
    [
        (["a", "b"], [], 1, devices(), ["a"]),
        (["b", "a", "b"], [], 5, devices(), ["a", "b"]),
        ([], [], 3, devices(), []),
        (["a"], [], 0, devices(), []),
        (["a"], [], -1, devices(), []),
        (["a", "b"], ["b"], 1, devices(), ["b"]),
        (["a"], ["b"], 2, devices(), ["b", "a"]),
        (["a", "b", "c"], ["c", "c"], 2, devices(), ["c", "a"]),
        # shares spread: a device of which nothing is taken first, then the one with most left
        (shares("ab", 3), [], 2, devices(a=(), b=()), ["a", "b"]),
        (shares("ab", 3), [], 4, devices(a=(), b=()), ["a", "b", "a::1", "b::1"]),
        (["a::2", "b::1", "b::2"], [], 1, devices(a=(), b=()), ["b::1"]),
        (["a::10", "a::9"], [], 1, devices(a=()), ["a::9"]),
        (shares("ab", 2), ["a"], 2, devices(a=(), b=()), ["a", "b"]),
        # one memory node: of what is required, else the smallest with enough, else the one with most
        (list("abcde"), [], 2, TWO_NODES, ["a", "b"]),
        (list("abcde"), [], 3, TWO_NODES, ["c", "d", "e"]),
        (list("abcde"), [], 4, TWO_NODES, ["c", "d", "e", "a"]),
        (list("abcde"), ["c"], 2, TWO_NODES, ["c", "d"]),
        (list("abde"), ["c", "d"], 3, TWO_NODES, ["c", "d", "e"]),
        (list("acde"), [], 1, TWO_NODES, ["a"]),
        (["x", "c"], [], 1, devices(x=(), c=(1,)), ["c"]),
        (["b", "c"], [], 1, devices(b=(0, 1), c=(1,)), ["b"]),
        (["unknown", "a"], [], 2, devices(a=(0,)), ["a", "unknown"]),
    ],
)
def test_what_a_container_had_best_be_given(
    available: list[str], required: list[str], size: int, listed: dict[str, Listed], chosen: list[str]
) -> None:
    assert preferred(available, required, size, listed) == tuple(chosen)


NODES = st.lists(st.integers(0, 2), max_size=2, unique=True).map(lambda nodes: tuple(sorted(nodes)))
CASES = st.dictionaries(st.sampled_from("abcdefgh"), NODES, max_size=8).flatmap(
    lambda numa: st.tuples(
        st.just(devices(**numa)),
        st.lists(st.sampled_from(shares("".join(numa), 3)), unique=True) if numa else st.just([]),
        st.lists(st.sampled_from(shares("".join(numa), 3)), unique=True, max_size=3) if numa else st.just([]),
        st.integers(-1, 12),
    )
)


@settings(deadline=None, max_examples=300)
@given(CASES, st.randoms())
def test_a_choice_is_whole_and_always_the_same(
    case: tuple[dict[str, Listed], list[str], list[str], int], chance: random.Random
) -> None:
    listed, available, required, size = case
    chosen = preferred(available, required, size, listed)
    assert len(chosen) == len(set(chosen)) == max(0, min(size, len({*available, *required})))
    assert set(chosen) <= {*available, *required}
    assert list(chosen[: len(required)]) == required[: max(size, 0)]
    shuffled = sorted(available, key=lambda _: chance.random())
    assert preferred(shuffled, required, size, dict(reversed(listed.items()))) == chosen


@settings(deadline=None, max_examples=300)
@given(CASES)
def test_shares_are_spread_over_as_many_devices_as_there_are(
    case: tuple[dict[str, Listed], list[str], list[str], int],
) -> None:
    listed, available, _, size = case
    used = Counter(map(ids.device_of, preferred(available, [], size, listed)))
    there = set(map(ids.device_of, available))
    assert len(used) == min(max(size, 0), len(there))


@settings(deadline=None, max_examples=300)
@given(CASES)
def test_one_memory_node_is_kept_to_where_one_has_enough(
    case: tuple[dict[str, Listed], list[str], list[str], int],
) -> None:
    listed, available, _, size = case
    names = [id_ for id_ in available if "::" not in id_]
    near = [{name for name in names if node in listed[name].numa} for node in range(3)]
    chosen = set(preferred(names, [], size, listed))
    if any(len(some) >= size for some in near) and size > 0:
        assert any(chosen <= some for some in near)


@pytest.mark.parametrize("size", [1, 8, 5_000, 10_000])
def test_ten_thousand_ids_are_quick(size: int) -> None:
    listed = {f"d{number}": Listed(healthy=True, numa=(number % 2,)) for number in range(2_500)}
    available = [ids.share(name, number) for name in listed for number in range(4)]
    begin = time.process_time()
    assert len(preferred(available, [], size, listed)) == size
    assert time.process_time() - begin < 1.0
