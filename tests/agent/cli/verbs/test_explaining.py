from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agent.cli import main
from agent.cli.verbs.explaining import verdict
from agent.config import files
from agent.discovery.observe import observe
from tests.agent.bed import Bed, Recording
from tests.real.devices import make_node

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[[class]]
kind = "acme.com/null"
name = "{{sysname}}"
[[class.select]]
subsystem = "mem"
devnode = "{nodes}/*"
[[class.exclude]]
devnode = "{nodes}/no*"

[[class]]
kind = "acme.com/disk"
[[class.select]]
subsystem = "block"
[[class.select]]
devnode = "{nodes}/*"
properties = {{ ID_BUS = "usb" }}
"""


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    directory = tmp_path / "dev"
    directory.mkdir()
    (tmp_path / "config.toml").write_text(CONFIG.format(nodes=directory))
    return directory


def explain(nodes: Path, name: Path | str, *more: str) -> int:
    config = str(nodes.parent / "config.toml")
    return main(["explain", str(name), "--config", config, "--spec-dir", str(nodes.parent / "cdi"), *more])


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    answer = json.loads(capsys.readouterr().out)
    assert isinstance(answer, dict)
    return answer


@pytest.mark.root
def test_it_tells_the_first_key_that_failed_and_what_was_found(nodes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = make_node(nodes / "a", 1, 3)
    assert explain(nodes, node) == 0
    told = capsys.readouterr().out
    assert "acme.com/null: takes it, as acme.com/null=a" in told
    assert "NO  subsystem: found mem, wanted block" in told
    assert "NO  properties.ID_BUS: found nothing, wanted usb" in told
    assert f"NO  devnode: found {node}" in told


@pytest.mark.root
def test_an_exclude_that_fits_is_shown(nodes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = make_node(nodes / "none", 1, 3)
    assert explain(nodes, node, "--output", "json") == 0
    null, disk = document(capsys)["classes"]
    assert (null["taken"], null["selects"][0]["fits"], null["excludes"][0]["fits"]) == (False, True, True)
    assert disk["taken"] is False


@pytest.mark.root
def test_a_link_and_a_directory_of_sysfs_name_the_device_too(nodes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = make_node(nodes / "a", 1, 3)
    (nodes / "link").symlink_to(node)
    assert explain(nodes, nodes / "link", "--output", "json") == 0
    assert document(capsys)["device"]["links"] == [str(nodes / "link")]
    assert explain(nodes, "/sys/devices/virtual/mem/zero", "--output", "json") == 0
    device = document(capsys)["device"]
    assert (device["node"], device["subsystem"], device["minor"]) == ("/dev/zero", "mem", 5)


@pytest.mark.parametrize("name", ["/dev/is-not-here", "/etc/passwd", "/sys/devices", ""])
def test_what_is_no_device_is_said_to_be_none(nodes: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(nodes, name) == 1
    assert "is no device; name a device node" in capsys.readouterr().err


def test_a_network_interface_is_a_device_without_a_node(nodes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (nodes.parent / "config.toml").write_text(
        '[[class]]\nkind = "acme.com/net"\nname = "{sysname}"\n[[class.select]]\nsubsystem = "net"\nsysname = "lo"\n'
        '[class.deviceEdits]\nnetDevices = [{ hostInterfaceName = "{sysname}", name = "eth1" }]\n'
    )
    assert explain(nodes, "/sys/class/net/lo", "--output", "json") == 0
    (one,) = document(capsys)["classes"]
    assert one["taken"] is True


@pytest.mark.parametrize("name", Recording.names())
def test_on_recorded_hardware_the_explanation_is_the_selection(name: str, tmp_path: Path) -> None:
    """For every device and every preset: the same verdict, and of each select the checks up to the first that fails."""
    machine = Bed(tmp_path).machine(Recording.read(name))
    look = machine.look
    for preset in files.preset_names():
        device_class = machine.device_class(preset)
        taken = {device.place for device in observe([device_class], look)[device_class.kind].devices}
        for device in (*look.kernel_devices([]), *look.network_devices()):
            told = verdict(device_class, device)
            fits = [one["fits"] for one in told["selects"]]
            excluded = [one["fits"] for one in told["excludes"]]
            assert told["taken"] == (device.place in taken) == (any(fits) and not any(excluded)), (preset, device.place)
            for one in (*told["selects"], *told["excludes"]):
                failed = [check["key"] for check in one["checks"] if not check["fits"]]
                assert failed == ([] if one["fits"] or "reason" in one else [one["checks"][-1]["key"]])
