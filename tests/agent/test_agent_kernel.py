"""The running agent and the kernel's own devices: bursts, kills, and what udev adds."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import struct
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.discovery.udev import UdevDatabase
from tests.agent.running import Agent, devices, eventually, once, reading, spec, spec_file
from tests.real.devices import Kernel, kernel
from tests.real.udev import Udevd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.devices import Loop

pytestmark = [pytest.mark.root, pytest.mark.real]

KIND = "acme.com/disk"


@pytest.fixture
def machine() -> Iterator[Kernel]:
    with kernel() as made:
        yield made


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Loop disks over files of this test, by the file's name: a fact that stays when the number changes."""
    path = tmp_path / "config.toml"
    path.write_text(f"""
[[class]]
kind = "{KIND}"
name = "{{attr:loop/backing_file}}"
[[class.select]]
subsystem = "block"
attributes = {{ "loop/backing_file" = "{tmp_path}/*" }}
[class.containerEdits]
env = ["ACME=1"]
""")
    return path


def name_of(backing: Path) -> str:
    """The device name that comes of a backing file's path."""
    from agent.templates import device_name

    return device_name(str(backing))


def make(machine: Kernel, tmp_path: Path, count: int) -> dict[str, Loop]:
    loops = (machine.loop(tmp_path / f"d{number}") for number in range(count))
    return {name_of(tmp_path / f"d{number}"): loop for number, loop in enumerate(loops)}


def test_a_burst_of_fifty_disks_ends_in_exactly_the_right_spec(machine: Kernel, config: Path, tmp_path: Path) -> None:
    with Agent(config, tmp_path / "cdi", tmp_path / "log") as agent:
        agent.wait_ready()
        with reading(agent.spec_dir, tmp_path):
            loops = make(machine, tmp_path, 50)
            agent.wait_devices(KIND, set(loops))
            gone = set(random.Random(1).sample(sorted(loops), 25))
            for name in gone:
                loops[name].remove()
            agent.wait_devices(KIND, set(loops) - gone)
            for loop in loops.values():
                loop.remove()
            agent.wait_devices(KIND, set())
        assert not spec_file(agent.spec_dir, KIND).exists()


def test_a_zram_disk_is_described_within_the_uevent_and_gone_with_it(machine: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[[class]]\nkind = "{KIND}"\nname = "{{sysname}}"\n[[class.select]]\ndevnode = "/dev/zram*"\n')
    with Agent(path, tmp_path / "cdi", tmp_path / "log") as agent:
        agent.wait_ready()
        disk = machine.zram()
        eventually(lambda: disk.name in devices(agent.spec_dir, KIND))
        document = spec(agent.spec_dir, KIND)
        assert document is not None
        (device,) = (device for device in document["devices"] if device["name"] == disk.name)
        assert device["containerEdits"] == {"deviceNodes": [{"path": str(disk.node), "permissions": "rw"}]}
        disk.remove()
        eventually(lambda: disk.name not in devices(agent.spec_dir, KIND))


def test_a_device_that_returns_under_another_number_keeps_its_name(
    machine: Kernel, config: Path, tmp_path: Path
) -> None:
    with Agent(config, tmp_path / "cdi", tmp_path / "log") as agent:
        agent.wait_ready()
        first = machine.loop(tmp_path / "d")
        name = name_of(tmp_path / "d")
        agent.wait_devices(KIND, {name})
        first.remove()
        agent.wait_devices(KIND, set())
        second = machine.loop(tmp_path / "d", first.number + 50)
        agent.wait_devices(KIND, {name})
        document = spec(agent.spec_dir, KIND)
        assert document is not None
        assert document["devices"][0]["containerEdits"]["deviceNodes"][0]["path"] == str(second.node)


@pytest.mark.timeout(1200)
def test_two_hundred_kills_at_random_moments_never_leave_a_wrong_spec(
    machine: Kernel, config: Path, tmp_path: Path
) -> None:
    rng = random.Random(int(os.environ.get("CDI_SYNC_TEST_SEED", "1")))
    present: dict[int, Loop] = {}
    agent = Agent(config, tmp_path / "cdi", tmp_path / "log")
    (tmp_path / "cdi").mkdir()
    with reading(agent.spec_dir, tmp_path):
        for _ in range(200):
            agent.start()
            churn(machine, present, tmp_path, rng, until=time.monotonic() + rng.uniform(0.0, 0.9))
            agent.kill()
        with agent:
            expected = {name_of(tmp_path / f"d{number}") for number in present}
            agent.wait_devices(KIND, expected)
            eventually(lambda: not list(agent.spec_dir.glob(".cdi-sync+*")))
            assert agent.end() == 0
    assert "Traceback" not in agent.log


def churn(machine: Kernel, present: dict[int, Loop], backing: Path, rng: random.Random, *, until: float) -> None:
    while time.monotonic() < until:
        number = rng.randrange(8)
        if number in present:
            present.pop(number).remove()
        else:
            present[number] = machine.loop(backing / f"d{number}")


RULE = 'SUBSYSTEM=="block", KERNEL=="loop7*", ENV{ACME_SERIAL}="serial-%k", SYMLINK+="acme/disk-%k"\n'


@pytest.fixture
def by_property(tmp_path: Path) -> Path:
    """A class that needs what only udev knows: a property and a link."""
    path = tmp_path / "config.toml"
    path.write_text(f"""
[[class]]
kind = "{KIND}"
name = "{{ACME_SERIAL|sysname}}"
[[class.select]]
subsystem = "block"
devnode = "/dev/acme/disk-*"
[[class.select]]
properties = {{ ACME_SERIAL = "serial-loop*" }}
""")
    return path


def test_what_udev_knows_selects_and_names(by_property: Path, tmp_path: Path) -> None:
    with Udevd(RULE) as udevd, kernel() as machine:
        disk = machine.loop(tmp_path / "d")
        udevd.settle()
        assert once(by_property, tmp_path / "cdi").returncode == 0
        assert devices(tmp_path / "cdi", KIND) == {f"serial-{disk.name}"}


def test_a_device_waits_for_udev_and_never_gets_a_name_from_half_its_facts(by_property: Path, tmp_path: Path) -> None:
    with Udevd(RULE) as udevd, Agent(by_property, tmp_path / "cdi", tmp_path / "log") as agent, kernel() as machine:
        agent.wait_ready()
        with frozen(udevd.pid):
            disk = machine.loop(tmp_path / "d")
            time.sleep(1)
            assert devices(agent.spec_dir, KIND) == set()
        agent.wait_devices(KIND, {f"serial-{disk.name}"})
        disk.remove()
        agent.wait_devices(KIND, set())


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process meanwhile. Its parent, unshare(1), stops with it."""
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
        os.kill(parent, signal.SIGCONT)


def test_devices_that_udevd_never_saw_are_taken_as_the_kernel_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[[class]]\nkind = "{KIND}"\nname = "{{sysname}}"\n[[class.select]]\ndevnode = "/dev/null"\n')
    with Udevd() as udevd:
        udevd.settle()
        assert UdevDatabase().running
        assert once(path, tmp_path / "cdi").returncode == 0
        assert devices(tmp_path / "cdi", KIND) == {"null"}


def test_udevd_may_come_and_go_while_the_agent_lives(by_property: Path, tmp_path: Path) -> None:
    with Agent(by_property, tmp_path / "cdi", tmp_path / "log") as agent:
        agent.wait_ready()
        with Udevd(RULE), kernel() as machine:
            disk = machine.loop(tmp_path / "d")
            agent.wait_devices(KIND, {f"serial-{disk.name}"})
        agent.wait_devices(KIND, set())
        assert agent.end() == 0


def test_a_network_interface_is_followed_as_it_comes_and_goes(machine: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        f'[[class]]\nkind = "{KIND}"\nname = "{{sysname}}"\n[[class.select]]\nsubsystem = "net"\nsysname = "cditest*"\n'
        '[class.deviceEdits]\nnetDevices = [{ hostInterfaceName = "{sysname}", name = "eth1" }]\n'
    )
    with Agent(path, tmp_path / "cdi", tmp_path / "log") as agent:
        agent.wait_ready()
        with tun("cditest0"):
            agent.wait_devices(KIND, {"cditest0"})
            document = spec(agent.spec_dir, KIND)
            assert document is not None
            assert document["devices"][0]["containerEdits"] == {
                "netDevices": [{"hostInterfaceName": "cditest0", "name": "eth1"}]
            }
        agent.wait_devices(KIND, set())


@contextmanager
def tun(name: str) -> Iterator[None]:
    """Have a network interface meanwhile: it lives as long as the descriptor that made it."""
    set_interface, tun_without_header = 0x400454CA, 0x1001
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, set_interface, struct.pack("16sH22x", name.encode(), tun_without_header))
        yield
    finally:
        os.close(descriptor)


def test_a_disk_is_withdrawn_as_soon_as_it_is_mounted(machine: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        f'[[class]]\nkind = "{KIND}"\nname = "{{sysname}}"\n[[class.select]]\nsubsystem = "block"\n'
        'devnode = "/dev/zram*"\n[[class.exclude]]\nmountpoint = "*"\n'
    )
    disk = machine.zram(16 << 20)
    subprocess.run(["mkfs.ext2", "-q", disk.node], check=True, capture_output=True)
    place = tmp_path / "mnt"
    place.mkdir()
    with Agent(path, tmp_path / "cdi", tmp_path / "log") as agent:
        eventually(lambda: disk.name in devices(agent.spec_dir, KIND))
        subprocess.run(["mount", disk.node, place], check=True)
        try:
            eventually(lambda: disk.name not in devices(agent.spec_dir, KIND), lambda: agent.log)
        finally:
            subprocess.run(["umount", place], check=True)
        eventually(lambda: disk.name in devices(agent.spec_dir, KIND), lambda: agent.log)
