"""What `inject` writes is what real runtimes do: one set of specs, applied by podman, by containerd and by us.

Containers tell what they see. containerd also shows the OCI spec that it made of the same names.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.real import podman
from tests.real.cri import CRIError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.real.containerd import Container, Containerd, Version
    from tests.real.devices import Kernel
    from tests.real.plugin import StartContainerd

pytestmark = [pytest.mark.real, pytest.mark.root]

PROGRAM = Path(sys.executable).with_name("cdi-sync")
WITH_CDI: tuple[Version, ...] = ("1.7", "2")
NODES = ("/dev/acme0", "/dev/acme1", "/dev/disk0", "/dev/acme-full")
FILES = ("/opt/deep/er/file", "/opt/file", "/srv/file")
_SCRIPT = f"""
echo "env $ACME|$LEVEL|$MODEM|$DISK|$WORDS"
for node in {" ".join(NODES)}; do
    if [ -b $node ]; then kind=b; elif [ -c $node ]; then kind=c; else echo "node $node -"; continue; fi
    stat -c "node $node $kind %t:%T %a %u:%g" $node
done
for file in {" ".join(FILES)}; do
    if [ -f $file ]; then echo "file $file $(cat $file)"; else echo "file $file -"; fi
    if echo 2>/dev/null >>$file; then echo "writable $file"; fi
done
"""
REPORT = ["sh", "-c", _SCRIPT]


@dataclass(frozen=True)
class Host:
    """Two spec directories, files to mount, and a disk."""

    place: Path
    disk: Path

    @property
    def spec_dirs(self) -> list[Path]:
        return [self.place / "low", self.place / "high"]

    def inject(self, oci: dict[str, Any], devices: Sequence[str]) -> dict[str, Any]:
        """Put devices into an OCI spec as a user does."""
        directories = [word for path in self.spec_dirs for word in ("--spec-dir", str(path))]
        done = subprocess.run(
            [str(PROGRAM), "inject", "-", *devices, *directories],
            input=json.dumps(oci),
            capture_output=True,
            text=True,
            check=True,
        )
        result: dict[str, Any] = json.loads(done.stdout)
        return result


@pytest.fixture
def host(tmp_path: Path, kernel: Kernel) -> Host:
    host = Host(tmp_path, kernel.zram().node)
    for name in ("deep", "shallow", "high"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    (tmp_path / "low").mkdir()
    (tmp_path / "low" / "acme.json").write_text(json.dumps(_modems(tmp_path)))
    (tmp_path / "low" / "disks.yaml").write_text(_DISKS.format(disk=host.disk))
    (tmp_path / "high" / "acme.yaml").write_text(_MODEM_ABOVE.format(place=tmp_path))
    return host


def _modems(place: Path) -> dict[str, Any]:
    deep = {"hostPath": str(place / "deep"), "containerPath": "/opt/deep/er", "options": ["bind", "ro"]}
    shallow = {"hostPath": str(place / "shallow"), "containerPath": "/opt", "options": ["rbind", "rw"]}
    return {
        "cdiVersion": "0.5.0",
        "kind": "acme.com/modem",
        "containerEdits": {"env": ["ACME=all", "LEVEL=spec"]},
        "devices": [
            {
                "name": "0",
                "containerEdits": {
                    "env": ["LEVEL=device", "MODEM=0", "WORDS=a b=c"],
                    "deviceNodes": [{"path": "/dev/acme0", "hostPath": "/dev/null", "permissions": "rw"}],
                    "mounts": [deep, shallow],
                },
            },
            {"name": "masked", "containerEdits": {"env": ["MODEM=low"]}},
        ],
    }


_DISKS = """\
cdiVersion: 0.5.0
kind: acme.com/disk
devices:
- name: disk-a.b_c
  containerEdits:
    env: [DISK=a, ACME=disk]
    deviceNodes:
    - path: /dev/disk0
      hostPath: {disk}
      permissions: r
      fileMode: 0o640
      gid: 6
    - {{path: /dev/acme-full, hostPath: /dev/full}}
"""
_MODEM_ABOVE = """\
cdiVersion: 0.4.0
kind: acme.com/modem
devices:
- name: masked
  containerEdits:
    env: [MODEM=high]
    deviceNodes:
    - {{path: /dev/acme1, type: c, major: 1, minor: 5, uid: 12}}
    mounts:
    - {{hostPath: "{place}/high", containerPath: /srv, type: bind, options: [bind, ro, nosuid]}}
"""

# None names a device twice: containerd 1.7 and the reference apply it twice then, containerd 2 once.
REQUESTS = [
    ("acme.com/modem=0",),
    ("acme.com/modem=masked",),
    ("acme.com/disk=disk-a.b_c",),
    ("acme.com/modem=0", "acme.com/disk=disk-a.b_c", "acme.com/modem=masked"),
    ("acme.com/modem=masked", "acme.com/disk=disk-a.b_c", "acme.com/modem=0"),
]


def expected(oci: dict[str, Any]) -> list[str]:
    """Return what `REPORT` prints in a container of this OCI spec."""
    env = dict(variable.split("=", 1) for variable in oci["process"]["env"])
    values = "|".join(env.get(name, "") for name in ("ACME", "LEVEL", "MODEM", "DISK", "WORDS"))
    devices = {device["path"]: device for device in oci["linux"]["devices"]}
    lines = [f"env {values}", *(_node_line(path, devices.get(path)) for path in NODES)]
    for path in FILES:
        lines += _file_lines(path, oci["mounts"])
    return lines


def _node_line(path: str, device: dict[str, Any] | None) -> str:
    if device is None:
        return f"node {path} -"
    number = f"{device['major']:x}:{device['minor']:x}"
    mode = device.get("fileMode", 0o666)  # runc's own, where the host has no such node
    return f"node {path} {device['type']} {number} {mode:o} {device.get('uid', 0)}:{device.get('gid', 0)}"


def _file_lines(path: str, mounts: list[dict[str, Any]]) -> list[str]:
    """The last mount that covers a path decides."""
    for mount in reversed(mounts):
        if path.startswith(f"{mount['destination']}/"):
            source = Path(mount["source"]) / path.removeprefix(f"{mount['destination']}/")
            content = source.read_text().strip() if source.is_file() else "-"
            readable = [f"file {path} {content}"]
            return readable if "ro" in mount["options"] else [*readable, f"writable {path}"]
    return [f"file {path} -"]


@pytest.mark.parametrize("devices", REQUESTS, ids=lambda devices: f"{len(devices)}-{devices[0].partition('=')[2]}")
def test_podman_does_what_inject_writes(devices: tuple[str, ...], host: Host) -> None:
    empty: dict[str, Any] = {"process": {"env": []}, "mounts": [], "linux": {"devices": []}}
    result = podman.run(devices=devices, command=REPORT, spec_dirs=host.spec_dirs)
    assert result.output.splitlines() == expected(host.inject(empty, devices))


@pytest.mark.parametrize("version", WITH_CDI)
def test_containerd_does_what_inject_writes(version: Version, host: Host, start_containerd: StartContainerd) -> None:
    daemon = start_containerd(version, spec_dirs=host.spec_dirs)
    assert daemon.status()["enableCDI"] is True
    without = oci_spec(daemon, daemon.create())
    for devices in REQUESTS:
        ours = host.inject(without, devices)
        assert comparable(oci_spec(daemon, daemon.create(devices=devices))) == comparable(ours)
        assert daemon.run(devices=devices, command=REPORT).output.splitlines() == expected(ours)


def test_a_process_that_is_not_root_may_open_its_nodes(host: Host, start_containerd: StartContainerd) -> None:
    daemon = start_containerd("2", spec_dirs=host.spec_dirs)
    devices = ["acme.com/modem=0", "acme.com/disk=disk-a.b_c"]
    ours = host.inject(oci_spec(daemon, daemon.create(user=1234)), devices)
    theirs = daemon.create(devices=devices, user=1234)
    assert comparable(oci_spec(daemon, theirs)) == comparable(ours)
    report = daemon.run(devices=devices, user=1234, command=REPORT).output.splitlines()
    assert [line for line in report if line.startswith("node ")] == [
        line for line in expected(ours) if line.startswith("node ")
    ]


def test_all_refuse_the_same_names(host: Host, start_containerd: StartContainerd) -> None:
    devices = ("acme.com/modem=0", "acme.com/modem=9", "acme.com/none=0")
    with pytest.raises(subprocess.CalledProcessError) as ours:
        host.inject({}, devices)
    assert ours.value.stdout == ""
    assert [line.split(": ")[1] for line in ours.value.stderr.splitlines()] == list(devices[1:])
    # podman 4.3 names all that were asked for.
    refusal = podman.run(devices=devices, command=["true"], spec_dirs=host.spec_dirs).output
    assert re.search("unresolvable CDI devices .*acme.com/modem=9, acme.com/none=0", refusal)
    with pytest.raises(CRIError, match=r"unresolvable CDI devices acme\.com/modem=9, acme\.com/none=0"):
        start_containerd("2", spec_dirs=host.spec_dirs).create(devices=devices)


def oci_spec(daemon: Containerd, container: Container) -> dict[str, Any]:
    """Return the OCI spec that containerd made for a container."""
    spec: dict[str, Any] = json.loads(daemon.ctr("containers", "info", container.id))["Spec"]
    return spec


def comparable(oci: dict[str, Any]) -> dict[str, Any]:
    """Leave out what may differ without effect.

    That is the name of the container's control group; the order of mounts beside each other, which 1.7 sorts in an
    unstable way; and the mode of a node where it is runc's own: the newest reference writes down the host's, those in
    the daemons leave it to runc.
    """
    devices = [
        {key: value for key, value in device.items() if (key, value) != ("fileMode", 0o666)}
        for device in oci["linux"]["devices"]
    ]
    linux = {key: value for key, value in oci["linux"].items() if key != "cgroupsPath"}
    mounts = sorted(oci["mounts"], key=lambda mount: str(mount["destination"]))
    return {**oci, "linux": {**linux, "devices": devices}, "mounts": mounts}
