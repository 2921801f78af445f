from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.discovery.sysfs import Look, Roots
from agent.discovery.udev import UdevDatabase
from agent.host import Blind, Unreadable, Unseen, fact
from agent.patterns import path_pattern
from tests.agent.trees import Node, usb_serial
from tests.agent.users import as_nobody
from tests.real import devices

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.root


def look(node: Node) -> Look:
    return Look(node.roots, None)


def test_a_node_is_a_device(node: Node) -> None:
    os.chown(node.null("x", 1, 3), 0, 44)
    device = look(node).device(node.path("x"))
    assert device is not None
    assert (device.node, device.major, device.minor, device.gid, device.kind) == (node.path("x"), 1, 3, 44, "char")


def test_a_link_leads_to_its_node(node: Node) -> None:
    node.null("x")
    node.link("one", "x")
    node.link("by-id/two", "../one")
    node.link("three", str(node.dev / "by-id/two"))
    one_look = look(node)
    found = [one_look.device(node.path(name)) for name in ("x", "one", "by-id/two", "three")]
    assert {device.node if device else "" for device in found} == {node.path("x")}
    assert one_look.links(node.path("x")) == tuple(node.path(name) for name in ("by-id/two", "one", "three"))


def test_what_is_no_device_node_is_no_device(node: Node) -> None:
    os.mkfifo(node.dev / "fifo")
    (node.dev / "file").touch()
    (node.dev / "directory").mkdir()
    node.link("dangling", "nowhere")
    node.link("loop", "loop")
    node.link("to-file", "file")
    names = ("fifo", "file", "directory", "dangling", "loop", "to-file", "nothing", "file/x", "nul\0", "x" * 300)
    assert [look(node).device(node.path(name)) for name in names] == [None] * len(names)


def test_two_nodes_of_one_number_are_two_devices_of_one_kernel_device(node: Node) -> None:
    node.kernel("virtual/mem/null", subsystem="mem", number="1:3", uevent="DEVNAME=null\n")
    node.null("null")
    node.null("copy")
    one, two = (look(node).device(node.path(name)) for name in ("null", "copy"))
    assert one is not None
    assert two is not None
    assert (one.sysname, two.sysname) == ("null", "copy")
    assert (one.subsystem, two.subsystem) == ("mem", "mem")
    assert (one.own, two.own) == (True, False)


def test_a_node_below_a_linked_directory_is_the_node_of_the_real_one(node: Node) -> None:
    node.null("real/x")
    node.link("link", "real")
    one_look = look(node)
    one_look.expand(path_pattern(node.path("link/*")))
    device = one_look.device(node.path("link/x"))
    assert device is not None
    assert device.node == node.path("real/x")
    assert node.path("link/x") in device.links


def test_a_node_that_the_kernel_does_not_know_has_no_facts_but_its_own(node: Node) -> None:
    node.null("x", 300, 7)
    device = look(node).device(node.path("x"))
    assert device is not None
    facts = (device.kernel, device.syspath, device.subsystem, device.driver, dict(device.properties))
    assert facts == (None, "", "", "", {})
    assert (device.attribute("size"), device.ancestor("usb"), list(device.above())) == (None, None, [])
    assert (device.sysname, fact(device, "minor"), device.settled) == ("x", "7", True)


FACTS = {
    "sysname": "ttyUSB3",
    "number": "3",
    "subsystem": "tty",
    "driver": "ftdi_sio",
    "serial": "S3",
    "usb:vendor": "0403",
    "usb:product": "6001",
    "usb:serial": "S3",
    "usb:port": "1-3",
    "pci:address": "0000:00:14.0",
    "pci:vendor": "8086",
    "pci:class": "0c0330",
    "MAJOR": "188",
    "SUBSYSTEM": "tty",
    "link": "pci-usb-1.3",
    "attr:uevent": "MAJOR=188\nMINOR=3\nDEVNAME=ttyUSB3",
    "attr:nothing": None,
    "attr:device": None,
    "ID_SERIAL": None,
}


def test_the_facts_of_a_usb_serial_adapter(node: Node) -> None:
    usb_serial(node, 3, serial="S3")
    node.link("serial/by-path/pci-usb-1.3", "../../ttyUSB3")
    device = look(node).device(node.path("ttyUSB3"))
    assert device is not None
    assert {field: fact(device, field) for field in FACTS} == FACTS
    assert device.properties["DEVNAME"] == node.path("ttyUSB3")
    assert [one.sysname for one in device.above()][-1] == "0000:00:14.0"


def test_the_kernels_devices_are_those_with_a_node(node: Node) -> None:
    usb_serial(node, 1)
    usb_serial(node, 2)
    node.kernel("virtual/x/gone", number="240:1", uevent="DEVNAME=gone\n")
    node.kernel("virtual/x/nameless", number="240:2")
    node.kernel("virtual/x/other", number="240:3", uevent="DEVNAME=other\n")
    node.null("other", 240, 99)
    node.link("../sys/dev/char/240:4", "../../devices/virtual/x/vanished")
    blind: list[Blind] = []
    assert [device.node for device in look(node).kernel_devices(blind)] == [node.path("ttyUSB1"), node.path("ttyUSB2")]
    assert blind == []


def test_the_kernels_own_name_of_a_node_in_a_directory(node: Node) -> None:
    node.kernel("virtual/misc/x", subsystem="misc", number="10:200", uevent="DEVNAME=net/tun\n")
    node.null("net/tun", 10, 200)
    (device,) = look(node).kernel_devices([])
    assert (device.node, device.sysname) == (node.path("net/tun"), "x")


def test_an_attribute_is_at_most_a_page_of_text(node: Node) -> None:
    node.kernel("x/y", number="1:3", attributes={"long": "x" * 10_000, "a/b": "1", "lines": "1\n2\n", "empty": ""})
    (node.top / "sys/devices/x/y/bytes").write_bytes(b"\xff\x00")
    node.null("y")
    device = look(node).device(node.path("y"))
    assert device is not None
    assert device.attribute("long") == "x" * 4096
    assert [device.attribute(name) for name in ("a/b", "lines", "empty", "bytes", "a", "a/b/c", "none")] == [
        "1", "1\n2\n", "", "\ufffd\x00", None, None, None,
    ]  # fmt: skip


def test_a_fifo_in_place_of_an_attribute_does_not_hang(node: Node) -> None:
    node.kernel("x/y", number="1:3")
    os.mkfifo(node.top / "sys/devices/x/y/fifo")
    node.null("y")
    device = look(node).device(node.path("y"))
    assert device is not None
    assert device.attribute("fifo") == ""


def test_links_below_special_directories_are_no_links(node: Node) -> None:
    node.null("x")
    for name in ("fd", "pts", "shm", "mqueue", "hugepages", "disk/fd"):
        node.link(f"{name}/link", str(node.dev / "x"))
    assert look(node).links(node.path("x")) == (node.path("disk/fd/link"),)


def test_a_link_outside_dev_counts_where_a_pattern_meets_it(node: Node) -> None:
    node.null("x")
    (node.top / "opt").mkdir()
    (node.top / "opt/link").symlink_to(node.dev / "x")
    one_look = look(node)
    assert one_look.links(node.path("x")) == ()
    one_look.expand(path_pattern(f"{node.top}/opt/*"))
    assert one_look.links(node.path("x")) == (f"{node.top}/opt/link",)


def test_a_look_reads_what_it_has_read_no_more(node: Node) -> None:
    node.kernel("x/y", number="1:3", uevent="DEVNAME=y\nA=1\n")
    node.null("y")
    one_look = look(node)
    device = one_look.device(node.path("y"))
    assert device is not None
    assert device.properties["A"] == "1"
    (node.top / "sys/devices/x/y/uevent").write_text("DEVNAME=y\nA=2\n")
    assert device.properties["A"] == "1"
    again = look(node).device(node.path("y"))
    assert again is not None
    assert again.properties["A"] == "2"


# What may not be looked at: root may look at everything, so a child becomes nobody.


def test_a_node_that_may_not_be_looked_at_is_unreadable(node: Node) -> None:
    node.null("closed/x")
    (node.dev / "closed").chmod(0o700)

    def attempt() -> str:
        try:
            return f"found {look(node).device(node.path('closed/x'))}"
        except Unreadable as unknown:
            return str(unknown)

    assert as_nobody(attempt, node.top) == f"{node.path('closed/x')}: permission denied"


def test_a_tree_that_may_not_be_listed_has_no_links_that_name_devices(node: Node) -> None:
    node.null("x")
    node.link("closed/link", "../x")
    (node.dev / "closed").chmod(0o711)

    def attempt() -> str:
        device = look(node).device(node.path("x"))
        assert device is not None
        return f"found {device.links}"

    assert as_nobody(attempt, node.top) == "found ()"


def test_an_attribute_that_may_not_be_read_is_unreadable(node: Node) -> None:
    node.kernel("x/y", number="1:3", attributes={"secret": "1"})
    (node.top / "sys/devices/x/y/secret").chmod(0o600)
    node.null("y")

    def attempt() -> str:
        device = look(node).device(node.path("y"))
        assert device is not None
        try:
            return f"found {device.attribute('secret')}"
        except Unreadable as unknown:
            return str(unknown)

    assert as_nobody(attempt, node.top) == f"{node.top}/sys/devices/x/y/secret: permission denied"


def test_a_device_of_the_kernel_that_may_not_be_looked_at_is_blind(node: Node) -> None:
    node.kernel("x/y", number="1:3", uevent="DEVNAME=closed/y\n")
    node.null("closed/y")
    (node.dev / "closed").chmod(0o700)
    usb_serial(node, 1)

    def attempt() -> str:
        blind: list[Blind] = []
        found = [device.node for device in look(node).kernel_devices(blind)]
        return f"{found} {blind}"

    expected = [Blind(node.path("closed/y"), "permission denied")]
    assert as_nobody(attempt, node.top) == f"{[node.path('ttyUSB1')]} {expected}"


def test_a_device_of_which_not_even_the_node_can_be_told_may_be_any(node: Node) -> None:
    usb_serial(node, 1)
    node.kernel("x/y", number="1:3", uevent="DEVNAME=y\n")
    (node.top / "sys/devices/x/y/uevent").chmod(0o600)

    def attempt() -> str:
        blind: list[Blind] = []
        found = [device.node for device in look(node).kernel_devices(blind)]
        return f"{found} {Unseen(blind).covers(node.path('y'))}"

    assert as_nobody(attempt, node.top) == f"{[node.path('ttyUSB1')]} True"


@pytest.mark.parametrize("gone", ["sys", "sys/dev"])
def test_where_sysfs_is_not_mounted_all_of_dev_is_blind(node: Node, gone: str) -> None:
    usb_serial(node, 1)
    for child in (node.top / gone).iterdir():  # its directory stays, and is empty
        shutil.rmtree(child)
    blind: list[Blind] = []
    assert not list(look(node).kernel_devices(blind))
    assert Unseen(blind).covers(node.path("ttyUSB1"))


def test_a_kernel_whose_devices_may_not_be_listed_is_all_blind(node: Node) -> None:
    usb_serial(node, 1)
    (node.top / "sys/dev/char").chmod(0o711)

    def attempt() -> str:
        blind: list[Blind] = []
        found = list(look(node).kernel_devices(blind))
        assert all(one.below for one in blind)
        return f"{found} {Unseen(blind).covers(node.path('ttyUSB1'))}"

    assert as_nobody(attempt, node.top) == "[] True"


# This machine's own.


@pytest.mark.parametrize("udev", [None, UdevDatabase()], ids=["without libudev", "with libudev"])
def test_this_machines_null_device(udev: UdevDatabase | None) -> None:
    device = Look(Roots(), udev).device("/dev/null")
    assert device is not None
    wanted = {
        "sysname": "null",
        "major": "1",
        "minor": "3",
        "subsystem": "mem",
        "attr:dev": "1:3",
        "DEVNAME": "/dev/null",
        "SUBSYSTEM": "mem",
        "DEVPATH": "/devices/virtual/mem/null",
        "serial": None,
        "usb:port": None,
        "pci:address": None,
    }
    assert {field: fact(device, field) for field in wanted} == wanted
    assert device.own
    assert device.settled


def test_this_machines_kernel_devices() -> None:
    found: Mapping[str, tuple[int, int]] = {
        device.node: (device.major, device.minor) for device in Look(Roots(), None).kernel_devices([])
    }
    assert found["/dev/null"] == (1, 3)
    assert found["/dev/full"] == (1, 7)
    assert found["/dev/zero"] == (1, 5) if Path("/dev/zero").exists() else True
    assert all(os.path.exists(path) for path in found)


@pytest.mark.parametrize("udev", [None, UdevDatabase()], ids=["without libudev", "with libudev"])
def test_a_real_disk(tmp_path: Path, udev: UdevDatabase | None) -> None:
    with devices.kernel() as kernel:
        zram, loop = kernel.zram(1 << 20), kernel.loop(tmp_path / "backing")
        one_look = Look(Roots(), udev)
        one, two = one_look.device(str(zram.node)), one_look.device(str(loop.node))
        assert one is not None
        assert two is not None
        assert [fact(one, field) for field in ("sysname", "number", "subsystem", "attr:disksize", "DEVTYPE")] == [
            zram.name, str(zram.number), "block", str(1 << 20), "disk",
        ]  # fmt: skip
        assert fact(two, "attr:loop/backing_file") == str(tmp_path / "backing")
        assert {str(zram.node), str(loop.node)} <= {device.node for device in one_look.kernel_devices([])}
    assert Look(Roots(), udev).device(str(zram.node)) is None


@pytest.mark.parametrize("odd", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_what_a_device_calls_itself_is_no_further_line_of_the_kernels(node: Node, odd: str) -> None:
    node.kernel("x/y", number="1:3", uevent=f"DEVNAME=y\nHID_NAME=a{odd}DEVNAME=z{odd}DEVTYPE=usb_device\n")
    kernel = Look(node.roots, None).numbered("char", "1:3")
    assert kernel is not None
    assert kernel.uevent == {"DEVNAME": "y", "HID_NAME": f"a{odd}DEVNAME=z{odd}DEVTYPE=usb_device"}


def memory_nodes(node: Node, *names: str) -> None:
    for name in names:
        (node.top / "sys/devices/system/node" / name).mkdir(parents=True)


def near_to(node: Node, *lineage: str | None) -> int | None:
    """The memory node of a device whose ancestors say these, the outermost first; ``None``: one says nothing."""
    path = "pci"
    for number, word in enumerate(lineage):
        path = f"{path}/{number}"
        last = {"number": "240:1", "uevent": "DEVNAME=x\n"} if number == len(lineage) - 1 else {}
        node.kernel(path, attributes=None if word is None else {"numa_node": word}, **last)
    node.null("x", 240, 1)
    device = look(node).device(node.path("x"))
    assert device is not None
    return device.numa_node


@pytest.mark.parametrize(
    ("lineage", "near"),
    [
        (("1", None), 1),
        (("0", "1", None, None), 1),
        (("1", "0"), 0),
        (("1", "-1"), 1),
        (("-1", None), None),
        ((None, None), None),
        (("", "text", "0x1", "1.0", None), None),
        (("11", None), 11),
    ],
)
def test_a_device_is_near_to_the_memory_node_of_its_nearest_ancestor_that_has_one(
    node: Node, lineage: tuple[str | None, ...], near: int | None
) -> None:
    memory_nodes(node, "node0", "node1")
    assert near_to(node, *lineage) == near


@pytest.mark.parametrize("names", [(), ("node0",), ("node0", "nodes", "node", "power")])
def test_on_a_machine_with_one_memory_node_none_is_told(node: Node, names: tuple[str, ...]) -> None:
    memory_nodes(node, *names)
    assert near_to(node, "0", None) is None


def test_a_node_of_no_kernel_device_is_near_to_nothing(node: Node) -> None:
    memory_nodes(node, "node0", "node1")
    node.null("x", 300, 7)
    device = look(node).device(node.path("x"))
    assert device is not None
    assert device.numa_node is None


def test_a_memory_node_that_cannot_be_read_is_unreadable(node: Node) -> None:
    memory_nodes(node, "node0", "node1")
    node.kernel("x", number="240:1", uevent="DEVNAME=x\n")
    (node.top / "sys/devices/x/numa_node").write_text("1\n")
    (node.top / "sys/devices/x/numa_node").chmod(0)
    node.null("x", 240, 1)

    def attempt() -> str:
        device = look(node).device(node.path("x"))
        assert device is not None
        try:
            return f"near to {device.numa_node}"
        except Unreadable as error:
            return error.reason

    assert as_nobody(attempt, node.top) == "permission denied"
