from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pyudev

from tests.real import devices, parts

if TYPE_CHECKING:
    from tests.real.devices import Kernel

pytestmark = pytest.mark.root


def test_zram_comes_and_goes_with_kernel_events(kernel: Kernel) -> None:
    monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="kernel")
    monitor.filter_by("block")
    monitor.start()
    disk = kernel.zram()
    assert stat.S_ISBLK(disk.node.stat().st_mode)
    os.close(os.open(disk.node, os.O_RDWR))
    disk.remove()
    assert not disk.node.exists()
    actions: list[str | None] = []
    while "remove" not in actions:
        event = monitor.poll(timeout=5)
        assert event is not None, actions
        if event.sys_name == disk.name:
            actions.append(event.action)
    assert actions[0] == "add"


def test_a_disk_returns_with_another_number(kernel: Kernel, tmp_path: Path) -> None:
    first = kernel.loop(tmp_path / "backing")
    number = first.node.stat().st_rdev
    first.remove()
    second = kernel.loop(tmp_path / "backing", first.number + 1)
    assert second.node.stat().st_rdev != number
    assert (second.sysfs / "loop/backing_file").read_text().strip() == str(tmp_path / "backing")
    second.node.write_bytes(b"it opens")


def test_a_full_disk(tmp_path: Path) -> None:
    with devices.tmpfs(tmp_path / "small", 65536) as small:
        with pytest.raises(OSError, match="No space left") as error:
            (small / "file").write_bytes(bytes(100_000))
        assert error.value.errno == errno.ENOSPC
    assert not list((tmp_path / "small").iterdir())


def test_scratch_nodes(tmp_path: Path) -> None:
    node = devices.make_node(tmp_path / "null", 1, 3, mode=0o666).stat()
    assert (stat.S_ISCHR(node.st_mode), stat.S_IMODE(node.st_mode)) == (True, 0o666)
    assert node.st_rdev == os.stat("/dev/null").st_rdev
    assert stat.S_ISBLK(devices.make_node(tmp_path / "disk", 7, 99, kind=stat.S_IFBLK).stat().st_mode)


_KILLED = """
import os, pathlib, signal
from tests.real import devices, parts
with devices.kernel() as kernel:
    print(kernel.zram().name, kernel.loop(pathlib.Path({backing!r})).name, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_devices_of_a_killed_test_are_removed_by_the_next_one(tmp_path: Path) -> None:
    parts.need("devtmpfs", "zram", "loop")
    code = _KILLED.format(backing=str(tmp_path / "backing"))
    killed = subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.PIPE, text=True)
    names = killed.stdout.split()
    assert len(names) == 2
    with devices.machine():
        assert not [name for name in names if Path("/sys/block", name).exists()]
