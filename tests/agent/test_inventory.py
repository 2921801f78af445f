from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import templates
from agent.config.settings import DeviceClass, Resource
from agent.inventory import Inventory, Listed, Listing, Standing, offered, withdrawn, without
from agent.render import Offer, Rendered
from cdi.model import Spec

KIND = "acme.com/modem"
KEEP = 100.0
UP, DOWN = Listed(healthy=True), Listed(healthy=False)


def gone(since: float) -> Listed:
    return Listed(healthy=False, gone=since)


def standing(
    *offers: Offer,
    ready: str | None = None,
    failing: str = "",
    held: bool = False,
    kind: str = KIND,
    resource: Resource | None = Resource(name=KIND),  # noqa: B008 - frozen
    all_name: str | None = None,
) -> Standing:
    """A class with these devices, all of them ready unless it is said which are."""
    device_class = DeviceClass(
        kind=kind, origin="c.toml", name=templates.parse("{sysname}"), resource=resource, all_name=all_name
    )
    spec = Spec(version="0.5.0", kind=kind, devices=()) if offers else None
    names = {one.name for one in offers} if ready is None else set(ready)
    return Standing(
        device_class,
        Rendered(kind, "x.json", None if held else spec, () if held else offers, (), held=held, found=offers),
        names,
        {f"/dev/{name}" for name in failing},
    )


def offer(name: str, *, present: bool = True, kept: bool = False, numa: tuple[int, ...] = ()) -> Offer:
    return Offer(name, (f"/dev/{name}",), present, kept, numa)


def inventory(**devices: Listed) -> Inventory:
    return {KIND: Listing(KIND, Resource(name=KIND), devices)}


def every(*nodes: str, failing: str = "") -> Standing:
    """A class of one device, that holds all nodes."""
    one = Offer("all", tuple(f"/dev/{node}" for node in nodes))
    return standing(one, failing=failing, all_name="all")


A, B = offer("a"), offer("b")
STEPS: dict[str, tuple[dict[str, Listed], Standing, dict[str, Listed], dict[str, Listed]]] = {
    # what was offered; what a look says; what is offered while specs are written, and after (at the time 1000)
    "new": ({}, standing(A), {}, {"a": UP}),
    "as before": ({"a": UP}, standing(A), {"a": UP}, {"a": UP}),
    "one more": ({"a": UP}, standing(A, B), {"a": UP}, {"a": UP, "b": UP}),
    "new, and its spec is not written": ({}, standing(A, ready=""), {}, {}),
    "known, and its spec is not written": ({"a": UP}, standing(A, ready=""), {"a": UP}, {"a": DOWN}),
    "unhealthy before": ({"a": DOWN}, standing(A), {"a": DOWN}, {"a": UP}),
    "not whole": ({"a": UP}, standing(offer("a", present=False)), {"a": DOWN}, {"a": DOWN}),
    "vanished": ({"a": UP, "b": UP}, standing(B), {"a": gone(1000), "b": UP}, {"a": gone(1000), "b": UP}),
    "all vanished": ({"a": UP}, standing(), {"a": gone(1000)}, {"a": gone(1000)}),
    "gone for long": ({"a": gone(950)}, standing(), {"a": gone(950)}, {"a": gone(950)}),
    "gone for too long": ({"a": gone(900)}, standing(), {"a": gone(900)}, {}),
    "gone in the future": ({"a": gone(2000)}, standing(), {"a": gone(2000)}, {"a": gone(2000)}),
    "returned": ({"a": gone(1)}, standing(A), {"a": DOWN}, {"a": UP}),
    "returned, and its spec is not written": ({"a": gone(1)}, standing(A, ready=""), {"a": DOWN}, {"a": DOWN}),
    "does not open": ({"a": UP, "b": UP}, standing(A, B, failing="a"), {"a": UP, "b": UP}, {"a": DOWN, "b": UP}),
    "all, and one of its nodes opens": ({"all": UP}, every("a", "b", failing="a"), {"all": UP}, {"all": UP}),
    "all, and no node of it opens": ({"all": UP}, every("a", "b", failing="ab"), {"all": UP}, {"all": DOWN}),
    "held": ({"a": UP, "b": UP}, standing(A, held=True), {"a": UP, "b": gone(1000)}, {"a": UP, "b": gone(1000)}),
    "held, and not in its spec": ({"a": UP}, standing(A, B, held=True, ready="a"), {"a": UP}, {"a": UP}),
}  # fmt: skip


@pytest.mark.parametrize(("before", "looked", "meanwhile", "after"), STEPS.values(), ids=STEPS)
def test_what_is_offered_around_a_write(
    before: dict[str, Listed], looked: Standing, meanwhile: dict[str, Listed], after: dict[str, Listed]
) -> None:
    first = withdrawn(inventory(**before), [looked], 1000.0)
    assert dict(first[KIND].devices) == meanwhile
    assert dict(offered(first, [looked], 1000.0, KEEP)[KIND].devices) == after
    assert dict(offered(inventory(**before), [looked], 1000.0, KEEP)[KIND].devices) == after


def test_a_class_that_is_new_is_offered_only_after_and_one_that_is_gone_no_more() -> None:
    both = [standing(A), standing(A, kind="acme.com/new", resource=Resource(name="acme.com/new"))]
    assert list(withdrawn(inventory(a=UP), both, 0.0)) == [KIND]
    assert list(offered(inventory(a=UP), both, 0.0, KEEP)) == [KIND, "acme.com/new"]
    for none in ([], [standing(A, resource=None)], [standing(A, kind="acme.com/new")]):
        assert KIND not in withdrawn(inventory(a=UP), none, 0.0)
        assert KIND not in offered(inventory(a=UP), none, 0.0, KEEP)


def test_shares_and_name_are_the_settings_of_now() -> None:
    resource = Resource(name="acme.com/other", shares=4)
    for found in (
        withdrawn(inventory(a=UP), [standing(A, resource=resource)], 0.0),
        offered(inventory(a=UP), [standing(A, resource=resource)], 0.0, KEEP),
    ):
        assert found[KIND] == Listing(KIND, resource, {"a": UP})


def test_a_device_is_near_to_where_it_was_seen_last() -> None:
    near = standing(offer("a", numa=(1,)))
    first = offered({}, [near], 0.0, KEEP)
    assert first[KIND].devices["a"].numa == (1,)
    kept = offered(first, [standing(offer("a", kept=True))], 0.0, KEEP)
    assert kept[KIND].devices["a"].numa == (1,)
    lost = offered(kept, [standing()], 5.0, KEEP)
    assert lost[KIND].devices["a"] == Listed(healthy=False, numa=(1,), gone=5.0)
    moved = offered(lost, [standing(offer("a", numa=(0,)))], 6.0, KEEP)
    assert moved[KIND].devices["a"] == Listed(healthy=True, numa=(0,))


def test_devices_are_in_the_order_of_their_names() -> None:
    before = inventory(**dict.fromkeys("bdf", UP))
    found = offered(before, [standing(*map(offer, "aceg"))], 0.0, KEEP)
    assert list(found[KIND].devices) == list("abcdefg")


def test_nodes_that_have_gone_take_their_devices_back_at_once() -> None:
    two = Offer("two", ("/dev/x", "/dev/a"))
    looked = [standing(A, B, two)]
    before = offered({}, looked, 0.0, KEEP)
    found = without(before, looked, {"/dev/a", "/dev/nothing"})
    assert found[KIND].devices == {"a": DOWN, "b": UP, "two": DOWN}
    assert without(before, looked, set()) == before
    assert without({}, looked, {"/dev/a"}) == {}
    assert before[KIND].devices["a"] == UP, "what was offered is not changed in place"


def test_the_device_that_holds_all_others_is_healthy_while_any_is_there() -> None:
    every = Offer("every", ("/dev/a", "/dev/b"))
    looked = [standing(A, B, every, all_name="every")]
    found = without(offered({}, looked, 0.0, KEEP), looked, {"/dev/a"})
    assert found[KIND].devices == {"a": DOWN, "b": UP, "every": UP}


NAMES = st.sampled_from("abcd")
LISTED = st.builds(Listed, healthy=st.booleans(), numa=st.sampled_from([(), (0,), (0, 1)]), gone=st.none()) | st.floats(
    0, 2000
).map(gone)
BEFORE: st.SearchStrategy[Inventory] = st.dictionaries(NAMES, LISTED).map(
    lambda some: inventory(**dict(sorted(some.items())))
) | st.just({})
OFFERS = st.dictionaries(NAMES, st.tuples(st.booleans(), st.booleans())).map(
    lambda some: tuple(offer(name, present=present, kept=kept) for name, (present, kept) in sorted(some.items()))
)
STANDINGS = st.builds(
    lambda offers, ready, failing, held: standing(*offers, ready=ready, failing=failing, held=held),
    OFFERS,
    st.text("abcd"),
    st.text("abcd"),
    st.booleans(),
)


@settings(deadline=None, max_examples=300)
@given(BEFORE, STANDINGS)
def test_what_is_taken_back_before_a_write_adds_nothing_and_heals_nothing(before: Inventory, looked: Standing) -> None:
    found = withdrawn(before, [looked], 1000.0)
    assert found.keys() <= before.keys()
    for kind, listing in found.items():
        known = before[kind].devices
        assert listing.devices.keys() == known.keys()
        assert all(known[name].healthy for name, one in listing.devices.items() if one.healthy)
    assert withdrawn(found, [looked], 1000.0) == found


@settings(deadline=None, max_examples=300)
@given(BEFORE, STANDINGS)
def test_only_what_is_there_ready_and_opens_is_healthy(before: Inventory, looked: Standing) -> None:
    found = offered(before, [looked], 1000.0, KEEP)[KIND].devices
    fit = {one.name for one in looked.rendered.found if one.present and one.name in looked.ready}
    fit -= {node.removeprefix("/dev/") for node in looked.failing}
    assert {name for name, one in found.items() if one.healthy} == fit
    known = before[KIND].devices if KIND in before else {}
    young = {name for name, one in known.items() if one.gone is None or one.gone > 1000.0 - KEEP}
    assert young <= found.keys(), "the kubelet takes a device that is not listed for healthy"
    assert found.keys() <= known.keys() | looked.ready
    assert list(found) == sorted(found)
    assert all(not one.healthy for one in found.values() if one.gone is not None)
    assert (
        offered({KIND: replace(before.get(KIND, inventory()[KIND]), devices=found)}, [looked], 1000.0, KEEP)[
            KIND
        ].devices
        == found
    )
