from __future__ import annotations

import pytest

from agent.grouping import Unit, units
from agent.host import Unreadable
from tests.agent.fakes import FakeAncestor, FakeDevice, pci, usb

CARD = pci("0000:03:00.0", serial="C")
FIRST, SECOND = usb("1-1", serial="A", product="Modem"), usb("1-2", product="Modem")
MODEM = tuple(
    FakeDevice(node=f"/dev/{name}", properties={"ID_BUS": "usb", "ID_NODE": name}, ancestors=(top, CARD))
    for name, top in (("cdc-wdm0", FIRST), ("ttyUSB0", FIRST), ("ttyUSB1", SECOND), ("ttyUSB2", FIRST))
)
ALONE = FakeDevice(node="/dev/ttyS0")


@pytest.mark.parametrize(
    ("group_by", "groups"),
    [
        (None, [["cdc-wdm0"], ["ttyUSB0"], ["ttyUSB1"], ["ttyUSB2"], ["ttyS0"]]),
        ("usb", [["cdc-wdm0", "ttyUSB0", "ttyUSB2"], ["ttyUSB1"]]),
        ("pci", [["cdc-wdm0", "ttyUSB0", "ttyUSB1", "ttyUSB2"]]),
        ("parent:usb", [["cdc-wdm0", "ttyUSB0", "ttyUSB2"], ["ttyUSB1"]]),
        ("parent:scsi", []),
        ("ID_BUS", [["cdc-wdm0", "ttyUSB0", "ttyUSB1", "ttyUSB2"]]),
        ("ID_NODE", [["cdc-wdm0"], ["ttyUSB0"], ["ttyUSB1"], ["ttyUSB2"]]),
    ],
)
def test_devices_are_grouped_by_what_they_have_in_common(group_by: str | None, groups: list[list[str]]) -> None:
    alone: list[str] = []
    found = units(group_by, (*MODEM, ALONE), lambda _, error: None, lambda device: alone.append(device.node))
    assert [[place.removeprefix("/dev/") for place in unit.places] for unit in found] == groups
    assert ("/dev/ttyS0" in alone) is (group_by is not None)


class Broken(FakeDevice):
    """A device whose place among its ancestors cannot be read."""

    def ancestor(self, subsystem: str, devtype: str = "") -> FakeAncestor | None:
        raise Unreadable(self.node, "input/output error")


def test_a_device_whose_group_cannot_be_told_is_told_of() -> None:
    dark: list[str] = []
    found = units("usb", (MODEM[0], Broken()), lambda device, _: dark.append(device.node), lambda _: None)
    assert [unit.places for unit in found] == [("/dev/cdc-wdm0",)]
    assert dark == ["/dev/fake0"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sysname", "1-1"),
        ("number", "1"),
        ("subsystem", "usb"),
        ("attr:product", "Modem"),
        ("serial", "A"),
        ("usb:port", "1-1"),
        ("pci:address", "0000:03:00.0"),
        ("ID_BUS", "usb"),
        ("ID_NODE", None),
        ("ID_NOTHING", None),
    ],
)
def test_a_group_says_what_its_device_says_and_its_members_agree_on(field: str, value: str | None) -> None:
    first, _ = units("usb", MODEM, lambda *_: None, lambda _: None)
    assert first.fact(field) == value


def test_a_device_by_itself_says_what_it_says() -> None:
    (unit,) = units(None, MODEM[:1], lambda *_: None, lambda _: None)
    assert (unit.fact("sysname"), unit.fact("ID_NODE")) == ("cdc-wdm0", "cdc-wdm0")


class Dark(FakeDevice):
    """A device of which it cannot be read which memory node it is near to."""

    def __getattribute__(self, name: str) -> object:
        if name == "numa_node":
            raise Unreadable("/sys/devices/fake0/numa_node", "input/output error")
        return object.__getattribute__(self, name)


@pytest.mark.parametrize(
    ("members", "nodes"),
    [
        ((FakeDevice(),), ()),
        ((FakeDevice(numa_node=0),), (0,)),
        ((Dark(), FakeDevice(numa_node=1)), (1,)),
        ((FakeDevice(numa_node=1), FakeDevice(numa_node=0), FakeDevice(numa_node=1), FakeDevice()), (0, 1)),
    ],
)
def test_a_unit_is_near_to_all_memory_nodes_of_its_members(
    members: tuple[FakeDevice, ...], nodes: tuple[int, ...]
) -> None:
    assert Unit(members).memory_nodes == nodes
