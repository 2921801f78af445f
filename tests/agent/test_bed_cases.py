"""Recorded hardware and classes as users write them: groups, clones, replugging, and the disks of the system."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from agent import selection
from tests.agent.bed import Bed, Recording

if TYPE_CHECKING:
    from pathlib import Path

MODEM = """
[[class]]
kind = "acme.com/modem"
name = "{ID_SERIAL_SHORT|usb:port}"
group_by = "usb"
requires = 5
  [[class.select]]
  usb = { vendor = "2c7c", product = "0125" }
  [[class.select]]
  subsystem = "usbmisc"
  parent = { subsystem = "usb", attributes = { manufacturer = "Quectel" } }
"""
NETWORK = """
[[class]]
kind = "acme.com/wwan"
name = "{usb:port}"
  [[class.select]]
  subsystem = "net"
  usb = { vendor = "2c7c" }
  [class.deviceEdits]
  netDevices = [{ hostInterfaceName = "{sysname}", name = "wwan0" }]
"""
SERIAL = """
[[class]]
kind = "acme.com/serial"
name = "NAME"
  [[class.select]]
  devnode = "/dev/ttyUSB*"
"""
DISKS = """
[[class]]
kind = "acme.com/disk"
name = "{sysname}"
  [[class.select]]
  subsystem = "block"
  [[class.exclude]]
  mountpoint = MOUNTPOINTS
"""
ALL_DISKS = {
    *("sda", "sda1", "sda2", "sda3", "sda4", "sdb", "sdc", "sdd", "sde", "sdf", "sr0", "loop0", "loop1"),
    *("nvme0n1", "nvme1n1", "nvme1n1p1"),
    *(f"dm-{number}" for number in range(7)),
}
OF_THE_SYSTEM = {"sda", "sda1", "sda2", "sda3", "sda4", "dm-3", "dm-4", "dm-5", "dm-6"}
CLONE = "usb-Silicon_Labs_CP2102_USB_to_UART_Bridge-ace95df13ca0"
ONE, TWO = "/dev/ttyUSB0", "/dev/ttyUSB1"


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


def test_a_modem_is_one_device_of_five_nodes(bed: Bed) -> None:
    seen = bed.seen(Recording.read("modem"), MODEM)
    assert seen.devices == {"1-4": ("/dev/cdc-wdm0", *(f"/dev/ttyUSB{number}" for number in range(4)))}
    assert not seen.problems
    assert not seen.warnings


def test_a_network_interface_of_a_modem_is_a_device_without_a_node(bed: Bed) -> None:
    seen = bed.seen(Recording.read("modem"), NETWORK)
    assert seen.devices == {"1-4": ()}
    assert seen.spec is not None
    assert seen.spec.devices[0].container_edits.net_devices[0].host_interface_name == "wwan0"


@pytest.mark.parametrize(
    ("name", "devices"),
    [
        ("{usb:port}", {"1-1.1": (ONE,), "1-1.2": (TWO,)}),
        ("{link}", {f"pci-0000:00:14.0-usb-0:1.{port}:1.0-port0": (f"/dev/ttyUSB{port - 1}",) for port in (1, 2)}),
        ("{ID_SERIAL}", {}),
        ("{serial}", {}),
    ],
)
def test_two_identical_adapters_are_two_devices_or_told_of(
    bed: Bed, name: str, devices: dict[str, tuple[str, ...]]
) -> None:
    seen = bed.seen(Recording.read("ftdi-pair"), SERIAL.replace("NAME", name))
    assert seen.devices == devices
    assert bool(devices) != bool(seen.problems or seen.warnings)


class TestAClonedSerialNumber:
    """Two adapters of one serial number: who has the name keeps it, whoever comes first or last."""

    both = Recording.read("serial-clones")

    def test_the_holder_keeps_its_name_and_the_newcomer_is_left_out(self, bed: Bed) -> None:
        before = bed.seen(self.both.without("1-2"), "usb-serial")
        assert before.names[ONE] == CLONE
        after = bed.seen(self.both, "usb-serial", before)
        assert after.names[ONE] == CLONE
        assert TWO not in after.names
        assert f"{ONE} and {TWO}" in after.problems
        assert f"{ONE} keeps it, the others are left out; name them by {{usb:port}}" in after.problems

    def test_the_link_of_the_newcomer_takes_no_name_from_the_holder(self, bed: Bed) -> None:
        before = bed.seen(self.both.without("1-1"), "usb-serial")
        assert before.names[TWO] == CLONE
        blocks = range(len(self.both.blocks))
        original_last = sorted(blocks, key=lambda index: ("1-1" in self.both.blocks[index].splitlines()[0], index))
        after = bed.seen(self.both.in_order(original_last), "usb-serial", before)
        assert after.names[TWO] == CLONE
        assert ONE not in after.names

    def test_with_no_holder_neither_has_it(self, bed: Bed) -> None:
        assert list(bed.seen(self.both, "usb-serial").devices.values()) == [("/dev/ttyUSB2",)]

    def test_the_port_tells_them_apart(self, bed: Bed) -> None:
        seen = bed.seen(self.both, SERIAL.replace("NAME", "{usb:port}"))
        assert seen.devices == {"1-1": (ONE,), "1-2": (TWO,), "1-3": ("/dev/ttyUSB2",)}
        assert not seen.problems


@pytest.mark.parametrize(
    ("recording", "preset", "moves"),
    [
        ("webcam", "video", {"1-5": "1-2", "usb-0:5:1.0": "usb-0:2:1.0", "video0": "video4", "video1": "video5"}),
        ("serial-clones", "usb-serial", {"1-3": "1-8", "usb-0:3:1.0": "usb-0:8:1.0", "ttyUSB2": "ttyUSB9"}),
        ("disks", "block", {"nvme0": "nvme3", "nvme0n1": "nvme3n1", "dm-0": "dm-9", "sdb": "sdx"}),
        ("input", "input", {"1-2": "1-9", "event6": "event12", "input6": "input44"}),
        ("gpus", "amd-gpu", {"card1": "card3", "card3": "card1", "renderD129": "renderD131", "renderD131": "renderD9"}),
        ("gpus", "dri", {"renderD128": "renderD130", "renderD130": "renderD128"}),
        ("infiniband", "infiniband", {"uverbs0": "uverbs1", "uverbs1": "uverbs0", "umad0": "umad1", "umad1": "umad2"}),
        ("vfio", "vfio", {"12": "30", "30": "12"}),
        ("sound", "sound", {"card0": "card1", "card1": "card0"}),
        ("watchdogs", "watchdog", {"watchdog0": "watchdog1", "watchdog1": "watchdog0"}),
    ],
)  # fmt: skip
def test_a_device_has_its_name_again_at_another_port_and_under_another_kernel_name(
    bed: Bed, recording: str, preset: str, moves: dict[str, str]
) -> None:
    before = bed.seen(Recording.read(recording), preset)
    after = bed.seen(Recording.read(recording).renamed(moves), preset, before)
    assert after.devices.keys() == before.devices.keys()
    assert (after.problems, after.warnings) == (before.problems, before.warnings)


def test_an_adapter_without_a_serial_number_has_the_name_of_its_port(bed: Bed) -> None:
    pair = Recording.read("ftdi-pair")
    moved = pair.renamed({"1-1.1": "1-1.3", "usb-0:1.1:1.0": "usb-0:1.3:1.0"})
    before, after = (bed.seen(one, "usb-serial").names for one in (pair, moved))
    assert after[ONE] == before[ONE].replace("1.1:", "1.3:")
    assert after[TWO] == before[TWO]


@pytest.mark.parametrize(
    ("mountpoints", "left_out"),
    [
        ('"/"', OF_THE_SYSTEM),
        ('"swap"', OF_THE_SYSTEM),
        ('"/boot/*"', OF_THE_SYSTEM),
        ('["/", "/data"]', OF_THE_SYSTEM | {"nvme1n1", "nvme1n1p1"}),
        ('"*"', OF_THE_SYSTEM | {"nvme1n1", "nvme1n1p1", "loop0"}),
        ('"/nowhere"', set()),
    ],
)
def test_no_part_and_no_layer_of_a_disk_is_given_out_of_which_one_is_mounted(
    bed: Bed, mountpoints: str, left_out: set[str]
) -> None:
    seen = bed.seen(Recording.read("disks"), DISKS.replace("MOUNTPOINTS", mountpoints))
    assert seen.devices.keys() == ALL_DISKS - left_out


def test_the_disk_of_the_system_may_be_a_path_of_the_storage_network(bed: Bed) -> None:
    """Booted from SAN: the root is the partition of a multipath map."""
    disks = Recording.read("disks")
    san = Recording(disks.text, "28 1 253:2 / / rw - ext4 /dev/mapper/mpathb-part1 rw\n")
    seen = bed.seen(san, DISKS.replace("MOUNTPOINTS", '"/"'))
    assert seen.devices.keys() == ALL_DISKS - {"sdd", "sde", "dm-1", "dm-2"}


def test_where_mounts_cannot_be_read_no_disk_is_given_out_and_none_is_taken_for_gone(bed: Bed) -> None:
    before = bed.seen(Recording.read("disks"), "block")
    machine = bed.machine(Recording.read("disks"))
    os.unlink(machine.top / "proc/self/mountinfo")
    assert machine.seen("block").devices == {}
    again = machine.seen("block", before)
    assert again.devices == before.devices
    assert "mountinfo: no such file or directory" in again.problems


def test_why_a_disk_of_the_system_is_excluded_is_explained_by_what_is_mounted(bed: Bed) -> None:
    machine = bed.machine(Recording.read("disks"))
    exclude = machine.device_class("block").excludes[0]
    device = machine.look.device(f"{machine.roots.dev}/sda4")
    assert device is not None
    (check,) = selection.checks(exclude, device)
    assert (check.key, check.found, check.fits) == ("mountpoint", ("/", "/boot", "/boot/efi", "swap"), True)


@pytest.mark.parametrize(
    ("select", "groups"),
    [
        ('pci = { vendor = "1002" }', {"/dev/vfio/12"}),
        ('pci = { class = "02*" }', {"/dev/vfio/30"}),
        ('pci = { address = "0000:65:00.0" }', {"/dev/vfio/30"}),
        ('driver = "vfio-pci"', {"/dev/vfio/12", "/dev/vfio/30"}),
    ],
)
def test_a_vfio_group_is_selected_by_the_function_that_it_hands_out(bed: Bed, select: str, groups: set[str]) -> None:
    wanted = (
        f'[[class]]\nkind = "acme.com/group"\nname = "{{sysname}}"\n[[class.select]]\nsubsystem = "vfio"\n{select}\n'
    )
    assert set(bed.seen(Recording.read("vfio"), wanted).names) == groups


@pytest.mark.parametrize("number", [".1", ".2", ".3", ".4"])
def test_a_serial_port_is_selected_by_its_interface(bed: Bed, number: str) -> None:
    wanted = MODEM.replace('product = "0125"', f'interface = "*:1{number}"').replace("requires = 5", "")
    seen = bed.seen(Recording.read("modem"), wanted.replace("usbmisc", "none"))
    assert len(seen.names) == 1
