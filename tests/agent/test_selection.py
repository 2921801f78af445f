from __future__ import annotations

import pytest

from agent import templates
from agent.config.settings import DeviceClass, Parent, Selector
from agent.host import Unreadable
from agent.patterns import Pattern, path_pattern, value_pattern
from agent.selection import checks, fits, takes
from tests.agent.fakes import FakeAncestor, FakeDevice, pci, usb

DISK = FakeDevice(
    node="/dev/dm-3",
    subsystem="block",
    links=("/dev/disk/by-id/dm-uuid-mpath-1", "/dev/mapper/mpatha"),
    properties={"DM_UUID": "mpath-1", "EMPTY": ""},
    attributes={"queue/rotational": "0", "empty": ""},
    mountpoints=("/", "/boot"),
)
STRANGER = FakeDevice(node="/opt/x", subsystem="", syspath="")


MODEM = FakeDevice(
    node="/dev/ttyUSB2",
    subsystem="tty",
    driver="option",
    tags=frozenset({"systemd", "modem"}),
    ancestors=(
        FakeAncestor(sysname="1-1:1.2", subsystem="usb", devtype="usb_interface", driver="option"),
        usb("1-1", idVendor="2c7c", idProduct="0125", manufacturer="Quectel", serial="Q1"),
        FakeAncestor(sysname="usb1", subsystem="usb", devtype="usb_device", attributes={"manufacturer": "Linux"}),
        pci("0000:00:14.0", vendor="0x8086", **{"class": "0x0c0330"}),
    ),
)


def globs(text: str) -> tuple[Pattern, ...]:
    return tuple(map(value_pattern, text.split()))


@pytest.mark.parametrize(
    ("wanted", "fit"),
    [
        (Selector(sysname=globs("ttyUSB*")), True),
        (Selector(sysname=globs("ttyACM*")), False),
        (Selector(driver=globs("option")), True),
        (Selector(driver=globs("ftdi*")), False),
        (Selector(tags=globs("modem")), True),
        (Selector(tags=globs("uaccess m*")), True),
        (Selector(tags=globs("uaccess")), False),
        (Selector(usb={"vendor": globs("2c7c"), "product": globs("0125")}), True),
        (Selector(usb={"serial": globs("*"), "port": globs("1-*")}), True),
        (Selector(usb={"vendor": globs("0403")}), False),
        (Selector(pci={"address": globs("0000:00:*"), "vendor": globs("8086"), "class": globs("0c03*")}), True),
        (Selector(pci={"device": globs("*")}), False),
        (Selector(parent=Parent(subsystem=globs("usb"), attributes={"manufacturer": globs("Quectel")})), True),
        (Selector(parent=Parent(attributes={"manufacturer": globs("Linux")})), True),
        (Selector(parent=Parent(sysname=globs("0000:*"), subsystem=globs("pci"))), True),
        (Selector(parent=Parent(driver=globs("option"))), True),
        (Selector(parent=Parent(sysname=globs("0000:*"), subsystem=globs("usb"))), False),
        (Selector(parent=Parent(sysname=globs("ttyUSB2"))), False),
        (Selector(subsystem=globs("tty"), usb={"vendor": globs("2c7c")}, driver=globs("x")), False),
    ],
)
def test_a_selector_knows_what_a_device_hangs_on(wanted: Selector, *, fit: bool) -> None:
    assert fits(wanted, MODEM) is fit


@pytest.mark.parametrize(
    "wanted",
    [
        Selector(driver=globs("*")),
        Selector(tags=globs("*")),
        Selector(usb={"vendor": globs("*")}),
        Selector(pci={"address": globs("*")}),
        Selector(parent=Parent(subsystem=globs("*"))),
    ],
)
def test_a_fact_that_is_not_there_fits_nothing(wanted: Selector) -> None:
    assert not fits(wanted, STRANGER)


def test_a_parent_that_fails_is_explained_by_the_one_that_came_furthest() -> None:
    parent = Parent(subsystem=globs("usb"), sysname=globs("1-1"), attributes={"manufacturer": globs("Sierra")})
    (check,) = checks(Selector(parent=parent), MODEM)
    assert (check.key, check.found, check.fits) == ("parent.attributes.manufacturer", ("Quectel",), False)


@pytest.mark.parametrize(
    ("group_by", "subsystem", "taken"), [(None, "", True), ("usb", "", False), ("usb", "usb", True)]
)
def test_the_raw_node_of_a_usb_device_joins_a_group_only_when_asked_for(
    group_by: str | None, subsystem: str, *, taken: bool
) -> None:
    raw = FakeDevice(node="/dev/bus/usb/001/002", subsystem="usb", ancestors=(usb("1-1", idVendor="2c7c"),))
    one = DeviceClass(
        kind="acme.com/modem",
        origin="",
        name=templates.parse("{serial}"),
        selects=(Selector(usb={"vendor": globs("2c7c")}, subsystem=globs(subsystem)),),
        group_by=group_by,
    )
    assert takes(one, raw) is taken


def selector(
    *,
    devnode: str = "",
    subsystem: str = "",
    properties: dict[str, str] | None = None,
    attributes: dict[str, str] | None = None,
    mountpoint: str = "",
) -> Selector:
    """Several globs of one key are separated by blanks."""
    return Selector(
        devnode=tuple(map(path_pattern, devnode.split())),
        subsystem=tuple(map(value_pattern, subsystem.split())),
        properties={name: tuple(map(value_pattern, glob.split())) for name, glob in (properties or {}).items()},
        attributes={name: tuple(map(value_pattern, glob.split())) for name, glob in (attributes or {}).items()},
        mountpoint=tuple(map(value_pattern, mountpoint.split())),
    )


@pytest.mark.parametrize(
    ("wanted", "fit"),
    [
        (selector(devnode="/dev/dm-3"), True),
        (selector(devnode="/dev/dm-*"), True),
        (selector(devnode="/dev/mapper/mpath*"), True),
        (selector(devnode="/dev/sd* /dev/disk/by-id/*"), True),
        (selector(devnode="/dev/**"), True),
        (selector(devnode="/dev/sd*"), False),
        (selector(devnode="/dev/*/mpatha"), True),
        (selector(devnode="/dev/m*"), False),
        (selector(subsystem="block"), True),
        (selector(subsystem="tty block"), True),
        (selector(subsystem="b*"), True),
        (selector(subsystem="Block"), False),
        (selector(properties={"DM_UUID": "mpath-*"}), True),
        (selector(properties={"DM_UUID": "lvm-* mpath-*"}), True),
        (selector(properties={"DM_UUID": "lvm-*"}), False),
        (selector(properties={"EMPTY": "*"}), True),
        (selector(properties={"ABSENT": "*"}), False),
        (selector(properties={"DM_UUID": "*", "ABSENT": "*"}), False),
        (selector(attributes={"queue/rotational": "0"}), True),
        (selector(attributes={"queue/rotational": "1"}), False),
        (selector(attributes={"empty": "*"}), True),
        (selector(attributes={"absent": "*"}), False),
        (selector(mountpoint="/"), True),
        (selector(mountpoint="/data /bo*"), True),
        (selector(mountpoint="*"), True),
        (selector(mountpoint="/data swap"), False),
        (selector(devnode="/dev/dm-*", subsystem="block", properties={"DM_UUID": "*"}), True),
        (selector(devnode="/dev/dm-*", subsystem="tty"), False),
    ],
)
def test_a_selector_fits_when_all_its_keys_do(wanted: Selector, *, fit: bool) -> None:
    assert fits(wanted, DISK) is fit


def test_a_device_that_the_kernel_does_not_know_has_no_subsystem_to_fit() -> None:
    assert not fits(selector(subsystem="*"), STRANGER)
    assert fits(selector(devnode="/opt/*"), STRANGER)


@pytest.mark.parametrize(
    ("selects", "excludes", "taken"),
    [
        ([selector(subsystem="block")], [], True),
        ([selector(subsystem="tty"), selector(subsystem="block")], [], True),
        ([selector(subsystem="tty")], [], False),
        ([], [], False),
        ([selector(subsystem="block")], [selector(devnode="/dev/dm-3")], False),
        ([selector(subsystem="block")], [selector(devnode="/dev/mapper/*")], False),
        ([selector(subsystem="block")], [selector(devnode="/dev/dm-4")], True),
        ([selector(subsystem="block")], [selector(devnode="/dev/dm-3", subsystem="tty")], True),
        ([selector(subsystem="block")], [selector(subsystem="tty"), selector(properties={"DM_UUID": "*"})], False),
    ],
)
def test_a_class_takes_what_any_select_and_no_exclude_fits(
    selects: list[Selector], excludes: list[Selector], *, taken: bool
) -> None:
    device_class = DeviceClass(
        kind="acme.com/disk",
        origin="test",
        name=templates.parse("{sysname}"),
        selects=tuple(selects),
        excludes=tuple(excludes),
    )
    assert takes(device_class, DISK) is taken


def test_a_fact_that_cannot_be_read_decides_nothing() -> None:
    device = FakeDevice(subsystem="block", unreadable=frozenset({"serial"}))
    assert not fits(selector(subsystem="tty", attributes={"serial": "*"}), device)
    with pytest.raises(Unreadable):
        fits(selector(subsystem="block", attributes={"serial": "*"}), device)


def test_a_select_that_cannot_be_told_matters_only_where_no_other_fits() -> None:
    device = FakeDevice(subsystem="block", unreadable=frozenset({"serial"}))
    dark, fitting = selector(attributes={"serial": "*"}), selector(subsystem="block")

    def verdict(*selects: Selector, excludes: tuple[Selector, ...] = ()) -> bool:
        one = DeviceClass(kind="acme.com/x", origin="", name=templates.parse("x"), selects=selects, excludes=excludes)
        return takes(one, device)

    assert verdict(dark, fitting)
    assert verdict(fitting, dark)
    assert not verdict(fitting, excludes=(dark, fitting))
    for selects, excludes in (((dark,), ()), ((fitting,), (dark,))):
        with pytest.raises(Unreadable):
            verdict(*selects, excludes=excludes)


def test_each_key_is_explained_with_what_was_found() -> None:
    wanted = selector(
        devnode="/dev/sd*", subsystem="block", properties={"ABSENT": "*"}, attributes={"queue/rotational": "1"}
    )
    assert [(check.key, check.found, check.fits) for check in checks(wanted, DISK)] == [
        ("subsystem", ("block",), True),
        ("devnode", ("/dev/dm-3", *DISK.links), False),
        ("attributes.queue/rotational", ("0",), False),
        ("properties.ABSENT", (), False),
    ]
