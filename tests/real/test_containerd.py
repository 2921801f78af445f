from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from tests.real import parts, scratch
from tests.real.cell import child_of
from tests.real.containerd import VERSIONS, Containerd, ContainerdError
from tests.real.cri import CRIError

if TYPE_CHECKING:
    from tests.real.containerd import Version
    from tests.real.devices import Kernel
    from tests.real.plugin import StartContainerd

pytestmark = pytest.mark.real

WITH_CDI: tuple[Version, ...] = ("1.7", "2")
NODE_AND_ENV = ["sh", "-c", "echo $ACME; [ -c /dev/acme ] && echo written >/dev/acme && stat -c %t:%T /dev/acme"]


NULL = {"env": ["ACME=here"], "deviceNodes": [{"path": "/dev/acme", "hostPath": "/dev/null"}]}


def write_spec(directory: Path, edits: dict[str, Any] = NULL) -> None:
    spec = {
        "cdiVersion": "0.5.0",
        "kind": "acme.com/null",
        "devices": [{"name": "one", "containerEdits": edits}],
    }
    (directory / "acme.json").write_text(json.dumps(spec))


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_starts_and_runs_a_container(version: Version, start_containerd: StartContainerd) -> None:
    daemon = start_containerd(version)
    result = daemon.run(command=["sh", "-c", "echo out; echo $A >&2; exit 3"], env={"A": "err"})
    assert result.exit_code == 3
    assert sorted(result.output.split()) == ["err", "out"]
    assert f"{version}." in subprocess.check_output([daemon.binary, "--version"], text=True)


@pytest.mark.parametrize("version", WITH_CDI)
def test_a_container_gets_its_cdi_device(version: Version, tmp_path: Path) -> None:
    write_spec(tmp_path)
    with Containerd(version, spec_dirs=[tmp_path]) as daemon:
        assert daemon.status()["enableCDI"] is True
        assert daemon.status()["cdiSpecDirs"] == [str(tmp_path)]
        result = daemon.run(devices=["acme.com/null=one"], command=NODE_AND_ENV)
    assert (result.exit_code, result.output) == (0, "here\n1:3\n")


@pytest.mark.parametrize("version", WITH_CDI)
def test_a_spec_that_comes_later_is_seen_without_restart(version: Version, start_containerd: StartContainerd) -> None:
    daemon = start_containerd(version)
    with pytest.raises(CRIError, match=r"unresolvable CDI devices acme\.com/null=one") as refusal:
        daemon.run(devices=["acme.com/null=one"], command=["true"])
    assert refusal.value.method == "CreateContainer"
    write_spec(daemon.spec_dir)
    assert daemon.run(devices=["acme.com/null=one"], command=NODE_AND_ENV).exit_code == 0


@pytest.mark.parametrize("version", WITH_CDI)
def test_a_disk_that_appears_while_the_daemon_runs_can_be_written_in_a_container(
    version: Version, start_containerd: StartContainerd, kernel: Kernel
) -> None:
    daemon = start_containerd(version)
    disk = kernel.zram()
    edits = {"deviceNodes": [{"path": "/dev/acme", "hostPath": str(disk.node), "permissions": "rw"}]}
    write_spec(daemon.spec_dir, edits)
    write = ["sh", "-c", "[ -b /dev/acme ] && echo written | dd of=/dev/acme"]
    assert daemon.run(devices=["acme.com/null=one"], command=write).exit_code == 0
    assert disk.node.read_bytes()[:8] == b"written\n"
    without = ["sh", "-c", f"mknod /disk b {disk.major} {disk.minor} && echo no | dd of=/disk"]
    refused = daemon.run(command=without)
    assert refused.exit_code != 0
    assert "not permitted" in refused.output


def test_1_6_knows_no_cdi_and_starts_the_container_without_the_device(
    start_containerd: StartContainerd,
) -> None:
    daemon = start_containerd("1.6")
    write_spec(daemon.spec_dir)
    assert "enableCDI" not in daemon.status()
    assert daemon.run(devices=["acme.com/null=one"], command=NODE_AND_ENV).output == "\n"


@pytest.mark.parametrize("version", WITH_CDI)
def test_a_container_outlives_the_daemon_and_starts_anew_with_the_same_names(
    version: Version, start_containerd: StartContainerd
) -> None:
    daemon = start_containerd(version)
    write_spec(daemon.spec_dir)
    container = daemon.create(devices=["acme.com/null=one"])
    container.start()
    container.execute("touch", "/tmp/still-the-first-one")
    daemon.restart()
    assert container.execute("ls", "/tmp").output == "still-the-first-one\n"
    assert container.execute(*NODE_AND_ENV).output == "here\n1:3\n"
    container.restart()
    assert container.execute("ls", "/tmp").output == ""
    assert container.execute(*NODE_AND_ENV).output == "here\n1:3\n"
    (daemon.spec_dir / "acme.json").unlink()
    time.sleep(0.2)
    with pytest.raises(CRIError, match="unresolvable"):
        container.restart()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_configuration_file_stays_the_tests_own(version: Version, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
    with Containerd(version, config=config) as daemon:
        with pytest.raises(CRIError) as refusal:
            daemon.status()
        assert refusal.value.code is grpc.StatusCode.UNIMPLEMENTED
        config.write_text('version = 2\n[plugins."io.containerd.grpc.v1.cri"]\nsandbox_image = "x.test/y:1"\n')
        daemon.restart()
        assert "plugins" in daemon.config_dump()
        assert daemon.run(command=["echo", "yes"]).output == "yes\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_no_configuration_file_at_all(version: Version, tmp_path: Path) -> None:
    with Containerd(version, etc=tmp_path) as daemon:
        assert daemon.run(command=["echo", "yes"]).output == "yes\n"
        # What CDI's default directories hold is this machine's; only whether CDI is on is the version's.
        assert daemon.status().get("enableCDI") is {"1.6": None, "1.7": False, "2": True}[version]


def test_a_broken_configuration_gives_the_daemons_own_words() -> None:
    with pytest.raises(ContainerdError, match="toml"), Containerd("2", config="version = \n"):
        pass


def test_non_root_processes_and_long_paths(start_containerd: StartContainerd, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-rather-long-directory-name"] * 6)
    deep.mkdir(parents=True)
    write_spec(deep)
    daemon = start_containerd("2", spec_dirs=[deep])
    result = daemon.run(command=["sh", "-c", "id -u; echo $ACME"], devices=["acme.com/null=one"], user=1234)
    assert result.output == "1234\nhere\n"


_KILLED = """
import time
from tests.real.containerd import Containerd
daemon = Containerd("2").__enter__()
daemon.create().start()
print(daemon.pid, daemon.socket.parent, flush=True)
time.sleep(600)
"""


def test_nothing_outlives_a_killed_test() -> None:
    parts.need("namespaces", "runc", "busybox", "containerd-2")
    with subprocess.Popen([sys.executable, "-c", _KILLED], stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        pid, directory = test.stdout.readline().split()
        shim = next(
            int(entry.name)
            for entry in Path("/proc").glob("[0-9]*")
            if b"containerd-shim" in _command_line(entry) and directory.encode() in _command_line(entry)
        )
        sleeper = child_of(shim)
        test.kill()
    for left in (int(pid), shim, sleeper):
        _wait_gone(left)
    with scratch.scratch():
        assert not Path(directory).exists()
    assert not list(Path("/sys/fs/cgroup").glob(f"*{scratch.cgroup_parent(Path(directory))}"))


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def _wait_gone(pid: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    pytest.fail(f"process {pid} is still there")


def test_a_daemon_may_be_killed_and_started_again(start_containerd: StartContainerd) -> None:
    daemon = start_containerd("2")
    container = daemon.create()
    container.start()
    daemon.stop(signal.SIGKILL)
    assert not daemon.alive
    daemon.start()
    assert container.execute("true").exit_code == 0
