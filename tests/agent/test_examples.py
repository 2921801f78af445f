"""The files in ``contrib/examples`` do what the systems they reproduce do."""

from __future__ import annotations

import glob
import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.config.checking import settings_of
from agent.config.files import parse
from agent.config.load import load
from agent.host import Observation
from agent.importers.formats import imported
from agent.render import render
from cdi import wire
from tests.agent.fakes import FakeDevice
from tests.agent.running import once, spec
from tests.real.devices import make_node

if TYPE_CHECKING:
    from tests.real.devices import Kernel

EXAMPLES = Path(__file__).parents[2] / "contrib" / "examples"
POWER = "power-dev-plugin/dev"
KVM = EXAMPLES / "kubelet-plugin.toml"

SAMPLE: dict[str, Any] = {
    "nx-gzip": True,
    "permissions": "rw",
    "include-devices": ["/dev/dm-*", "/dev/crypto/nx-gzip"],
    "exclude-devices": ["/dev/dm-3"],
    "discovery-strategy": "time",
    "scan-interval": "60m",
}


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_every_example_loads(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    assert load(str(copy)).classes


def test_the_power_example_is_what_importing_its_sample_gives() -> None:
    ours, theirs = (
        settings_of((parse("config", text),)).classes
        for text in (
            (EXAMPLES / "power-device-plugin.toml").read_text(),
            imported("power-device-plugin", "config.json", json.dumps(SAMPLE).encode()).text,
        )
    )
    # Of how many pods may share the devices the sample says nothing: the example has a figure, the import a usual one.
    assert [one.resource and one.resource.shares for one in (*ours, *theirs)] == [742, 110]
    alike = [[replace(one, origin="", resource=None) for one in classes] for classes in (ours, theirs)]
    assert alike[0] == alike[1]


def peer_selects(sample: dict[str, Any]) -> set[str]:
    """The nodes that power-device-plugin hands out: each include is globbed, and excludes play no part."""
    return {path for pattern in sample["include-devices"] for path in glob.glob(pattern)}


def wrongly_selected(sample: dict[str, Any]) -> set[str]:
    """The nodes that it hands out although its configuration excludes them."""
    return {path for pattern in sample["exclude-devices"] for path in glob.glob(pattern)}


def moved(text: str, *pairs: tuple[str, str]) -> str:
    for here, there in pairs:
        text = text.replace(here, there)
    return text


def selected(config: Path, spec_dir: Path) -> set[str]:
    """The nodes of the one device of the power class after a pass."""
    done = once(config, spec_dir)
    assert done.returncode == 0, done.stderr
    document = spec(spec_dir, POWER)
    assert document is not None
    (device,) = document["devices"]
    assert device["name"] == "all"
    nodes = device["containerEdits"]["deviceNodes"]
    assert all(node["permissions"] == "rw" for node in nodes)
    return {node["path"] for node in nodes}


def configurations(tmp_path: Path, *pairs: tuple[str, str]) -> tuple[dict[str, Any], list[Path]]:
    """The sample, and our file for it in both ways: the example, and what is imported; paths moved as ``pairs`` say."""
    sample = json.loads(moved(json.dumps(SAMPLE), *pairs))
    texts = (
        moved((EXAMPLES / "power-device-plugin.toml").read_text(), *pairs),
        imported("power-device-plugin", "config.json", json.dumps(sample).encode()).text,
    )
    paths = [tmp_path / f"{number}.toml" for number in range(2)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return sample, paths


@pytest.mark.root
def test_power_on_made_up_block_devices(tmp_path: Path) -> None:
    dev = tmp_path / "dev"
    (dev / "crypto").mkdir(parents=True)
    for number in (0, 1, 3, 12, 30):
        make_node(dev / f"dm-{number}", 252, number, kind=stat.S_IFBLK)
    make_node(dev / "sda", 8, 0, kind=stat.S_IFBLK)
    make_node(dev / "crypto" / "nx-gzip", 250, 0)
    sample, configs = configurations(tmp_path, ("/dev/", f"{dev}/"))
    expected = peer_selects(sample) - wrongly_selected(sample)
    assert {os.path.basename(path) for path in expected} == {"dm-0", "dm-1", "dm-12", "dm-30", "nx-gzip"}
    for config in configs:
        assert selected(config, tmp_path / config.stem) == expected


@pytest.mark.root
@pytest.mark.real
def test_power_on_real_block_devices(kernel: Kernel, tmp_path: Path) -> None:
    loops = [kernel.loop(tmp_path / f"disk{number}") for number in range(3)]
    disk = kernel.zram()
    pairs = (
        ("/dev/dm-3", str(loops[1].node)),
        ("/dev/dm-*", f"/dev/loop{loops[0].number // 10}*"),
        ("/dev/crypto/nx-gzip", str(disk.node)),
    )
    sample, configs = configurations(tmp_path, *pairs)
    expected = peer_selects(sample) - wrongly_selected(sample)
    assert {str(loops[0].node), str(loops[2].node), str(disk.node)} <= expected
    for config in configs:
        assert selected(config, tmp_path / config.stem) == expected


@pytest.mark.root
@pytest.mark.real
def test_power_without_includes_is_every_disk_in_use(kernel: Kernel, tmp_path: Path) -> None:
    loop, disk = kernel.loop(tmp_path / "disk"), kernel.zram()
    text = imported("power-device-plugin", "config.json", b'{"exclude-devices": ["%s"]}' % os.fsencode(disk.node)).text
    config = tmp_path / "config.toml"
    config.write_text(text)
    used = {
        f"/dev/{path.name.replace('!', '/')}"
        for path in Path("/sys/class/block").iterdir()
        if not (path.name.startswith("loop") and (path / "size").read_text().strip() == "0")
    }
    expected = {path for path in used if os.path.exists(path)} - {str(disk.node)}
    found = selected(config, tmp_path / "cdi")
    assert str(loop.node) in found
    assert str(disk.node) not in found
    assert found == expected


def rendered(kind: str, *devices: FakeDevice) -> dict[str, Any]:
    (one,) = (one for one in load_kvm() if one.kind == kind)
    result = render(one, Observation(devices=devices), dict, {})
    assert not result.problems
    assert result.spec is not None
    return wire.write(result.spec)


def load_kvm() -> tuple[Any, ...]:
    return settings_of((parse("config", KVM.read_text()),)).classes


def test_pflex_block_names_multipath_disks_by_what_outlives_a_reboot() -> None:
    disk = FakeDevice(node="/dev/dm-3", subsystem="block", properties={"DM_UUID": "mpath-36005"})
    assert rendered("pflex.io/block", disk) == {
        "cdiVersion": "0.5.0",
        "kind": "pflex.io/block",
        "devices": [
            {
                "name": "mpath-36005",
                "containerEdits": {
                    "env": ["CDI_DEVICE_NAME=mpath-36005"],
                    "deviceNodes": [
                        {"path": "/dev/block/mpath-36005", "hostPath": "/dev/dm-3", "permissions": "rw"},
                    ],
                },
            }
        ],
        "containerEdits": {"env": ["CDI_PROVIDER=isim.dev"]},
    }


def test_kvm0_is_declared_as_that_plugin_declares_it() -> None:
    document = rendered("github.com.ihcsim/kvm")
    assert document["kind"] == "github.com.ihcsim/kvm"
    (device,) = document["devices"]
    assert device["name"] == "kvm0"
    assert device["containerEdits"]["env"] == ["CDI_DEVICE_NAME=kvm"]
    assert device["containerEdits"]["deviceNodes"] == [{"path": "/dev/kvm", "permissions": "rw"}]
    assert document["containerEdits"]["env"] == ["CDI_PROVIDER=isim.dev"]
    assert document["containerEdits"]["mounts"][0]["type"] == "tmpfs"


@pytest.mark.root
def test_the_plugins_test_nodes_are_found_as_it_finds_them(tmp_path: Path) -> None:
    for number in range(3):
        make_node(tmp_path / f"pflex{number}", 25, 25, kind=stat.S_IFBLK)
    make_node(tmp_path / "other", 25, 25, kind=stat.S_IFBLK)
    config = tmp_path / "config.toml"
    config.write_text(KVM.read_text().replace("/dev/*pflex*", f"{tmp_path}/*pflex*"))
    assert once(config, tmp_path / "cdi").returncode == 0
    document = spec(tmp_path / "cdi", "isim.dev/pflex")
    assert document is not None
    assert [device["name"] for device in document["devices"]] == ["pflex0", "pflex1", "pflex2"]
    assert spec(tmp_path / "cdi", "github.com.ihcsim/kvm") is not None
