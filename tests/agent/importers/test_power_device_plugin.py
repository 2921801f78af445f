from __future__ import annotations

import json
from typing import Any

import pytest

from agent.selection import takes
from tests.agent.fakes import FakeDevice
from tests.agent.importers.taking import body, classes, fault, taken, toml, warnings

FORM = "power-device-plugin"
KIND = "power-dev-plugin/dev"
SAMPLE = {
    "nx-gzip": True,
    "permissions": "rw",
    "include-devices": ["/dev/dm-*", "/dev/crypto/nx-gzip"],
    "exclude-devices": ["/dev/dm-3"],
    "discovery-strategy": "time",
    "scan-interval": "60m",
    "upper-limit": 2,
}
NODES = {"/dev/dm-0", "/dev/dm-3", "/dev/dm-12", "/dev/sda", "/dev/crypto/nx-gzip", "/dev/crypto/x"}


def sample(**changes: Any) -> str:
    """A configuration with the keys of these names, whose dashes are underscores here."""
    return json.dumps({key.replace("_", "-"): value for key, value in changes.items()})


def test_the_sample_is_one_device_of_all_that_is_included_and_not_excluded() -> None:
    text = json.dumps(SAMPLE)
    assert body(FORM, text) == "\n".join(
        (
            "[[class]]",
            'kind = "power-dev-plugin/dev"',
            'all = "all"',
            "only_all = true",
            "[[class.select]]",
            'devnode = ["/dev/dm-*", "/dev/crypto/nx-gzip"]',
            "[[class.exclude]]",
            'devnode = "/dev/dm-3"',
            "[class.kubernetes]",
            "shares = 2",
        )
    )
    one = classes(FORM, text)[KIND]
    assert taken(one, NODES) == {"/dev/dm-0", "/dev/dm-12", "/dev/crypto/nx-gzip"}
    assert (one.all_name, one.only_all, one.node.permissions) == ("all", True, "rw")
    assert "[class.kubernetes]\nshares = 2\n" in toml(FORM, text)


def test_a_config_map_is_taken_for_what_it_carries() -> None:
    inner = json.dumps(SAMPLE, indent=2).replace("\n", "\n    ")
    text = f"apiVersion: v1\nkind: ConfigMap\ndata:\n  config.json: |\n    {inner}\n"
    assert body(FORM, text) == body(FORM, json.dumps(SAMPLE))


@pytest.mark.parametrize(
    ("include", "exclude", "nodes"),
    [
        (["/dev/dm-*"], [], {"/dev/dm-0", "/dev/dm-3", "/dev/dm-12"}),
        (["/dev/dm-?"], ["/dev/dm-3"], {"/dev/dm-0"}),
        ([" /dev/dm-0 ", "", "/dev/dm-0"], [], {"/dev/dm-0"}),
        (["/dev/dm-**"], [], {"/dev/dm-0", "/dev/dm-3", "/dev/dm-12"}),
        (["/dev/*"], [], NODES),  # a directory stands for the nodes in it
        (["/dev/crypto"], [], {"/dev/crypto/nx-gzip", "/dev/crypto/x"}),
        (["/dev/[", "/dev/sda", "sda"], [], {"/dev/sda"}),
        (["/dev/dm-*"], ["/dev/dm-[0-3]", "["], {"/dev/dm-12"}),
    ],
)
def test_includes_and_excludes(include: list[str], exclude: list[str], nodes: set[str]) -> None:
    one = classes(FORM, sample(include_devices=include, exclude_devices=exclude))[KIND]
    assert taken(one, NODES) == nodes


@pytest.mark.parametrize(
    "include", [{}, {"include_devices": []}, {"include_devices": [" "]}, {"include_devices": None}]
)
def test_without_includes_every_disk_but_unused_loops_is_taken(include: dict[str, Any]) -> None:
    one = classes(FORM, sample(exclude_devices=["/dev/sdb"], nx_gzip=True, **include))[KIND]
    disks = {
        "/dev/sda": True,
        "/dev/sda1": True,
        "/dev/sdb": False,
        "/dev/loop0": False,
    }
    for node, expected in disks.items():
        size = "0" if node == "/dev/loop0" else "8"
        assert takes(one, FakeDevice(node=node, subsystem="block", attributes={"size": size})) == expected
    assert takes(one, FakeDevice(node="/dev/loop1", subsystem="block", attributes={"size": "8"}))
    assert takes(one, FakeDevice(node="/dev/crypto/nx-gzip", subsystem="nx-gzip"))
    assert not takes(one, FakeDevice(node="/dev/ttyS0", subsystem="tty"))


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [("r", "r"), ("RWM", "rwm"), ("Rw", "rw"), ("wm", "wm"), ("", "rw"), (None, "rw"), ("mr", "rw"), ("x", "rw")],
)
def test_permissions(permissions: str | None, expected: str) -> None:
    assert classes(FORM, sample(include_devices=["/dev/x"], permissions=permissions))[KIND].node.permissions == expected


@pytest.mark.parametrize(("limit", "shares"), [(742, 742), (0, 110), (-1, 110), (None, 110)])
def test_the_upper_limit_is_shares(limit: int | None, shares: int) -> None:
    assert f"shares = {shares}" in toml(FORM, sample(include_devices=["/dev/x"], upper_limit=limit))


WARNED = [
    (
        {"include_devices": ["/dev/x"], "exclude_devices": ["/dev/y"]},
        "exclude-devices: power-device-plugin ignores exclude-devices where include-devices is set; here they exclude",
    ),
    ({"include_devices": ["/dev/x"], "nx_gzip": True}, "nx-gzip: adds nothing beside include-devices"),
    ({}, None),
    ({"nx_gzip": False}, "include-devices: is empty: every disk and partition is handed out"),
    ({"include_devices": ["/dev/x", "["]}, "include-devices[1]: '[' cannot be used, since it is not an absolute path"),
    ({"include_devices": ["/dev/mapper/m*"]}, "include-devices[0]: /dev/mapper/m* are links"),
    ({"include_devices": ["/dev/x"], "permissions": "mr"}, "permissions: 'mr' is not among r, w, m"),
    ({"include_devices": ["/dev/x"], "discovery_strategy": "time"}, "discovery-strategy: not needed"),
    ({"include_devices": ["/dev/x"], "scan_interval": "5m"}, "scan-interval: not needed"),
    ({"include_devices": ["/dev/x"], "colour": 1}, "colour: is not known to power-device-plugin"),
    ({"include_devices": ["relative"]}, "selects no device"),
]


@pytest.mark.parametrize(("changes", "warning"), WARNED, ids=range(len(WARNED)))
def test_what_is_not_as_it_was_is_said(changes: dict[str, Any], warning: str | None) -> None:
    said = "\n".join(warnings(FORM, sample(**changes)))
    assert warning in said if warning else "every disk" in said


FAULTS = [
    ("", "file: has no configuration in it; "),
    ("[]", "file:1:1: must be a table, not a list; "),
    ("hello", "file:1:1: must be a table, not a text; "),
    ('{"colour": 1}', "file:1:1: has none of the keys of power-device-plugin (nx-gzip, "),
    ('{"include-devices": "/dev/x"}', "file:1:21: include-devices: must be a list, not a text; "),
    ('{"include-devices": [["/dev/x"]]}', "file:1:22: include-devices[0]: must be a text, not a list; "),
    ('{"nx-gzip": "yes"}', "file:1:13: nx-gzip: must be true or false, not a text; "),
    ('{"upper-limit": "2"}', "file:1:17: upper-limit: must be a whole number, not '2'; "),
    ('{"upper-limit": 2.5}', "file:1:17: upper-limit: must be a whole number, not 2.5; "),
    ('{"permissions": []}', "file:1:17: permissions: must be a text, not a list; "),
    ('{"scan-interval": {}}', "file:1:19: scan-interval: must be a text, not a table; "),
    ('{"permissions": "rw",\n\n"nx-gzip" true}', "file:3:"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS, ids=range(len(FAULTS)))
def test_what_is_no_such_configuration_is_refused_with_its_place(text: str, message: str) -> None:
    assert fault(FORM, text).startswith(message)
