from __future__ import annotations

import pytest

from agent.host import Blind, Unreadable, Unseen, fact
from tests.agent.fakes import FakeAncestor, FakeDevice, pci, usb

INTERFACE = FakeAncestor(sysname="1-1.4:1.2", subsystem="usb", devtype="usb_interface")
DONGLE = FakeDevice(
    node="/dev/ttyUSB12",
    major=188,
    minor=12,
    subsystem="tty",
    driver="ftdi_sio",
    links=("/dev/serial/by-id/usb-FTDI_A1-if00", "/dev/serial/by-path/pci-0-usb-0:1", "/dev/modem"),
    properties={"ID_PATH": "pci-0-usb-0:1"},
    attributes={"device/latency": "16"},
    ancestors=(
        INTERFACE,
        usb("1-1.4", idVendor="0403", idProduct="6001", serial="A1"),
        pci("0000:00:14.0", vendor="0x8086"),
    ),
)
BARE = FakeDevice(node="/dev/null", kernel_name="null", subsystem="")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sysname", "ttyUSB12"),
        ("number", "12"),
        ("subsystem", "tty"),
        ("driver", "ftdi_sio"),
        ("major", "188"),
        ("minor", "12"),
        ("serial", "A1"),
        ("link", "usb-FTDI_A1-if00"),
        ("ID_PATH", "pci-0-usb-0:1"),
        ("ID_MODEL", None),
        ("attr:device/latency", "16"),
        ("attr:nothing", None),
        ("usb:vendor", "0403"),
        ("usb:product", "6001"),
        ("usb:serial", "A1"),
        ("usb:port", "1-1.4"),
        ("usb:interface", "1-1.4:1.2"),
        ("pci:address", "0000:00:14.0"),
        ("pci:vendor", "8086"),
        ("pci:device", None),
        ("pci:class", None),
    ],
)
def test_a_fact_of_a_device(field: str, value: str | None) -> None:
    assert fact(DONGLE, field) == value


@pytest.mark.parametrize("field", ["number", "link", "serial", "usb:port", "usb:vendor", "pci:address", "DM_UUID"])
def test_a_fact_that_a_device_has_not(field: str) -> None:
    assert not fact(BARE, field)


@pytest.mark.parametrize(
    ("device", "serial"),
    [
        (FakeDevice(properties={"ID_SERIAL_SHORT": "P"}, attributes={"device/serial": "A"}), "P"),
        (FakeDevice(ancestors=(usb(serial="U"),), attributes={"device/serial": "A"}), "U"),
        (FakeDevice(attributes={"device/serial": "A"}), "A"),
        (FakeDevice(properties={"ID_SERIAL_SHORT": ""}, attributes={"device/serial": "A"}), "A"),
        (FakeDevice(), None),
    ],
)
def test_a_serial_number_is_what_udev_or_usb_or_the_device_calls_so(device: FakeDevice, serial: str | None) -> None:
    assert fact(device, "serial") == serial


BY_ID, BY_PATH = "/dev/disk/by-id/model_x", "/dev/disk/by-path/pci-1"


@pytest.mark.parametrize(
    ("properties", "links", "link"),
    [
        ({"ID_SERIAL_SHORT": "S"}, (BY_ID, BY_PATH), "model_x"),
        ({"DM_UUID": "mpath-1"}, (BY_ID,), "model_x"),
        ({"ID_SERIAL_SHORT": "S"}, (BY_PATH,), "pci-1"),
        ({}, (BY_ID, BY_PATH), "pci-1"),
        ({}, (BY_ID,), None),
        ({"DEVLINKS": f"{BY_PATH} {BY_ID}"}, (BY_PATH,), "pci-1"),
        ({"DEVLINKS": f"{BY_PATH} {BY_ID}", "ID_SERIAL_SHORT": "S"}, (BY_PATH,), "model_x"),
        ({}, ("/dev/disk/by-uuid/u", "/dev/cdrom"), None),
        ({"ID_SERIAL_SHORT": "S"}, (), None),
        ({"ID_SERIAL_SHORT": "S"}, ("/dev/xby-id/x",), None),
    ],
)
def test_the_best_link_is_by_id_only_where_the_id_is_the_devices_own(
    properties: dict[str, str], links: tuple[str, ...], link: str | None
) -> None:
    assert fact(FakeDevice(properties=properties, links=links), "link") == link


def test_an_unreadable_attribute_is_not_an_absent_one() -> None:
    with pytest.raises(Unreadable, match="x: input/output error"):
        fact(FakeDevice(unreadable=frozenset({"x"})), "attr:x")


@pytest.mark.parametrize(
    ("blind", "node", "covered"),
    [
        (Blind("/dev/a", ""), "/dev/a", True),
        (Blind("/dev/a", ""), "/dev/a/b", False),
        (Blind("/dev/a", "", below=True), "/dev/a/b", True),
        (Blind("/dev/a", "", below=True), "/dev/a", True),
        (Blind("/dev/a", "", below=True), "/dev/ab", False),
        (Blind("/", "", below=True), "/dev/ab", True),
    ],
)
def test_what_was_not_seen_covers_a_node(blind: Blind, node: str, *, covered: bool) -> None:
    assert Unseen((blind,)).covers(node) is covered
