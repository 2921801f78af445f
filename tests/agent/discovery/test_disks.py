from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from agent.discovery.sysfs import Look, Roots
from agent.host import Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROOT = "25 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw"
BTRFS = "25 1 0:27 /@ / rw - btrfs {dev}/sda2 rw"

# A disk with partitions, two disks in a RAID with a partition on it, an eMMC, LVM over a partition and a disk.
DISKS: Mapping[str, tuple[str, ...]] = {
    "sda": (),
    "sda/sda1": (),
    "sda/sda2": (),
    "sdb": (),
    "sdc": (),
    "md0": ("sdb", "sdc"),
    "md0/md0p1": (),
    "mmcblk0": (),
    "mmcblk0/mmcblk0p1": (),
    "mmcblk0/mmcblk0boot0": (),
    "sdd": (),
    "sdd/sdd1": (),
    "sde": (),
    "dm-0": ("sdd/sdd1", "sde"),
    "dm-1": ("dm-0",),
    "dm-2": ("sdd/sdd1",),
}
NUMBERS = {disk.rpartition("/")[2]: f"8:{number}" for number, disk in enumerate(DISKS)}


@dataclass(frozen=True, slots=True)
class Machine:
    """Block devices as sysfs shows them, and what is mounted."""

    top: Path
    mountinfo: str | None = ROOT
    swaps: str | None = None
    others: str | None = None
    members: Mapping[str, str] = field(default_factory=dict)

    @property
    def look(self) -> Look:
        for disk, below in DISKS.items():
            directory = self.top / "sys/devices" / disk
            (directory / "slaves").mkdir(parents=True)
            (directory / "subsystem").symlink_to("/sys/class/block")
            for one in below:
                (directory / "slaves" / one.rpartition("/")[2]).symlink_to(self.top / "sys/devices" / one)
            link = self.top / "sys/dev/block" / NUMBERS[directory.name]
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(f"../../devices/{disk}")
        for place, text in (("self/mountinfo", self.mountinfo), ("1/mountinfo", self.others), ("swaps", self.swaps)):
            path = self.top / "proc" / place
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_text(text.replace("{dev}", str(self.top / "dev")) + "\n")
        return Look(Roots(*(str(self.top / name) for name in ("dev", "sys", "proc"))), _Members(self.members))

    def with_the_same_disk(self, mountpoint: str) -> set[str]:
        """Name the devices that have that mount point."""
        look = self.look
        devices = {name: look.numbered("block", number) for name, number in NUMBERS.items()}
        return {name for name, one in devices.items() if one and mountpoint in look.disks.mountpoints(one)}


@dataclass(frozen=True, slots=True)
class _Members:
    """A udev that knows of file systems only."""

    kinds: Mapping[str, str]

    def properties(self, syspath: str) -> Mapping[str, str]:
        kind = self.kinds.get(syspath.rpartition("/")[2])
        return {"ID_FS_TYPE": kind} if kind else {}

    def tags(self, syspath: str) -> frozenset[str]:
        return frozenset()

    def owes(self, syspath: str, node_changed: float) -> bool:
        return False


@pytest.mark.parametrize(
    ("number", "disk"),
    [
        ("sda", {"sda", "sda1", "sda2"}),
        ("sda2", {"sda", "sda1", "sda2"}),
        ("mmcblk0p1", {"mmcblk0", "mmcblk0p1", "mmcblk0boot0"}),
        ("md0p1", {"sdb", "sdc", "md0", "md0p1"}),
        ("dm-1", {"sdd", "sdd1", "sde", "dm-0", "dm-1", "dm-2"}),
        ("dm-2", {"sdd", "sdd1", "dm-0", "dm-1", "dm-2"}),
        ("sde", {"sde", "dm-0", "dm-1"}),
    ],
)
def test_what_is_mounted_is_mounted_of_every_layer_above_and_below_on_its_disks(
    tmp_path: Path, number: str, disk: set[str]
) -> None:
    mount = f"25 1 {NUMBERS[number]} / / rw,relatime shared:1 master:2 - ext4 /dev/root rw"
    assert Machine(tmp_path, mount).with_the_same_disk("/") == disk


@pytest.mark.parametrize(
    ("line", "point"),
    [
        ("36 35 8:0 /sub /mnt rw - ext3 /dev/root rw,errors=continue", "/mnt"),
        (r"36 35 8:0 / /my\040disk\134 rw - ext3 /dev/root rw", "/my disk\\"),
        ("36 35 8:0 /var/lib/x/hosts /etc/hosts rw shared:9 - xfs /dev/sda rw", "/etc/hosts"),
        *((f"36 35 8:0 / /media/a{odd}b rw - vfat /dev/sda rw", f"/media/a{odd}b") for odd in "\r\v\f\x1c\x85\u2028"),
    ],
)
def test_a_mount_point_is_read_as_proc_writes_it(tmp_path: Path, line: str, point: str) -> None:
    assert Machine(tmp_path, line).with_the_same_disk(point) == {"sda", "sda1", "sda2"}


@pytest.mark.parametrize(
    "line",
    [
        "22 1 0:5 / /dev rw - devtmpfs udev rw",
        "22 1 0:44 / / rw - overlay overlay rw,lowerdir=/a",
        "22 1 0:45 / / rw - nfs4 server:/export rw",
        "22 1 99:9 / / rw - ext4 /dev/unknown rw",
    ],
)
def test_what_is_on_no_disk_takes_no_disk(tmp_path: Path, line: str) -> None:
    assert Machine(tmp_path, line).with_the_same_disk("/") == set()


def test_the_mounts_of_the_first_process_count_too(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "22 1 0:44 / / rw - overlay overlay rw", others=ROOT)
    assert machine.with_the_same_disk("/") == {"sda", "sda1", "sda2"}


def test_a_pool_of_zfs_is_on_every_disk_that_udev_calls_a_member(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "25 1 0:30 / / rw - zfs rpool/ROOT rw", members={"sda2": "zfs_member", "sde": "ext4"})
    assert machine.with_the_same_disk("/") == {"sda", "sda1", "sda2"}


@pytest.mark.parametrize(
    "line",
    [
        BTRFS,
        BTRFS.replace("btrfs", "bcachefs").replace("{dev}/sda2", "{dev}/a:{dev}/b"),
        BTRFS.replace("sda2", r"\000/a"),
    ],
)
def test_a_file_system_on_disks_that_are_not_there_to_see_decides_nothing(tmp_path: Path, line: str) -> None:
    with pytest.raises(Unreadable, match="it cannot be told which disks hold it"):
        Machine(tmp_path, line).with_the_same_disk("/")


@pytest.mark.parametrize("line", ["25", "25 1 8:0 / /", "25 1 8:0 / / rw -", "25 1 8:0 / / rw - ext4"])
def test_a_line_that_says_too_little_decides_nothing(tmp_path: Path, line: str) -> None:
    with pytest.raises(Unreadable, match="cannot be understood"):
        Machine(tmp_path, f"{line}\n{ROOT}").with_the_same_disk("/")


@pytest.mark.parametrize("line", ["", " ", "/dev/a\x85b partition 8 0 -2", "\v"])
def test_a_swap_space_of_any_name_is_none_of_another_disk(tmp_path: Path, line: str) -> None:
    assert Machine(tmp_path, swaps=f"Filename\n{line}\n").with_the_same_disk("swap") == set()


def test_mounts_that_cannot_be_read_decide_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="mountinfo: no such file"):
        Machine(tmp_path, None).with_the_same_disk("/")
