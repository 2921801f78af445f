"""Which devices a container had best be given: of one memory node where it can be, shares spread over devices. Pure."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from typing import TYPE_CHECKING

from agent.deviceplugin import ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.inventory import Listed


def preferred(
    available: Iterable[str], required: Iterable[str], size: int, devices: Mapping[str, Listed]
) -> tuple[str, ...]:
    """Return ``size`` ids of those ``available``, all of ``required`` among them; fewer where there are not so many.

    A device that is not taken yet comes before a second share of one that is. Among those, devices of one memory node
    come first: the one that the required ids are on, else the smallest that has enough devices, else the one that has
    most. Among those, the one with most shares left comes first, so that load spreads.

    Args:
        available: ids.
        required: ids, to be taken in any case.
        size: how many in all.
        devices: of the resource, by name.
    """
    taken = list(dict.fromkeys(required))[: max(size, 0)]
    free: dict[str, deque[str]] = {}
    for id_ in sorted(set(available) - set(taken), key=_order):
        free.setdefault(ids.device_of(id_), deque()).append(id_)
    node = _node(taken, free, size, devices)
    used = Counter(map(ids.device_of, taken))

    def rank(name: str) -> tuple[bool, bool, int, int, str]:
        return used[name] > 0, not _near(name, node, devices), used[name], -len(free[name]), name

    ranks = list(map(rank, free))
    heapq.heapify(ranks)
    while len(taken) < size and ranks:
        name = ranks[0][-1]
        taken.append(free[name].popleft())
        used[name] += 1
        if free[name]:
            heapq.heapreplace(ranks, rank(name))
        else:
            heapq.heappop(ranks)
    return tuple(taken)


def _order(id_: str) -> tuple[str, int, str]:
    """Sort shares of a device by number."""
    return ids.device_of(id_), len(id_), id_


def _near(name: str, node: int | None, devices: Mapping[str, Listed]) -> bool:
    return node is None or (name in devices and node in devices[name].numa)


def _node(taken: Iterable[str], free: Mapping[str, object], size: int, devices: Mapping[str, Listed]) -> int | None:
    """Choose the memory node to stay on; ``None`` where no device is near to one."""
    fixed = Counter(node for id_ in taken for node in _nodes(ids.device_of(id_), devices))
    if fixed:
        return min(fixed, key=lambda node: (-fixed[node], node))
    found = Counter(node for name in free for node in _nodes(name, devices))
    enough = [node for node, number in found.items() if number >= size]
    if enough:
        return min(enough, key=lambda node: (found[node], node))
    return min(found, key=lambda node: (-found[node], node), default=None)


def _nodes(name: str, devices: Mapping[str, Listed]) -> tuple[int, ...]:
    return devices[name].numa if name in devices else ()
