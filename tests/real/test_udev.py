from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pyudev

from tests.real import devices, parts, udev

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real.devices import Kernel
    from tests.real.udev import Udevd

pytestmark = pytest.mark.real

RULES = 'SUBSYSTEM=="block", KERNEL=="zram*", ENV{ACME_SERIAL}="s-%n", SYMLINK+="acme/%k", MODE="0640"'
RUN = Path("/run/udev")
needs_no_udevd = pytest.mark.skipif(
    RUN.exists() and not (RUN / "cdi-sync-tests.json").exists(), reason="this machine has its own udevd"
)


def _dev() -> dict[str, tuple[int, int, int]]:
    facts = {}
    for directory, directories, names in os.walk("/dev"):
        for path in (f"{directory}/{name}" for name in (*directories, *names)):
            if not path.startswith("/dev/pts/"):
                node = os.lstat(path)
                facts[path] = (node.st_mode, node.st_uid, node.st_gid)
    return facts


def test_the_udev_source_delivers_what_rules_have_set(start_udevd: Callable[[str], Udevd], kernel: Kernel) -> None:
    start_udevd(RULES)
    context = pyudev.Context()
    monitor = pyudev.Monitor.from_netlink(context, source="udev")
    monitor.filter_by("block")
    monitor.start()
    disk = kernel.zram()
    event = monitor.poll(timeout=5)
    while event is not None and event.sys_name != disk.name:
        event = monitor.poll(timeout=5)
    assert event is not None
    assert event.is_initialized
    assert event.properties["ACME_SERIAL"] == f"s-{disk.number}"
    assert Path(f"/dev/acme/{disk.name}").resolve() == disk.node


def test_the_database_answers_queries_and_follows_new_rules(
    start_udevd: Callable[[str], Udevd], kernel: Kernel
) -> None:
    udevd = start_udevd(RULES)
    disk = kernel.zram()
    udevd.settle()
    device = pyudev.Devices.from_device_file(pyudev.Context(), str(disk.node))
    assert device.properties["ACME_SERIAL"] == f"s-{disk.number}"
    assert f"/dev/acme/{disk.name}" in device.device_links
    udevd.set_rules(RULES.replace("s-", "t-"))
    udevd.trigger(disk.sysfs)
    assert udevd.properties(disk.sysfs)["ACME_SERIAL"] == f"t-{disk.number}"


def test_debians_own_rules_apply(start_udevd: Callable[[str], Udevd], kernel: Kernel, tmp_path: Path) -> None:
    udevd = start_udevd("")
    disk = kernel.loop(tmp_path / "backing")
    udevd.settle()
    number = disk.node.stat().st_rdev
    assert f"/dev/block/{os.major(number)}:{os.minor(number)}" in _dev()


@needs_no_udevd
def test_afterwards_the_machine_is_one_without_udevd(kernel: Kernel) -> None:
    disk = kernel.zram()
    before = _dev()
    with udev.Udevd(RULES) as udevd:
        udevd.trigger(disk.sysfs, Path("/sys/class/mem/null"), Path("/sys/class/misc/loop-control"))
        assert _dev() != before
    assert _dev() == before
    assert not RUN.exists()


_KILLED = """
import os, pathlib, signal
from tests.real.udev import Udevd
with Udevd('KERNEL=="null", SYMLINK+="acme/null"') as udevd:
    udevd.trigger(pathlib.Path("/sys/class/mem/null"))
    print(pathlib.Path("/dev/acme/null").is_symlink(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@needs_no_udevd
def test_what_a_killed_test_left_is_undone_by_the_next() -> None:
    parts.need("namespaces", "devtmpfs", "udev")
    with devices.machine():
        udev.clean_up()
    before = _dev()
    killed = subprocess.run([sys.executable, "-c", _KILLED], check=False, stdout=subprocess.PIPE, text=True)
    assert killed.stdout == "True\n"
    assert RUN.exists()
    udev.clean_up_after_kill()
    assert not RUN.exists()
    assert _dev() == before
