from __future__ import annotations

import errno
import os
import subprocess
import sys
import time

import pytest
import pyudev

from agent.discovery.sysfs import Look, Roots
from agent.discovery.udev import UdevDatabase
from tests.real import devices, parts
from tests.real.udev import Udevd

NULL = "/sys/devices/virtual/mem/null"


@pytest.fixture
def database() -> UdevDatabase:
    database = UdevDatabase()
    if not database.available:
        pytest.skip("libudev is not installed")
    return database


def test_a_device_has_the_kernels_properties_whether_udevd_runs_or_not(database: UdevDatabase) -> None:
    device = Look(Roots(), database).device("/dev/null")
    assert device is not None
    properties = device.properties
    wanted = {"DEVPATH": "/devices/virtual/mem/null", "DEVNAME": "/dev/null", "MAJOR": "1", "MINOR": "3"}
    assert {name: properties[name] for name in wanted} == wanted


def test_libudev_that_could_not_be_loaded_once_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []

    def short(*_arguments: object) -> None:
        calls.append(time.monotonic())
        raise OSError(errno.EMFILE, "Too many open files")

    database = UdevDatabase()
    with monkeypatch.context() as patched:
        patched.setattr(pyudev, "Context", short)
        assert [database.available for _ in range(3)] == [False] * 3
        assert len(calls) == 1, "it is not tried at every question"
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 31)
    assert database.available


@pytest.mark.parametrize("syspath", ["/sys/devices/virtual/mem/gone", "/sys", "/nowhere", ""])
def test_what_is_no_device_has_no_properties(database: UdevDatabase, syspath: str) -> None:
    assert database.properties(syspath) is None
    assert database.tags(syspath) == frozenset()
    assert not database.owes(syspath, 0.0)


_STRANGE_NAME = r"""
import fcntl, os, socket, struct, subprocess
from agent.discovery.sysfs import Look, Roots
from agent.discovery.udev import UdevDatabase

subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
subprocess.run(["mount", "-t", "sysfs", "none", "/sys"], check=True)
os.makedirs("/run/udev/data")
with socket.socket() as any_one:
    fcntl.ioctl(any_one, 0x8923, struct.pack("16s16s", b"lo", b"\xff\xfe"))  # SIOCSIFNAME
found = list(Look(Roots(), UdevDatabase()).network_devices())
print([(one.sysname, one.properties["SUBSYSTEM"], one.tags) for one in found])
"""


@pytest.mark.root
def test_a_network_interface_may_have_any_name(database: UdevDatabase) -> None:
    parts.need("namespaces")
    del database
    argv = ["unshare", "--net", "--mount", sys.executable, "-c", _STRANGE_NAME]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[('\\udcff\\udcfe', 'net', frozenset())]\n"


@pytest.mark.root
def test_without_udevd_nothing_is_waited_for(database: UdevDatabase) -> None:
    with devices.machine():
        if os.path.exists("/run/udev/control"):
            pytest.skip("udevd runs here")
        assert not database.fresh().running
        assert not database.owes(NULL, float("inf"))
        assert database.tags(NULL) == frozenset()


@pytest.mark.root
@pytest.mark.real
def test_a_device_that_udevd_never_saw_is_waited_for_no_longer_than_udevd_works(database: UdevDatabase) -> None:
    with devices.machine(), Udevd():
        now = time.time()
        os.utime("/run/udev/control", (now - 400, now - 400))  # it has run for a while
        database.fresh()
        assert database.owes(NULL, now - 100)
        assert not database.owes(NULL, now - 200)  # somebody else has touched the node since
        assert not database.owes(NULL, now - 500)
