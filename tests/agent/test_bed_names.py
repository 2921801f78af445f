"""Whatever the kernel calls a device, in whatever order it comes and wherever it goes: its name stays its own."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.bed import Bed, Recording

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "{serial|usb:port}"
CLASS = f"""
[[class]]
kind = "acme.com/serial"
name = "{NAME}"
  [[class.select]]
  devnode = "/dev/ttyUSB*"
"""
BY_LINK = CLASS.replace(NAME, "{link}")
TREES = settings(max_examples=60, deadline=None)

ports = st.lists(st.integers(1, 14), min_size=1, max_size=6, unique=True)
serials = st.sampled_from(("", "", "A1", "B2", "C3", "d/4", "d-4"))


@st.composite
def plugged(draw: st.DrawFn) -> dict[int, str]:
    """Adapters by port: their serial numbers, not always of their own."""
    return {port: draw(serials) for port in draw(ports)}


@st.composite
def plugged_and_called(draw: st.DrawFn) -> tuple[dict[int, str], list[int]]:
    """Adapters by port, and which number the kernel gives to each; the order is that of their coming."""
    adapters = draw(plugged())
    return adapters, draw(st.lists(st.integers(0, 40), min_size=len(adapters), max_size=len(adapters), unique=True))


def machine(adapters: dict[int, str], numbers: list[int]) -> Recording:
    """Describe USB serial adapters as the kernel and udev would."""
    return Recording("\n\n".join(map(_adapter, adapters, adapters.values(), numbers)))


def _adapter(port: int, serial: str, number: int) -> str:
    usb = f"/devices/pci0000:00/0000:00:14.0/usb1/1-{port}"
    tty = f"{usb}/1-{port}:1.0/ttyUSB{number}/tty/ttyUSB{number}"
    shown = serial.replace("/", "_")
    by_serial = f"\nE: ID_SERIAL_SHORT={shown}" if serial else ""
    return (
        f"P: {usb}\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\nA: idVendor=0403"
        + (f"\nA: serial={serial}" if serial else "")
        + f"\n\nP: {usb}/1-{port}:1.0\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface"
        + f"\n\nP: {tty}\nN: ttyUSB{number}\nS: serial/by-id/usb-X_{shown}-if00\nS: serial/by-path/usb-0:{port}:1.0"
        + f"\nE: SUBSYSTEM=tty\nE: MAJOR=188\nE: MINOR={number}\nE: DEVNAME=/dev/ttyUSB{number}{by_serial}"
    )


@contextmanager
def bed(*, udevd: bool = True) -> Iterator[Bed]:
    with tempfile.TemporaryDirectory(prefix="cdi-sync-bed-") as directory:
        yield Bed(Path(directory), udevd=udevd)


def by_port(names: dict[str, str], adapters: dict[int, str], numbers: list[int]) -> dict[int, str]:
    """Turn names by node into names by port."""
    ports = {f"/dev/ttyUSB{number}": port for port, number in zip(adapters, numbers, strict=True)}
    return {ports[node]: name for node, name in names.items()}


@TREES
@given(plugged_and_called(), st.randoms(use_true_random=False), st.sampled_from((CLASS, BY_LINK)), st.booleans())
def test_numbers_and_order_change_no_name(first, random, wanted, udevd) -> None:  # type: ignore[no-untyped-def]
    adapters, numbers = first
    again, others = list(adapters.items()), [number + 50 for number in numbers]
    random.shuffle(again)
    random.shuffle(others)
    with bed(udevd=udevd) as one:
        before = by_port(one.seen(machine(adapters, numbers), wanted).names, adapters, numbers)
        after = by_port(one.seen(machine(dict(again), others), wanted).names, dict(again), others)
    assert after == before


@TREES
@given(plugged_and_called(), st.permutations(range(1, 15)))
def test_an_adapter_with_a_serial_number_of_its_own_takes_its_name_to_any_port(
    first: tuple[dict[int, str], list[int]], moves: list[int]
) -> None:
    adapters, numbers = first
    elsewhere = {moves[port - 1]: serial for port, serial in adapters.items()}
    with bed() as one:
        before = one.seen(machine(adapters, numbers), CLASS).names
        after = one.seen(machine(elsewhere, numbers), CLASS).names
    for number, serial in zip(numbers, adapters.values(), strict=True):
        node = f"/dev/ttyUSB{number}"
        if serial:
            assert after.get(node) == before.get(node)


@TREES
@given(st.lists(plugged_and_called(), min_size=1, max_size=5), st.sampled_from((CLASS, BY_LINK)))
def test_two_devices_never_become_one_without_a_word_and_the_holder_stays(
    events: list[tuple[dict[int, str], list[int]]], wanted: str
) -> None:
    before = None
    with bed() as one:
        for adapters, numbers in events:
            seen = one.seen(machine(adapters, numbers), wanted, before)
            nodes = {f"/dev/ttyUSB{number}" for number in numbers}
            assert all(len(of_one) == 1 for of_one in seen.devices.values())
            assert seen.names.keys() <= nodes
            assert all(node in seen.problems for node in nodes - seen.names.keys())
            before = seen


@TREES
@given(plugged(), st.integers(1, 14), st.sampled_from(("A1", "B2")))
def test_a_newcomer_changes_nobodys_name(adapters: dict[int, str], port: int, serial: str) -> None:
    newcomer = {one: of for one, of in adapters.items() if one != port}
    numbers = list(range(len(newcomer)))
    with bed() as one:
        before = one.seen(machine(newcomer, numbers), BY_LINK)
        after = one.seen(machine({**newcomer, port: serial}, [*numbers, 99]), BY_LINK, before)
    assert before.names.items() <= after.names.items()
