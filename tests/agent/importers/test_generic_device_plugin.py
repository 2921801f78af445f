from __future__ import annotations

import json
from typing import Any

import pytest

from agent.selection import takes
from tests.agent.fakes import FakeDevice, usb
from tests.agent.importers.taking import body, classes, fault, taken, toml, warnings

FORM = "generic-device-plugin"
NODES = {
    *("/dev/ttyUSB0", "/dev/ttyUSB1", "/dev/ttyACM0", "/dev/video0", "/dev/fuse"),
    *("/dev/snd/controlC0", "/dev/snd/pcmC0D0c"),
}
SERIAL = [{"paths": [{"path": "/dev/ttyUSB*"}]}, {"paths": [{"path": "/dev/ttyACM*"}]}]


def file(*groups: dict[str, Any], name: str = "thing", **more: Any) -> str:
    return json.dumps({"devices": [{"name": name, "groups": groups}], **more})


def paths(*several: dict[str, Any] | str, **more: Any) -> dict[str, Any]:
    return {"paths": [{"path": one} if isinstance(one, str) else one for one in several], **more}


def written(*lines: str) -> str:
    return "\n".join(("[[class]]", 'kind = "squat.ai/thing"', *lines))


RWM = ("[class.node]", 'permissions = "rwm"')

ALIKE = [
    (
        (paths("/dev/video0"),),
        written('name = "video0"', "[[class.select]]", 'devnode = "/dev/video0"', *RWM, 'path = "/dev/video0"'),
    ),
    ((paths("/dev/ttyUSB*"),), written("[[class.select]]", 'devnode = "/dev/ttyUSB*"', *RWM)),
    ((paths(" /dev/ttyUSB* ", count=1),), written("[[class.select]]", 'devnode = "/dev/ttyUSB*"', *RWM)),
    (tuple(SERIAL), written("[[class.select]]", 'devnode = ["/dev/ttyUSB*", "/dev/ttyACM*"]', *RWM)),
    (
        (paths({"path": "/dev/ttyUSB*", "mountPath": "/dev/serial/", "permissions": "rw"}),),
        written("[[class.select]]", 'devnode = "/dev/ttyUSB*"', "[class.node]", 'path = "/dev/serial/{devnode}"'),
    ),
    (
        (paths({"path": "/dev/ttyUSB*", "mountPath": "/dev/ttyUSB0", "permissions": "r"}),),
        written(
            *("[[class.select]]", 'devnode = "/dev/ttyUSB*"'),
            *("[class.node]", 'permissions = "r"', 'path = "/dev/ttyUSB0"'),
        ),
    ),
    (
        (paths("/dev/hidraw*"),),
        written('name = "{sysname}"', "[[class.select]]", 'devnode = "/dev/hidraw*"', *RWM),
    ),
    (
        (paths("/dev/snd", count=10),),
        written(
            *('all = "thing"', "only_all = true", "[[class.select]]", 'devnode = "/dev/snd/**"', *RWM),
            *("[class.kubernetes]", "shares = 10"),
        ),
    ),
    (
        (paths("/dev/a", {"path": "/dev/b", "mountPath": "/dev/c", "permissions": "r"}),),
        written(
            *("[[class.device]]", 'name = "thing-0"', "containerEdits.deviceNodes = ["),
            '  { path = "/dev/a", permissions = "rwm" },',
            '  { path = "/dev/c", hostPath = "/dev/b", permissions = "r" },',
            "]",
        ),
    ),
    (
        (paths({"path": "/dev/input", "type": "Mount", "readOnly": True}),),
        written(
            *("[[class.device]]", 'name = "thing-0"'),
            'containerEdits.mounts = [{ hostPath = "/dev/input", containerPath = "/dev/input", '
            'options = ["rbind", "rprivate", "ro"] }]',
        ),
    ),
    (
        (paths({"path": "/dev/a", "optional": True}, {"path": "/dev/b", "optional": True}),),
        written('all = "thing"', "only_all = true", "[[class.select]]", 'devnode = ["/dev/a", "/dev/b"]', *RWM),
    ),
    (
        (paths("/dev/ttyUSB*", {"path": "/dev/fuse", "limit": 10}),),
        written(
            *("[[class.select]]", 'devnode = "/dev/ttyUSB*"', *RWM),
            *("[class.containerEdits]", 'deviceNodes = [{ path = "/dev/fuse", permissions = "rwm" }]'),
        ),
    ),
    (
        ({"usb": [{"vendor": "1A86", "product": "7523"}]},),
        written("[[class.select]]", 'subsystem = "usb"', 'usb = { vendor = "1a86", product = "7523" }'),
    ),
    (
        ({"usb": [{"vendor": "1209", "product": "f", "serial": "a*"}]},),
        written(
            *("[[class.select]]", 'subsystem = "usb"'),
            'usb = { vendor = "1209", product = "000f", serial = "a[*]" }',
        ),
    ),
    (
        ({"usb": [{"vendor": "1", "product": "2"}, {"vendor": "1", "product": "3"}]},),
        written(
            *('all = "thing"', "only_all = true"),
            *("[[class.select]]", 'subsystem = "usb"', 'usb = { vendor = "0001", product = "0002" }'),
            *("[[class.select]]", 'subsystem = "usb"', 'usb = { vendor = "0001", product = "0003" }'),
        ),
    ),
    (
        (paths("/dev/ttyUSB*"), paths("/dev/a", "/dev/b")),
        written(
            *("[[class.select]]", 'devnode = "/dev/ttyUSB*"', *RWM),
            *("[[class.device]]", 'name = "thing-0"', "containerEdits.deviceNodes = ["),
            '  { path = "/dev/a", permissions = "rwm" },',
            '  { path = "/dev/b", permissions = "rwm" },',
            "]",
        ),
    ),
    (
        (paths({"path": "/dev/x{y}", "mountPath": "/dev/{z}"}),),
        written(
            *('name = "x{{y}}"', "[[class.select]]", 'devnode = "/dev/x{y}"', *RWM),
            'path = "/dev/{{z}}"',
        ),
    ),
]


@pytest.mark.parametrize(("groups", "expected"), ALIKE, ids=range(len(ALIKE)))
def test_groups_become_devices_that_hold_the_same_nodes(groups: tuple[dict[str, Any], ...], expected: str) -> None:
    assert body(FORM, file(*groups)) == expected


def test_two_dongles_of_one_model_are_two_devices_and_nothing_else_is_taken() -> None:
    one = classes(FORM, file({"usb": [{"vendor": "1a86", "product": "7523"}]}))["squat.ai/thing"]
    dongle = usb(idVendor="1a86", idProduct="7523")
    for device, expected in (
        (FakeDevice(node="/dev/bus/usb/001/002", subsystem="usb", ancestors=(dongle,)), True),
        (FakeDevice(node="/dev/ttyUSB0", subsystem="tty", ancestors=(dongle,)), False),
        (FakeDevice(node="/dev/bus/usb/001/003", subsystem="usb", ancestors=(usb(idVendor="1a86"),)), False),
    ):
        assert takes(one, device) == expected
    assert not one.only_all


@pytest.mark.parametrize(
    ("groups", "nodes"),
    [
        (SERIAL, {"/dev/ttyUSB0", "/dev/ttyUSB1", "/dev/ttyACM0"}),
        ([paths("/dev/snd")], {"/dev/snd/controlC0", "/dev/snd/pcmC0D0c"}),
        ([paths("/dev/s*")], {"/dev/snd/controlC0", "/dev/snd/pcmC0D0c"}),
        ([paths("/dev/*")], NODES),
        ([paths("/dev/video?"), paths("/dev/fuse")], {"/dev/video0", "/dev/fuse"}),
    ],
)
def test_the_same_nodes_are_taken(groups: list[dict[str, Any]], nodes: set[str]) -> None:
    assert taken(classes(FORM, file(*groups))["squat.ai/thing"], NODES) == nodes


FLAGS = """\
--domain example.com \\
  --device '{"name": "serial", "groups": [{"paths": [{"path": "/dev/ttyUSB*"}]}]}'  # the adapters
"""
CONFIG = 'domain: example.com\nDevices:\n- name: serial\n  groups: [{paths: [{path: "/dev/ttyUSB*"}]}]\n'
SPEC = "name: serial\ngroups: [{paths: [{path: '/dev/ttyUSB*'}]}]"
ARGS = f"""\
- --domain=example.com
- --device
- |
  {SPEC.replace(chr(10), chr(10) + "  ")}
"""


def indented(text: str, by: int) -> str:
    return text.strip().replace("\n", "\n" + " " * by)


DAEMON_SET = f"""\
kind: DaemonSet
spec:
  template:
    spec:
      containers:
      - image: squat/generic-device-plugin
        args:
        {indented(ARGS, 8)}
"""
CONFIG_MAP = f"kind: ConfigMap\ndata:\n  config.yaml: |\n    {indented(CONFIG, 4)}\n"
DOMAIN_ONLY = "kind: DaemonSet\nspec: {containers: [{args: [--config, /etc/x, --domain, example.com]}]}\n"


@pytest.mark.parametrize(
    "text",
    [
        FLAGS,
        f"/bin/generic-device-plugin {FLAGS}",
        f"--domain=example.com --device={json.dumps(json.dumps({'name': 'serial', 'groups': SERIAL[:1]}))}",
        CONFIG,
        ARGS,
        f"args:\n{ARGS}",
        DAEMON_SET,
        CONFIG_MAP,
        f"kind: Namespace\n---\n{DAEMON_SET}---\nkind: SecurityContextConstraints\ngroups: [a]\n",
        f"{DOMAIN_ONLY}---\n{CONFIG_MAP.replace('domain: example.com', 'log-level: info')}",
    ],
)
def test_a_file_flags_and_manifests_say_the_same(text: str) -> None:
    assert body(FORM, text) == "\n".join(
        ("[[class]]", 'kind = "example.com/serial"', "[[class.select]]", 'devnode = "/dev/ttyUSB*"', *RWM)
    )


def test_the_snippet_of_one_flag_is_taken_too() -> None:
    assert list(classes(FORM, SPEC)) == ["squat.ai/serial"]


@pytest.mark.parametrize(
    ("text", "vendor"),
    [
        ('devices: [{name: ab, groups: [{usb: [{vendor: "0403", product: "1"}]}]}]', "0403"),
        ("devices: [{name: ab, groups: [{usb: [{vendor: 1a86, product: a1}]}]}]", "1a86"),
        ("devices: [{name: ab, groups: [{usb: [{vendor: 1209, product: a1}]}]}]", "04b9"),  # a number is what it is
        ("{name: ab, groups: [{usb: [{vendor: 1209, product: a1}]}]}", "1209"),
        ("{name: ab, groups: [{usb: [{vendor: 0403, product: a1}]}]}", "0259"),  # octal, whose digits are hexadecimal
    ],
)
def test_ids_without_quotes_are_what_the_peer_takes_them_for(text: str, vendor: str) -> None:
    assert f'vendor = "{vendor}"' in body(FORM, text)
    odd = vendor in ("04b9", "0259")
    assert odd == any(f"is a number without quotes, which generic-device-plugin takes for {vendor}" in one
                      for one in warnings(FORM, text))  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "shares"), [((10,), "shares = 10"), ((10, 10), "shares = 10"), ((10, 2), "shares = 2")]
)
def test_counts_are_shares(counts: tuple[int, ...], shares: str) -> None:
    text = file(*(paths(f"/dev/ttyS{number}", count=count) for number, count in enumerate(counts)))
    assert f"[class.kubernetes]\n{shares}\n" in toml(FORM, text)


def test_a_name_that_no_kind_can_have_stays_the_resource() -> None:
    text = file(paths("/dev/a"), name="3d-printer", domain="9.example")
    assert '\nkind = "x-9.example/x-3d-printer"\n' in toml(FORM, text)
    assert '\nresource = "9.example/3d-printer"\n' in toml(FORM, text)


def test_a_domain_that_no_file_name_could_hold_is_shortened() -> None:
    text = file(paths("/dev/a"), domain="a" * 200)
    assert len(next(iter(classes(FORM, text)))) < 100
    assert f'\nresource = "{"a" * 200}/thing"\n' in toml(FORM, text)


LINK = "/dev/serial/by-id/usb-x"
WARNED = [
    (file(paths("/dev/a*", "/dev/b*")), "devices[0].groups[0]: is left out: it pairs what several patterns match"),
    (file(paths("/dev/a*", "/dev/b")), "devices[0].groups[0]: is left out: it takes the first node only"),
    (file(paths({"path": "/x/*", "type": "Mount"})), "devices[0].groups[0]: is left out: its mounts are found by a"),
    (file(paths({"path": "/x", "type": "mount"})), "devices[0].groups[0]: is left out: generic-device-plugin knows no"),
    (file(paths("/dev/snd"), paths("/dev/a")), "devices[0].groups[1]: is left out: it is one device of all its nodes"),
    (file(paths("/dev/a"), paths("/dev/snd")), "devices[0].groups[1]: is left out: it is one device of all its nodes"),
    (file(paths("/dev/snd", "/dev/a")), "devices[0].groups[0]: is left out: it has a directory among other paths"),
    (file(paths("/dev/[")), "devices[0].groups[0]: is left out: '/dev/[' cannot be used, since its set"),
    (file(paths("dev/x*")), "devices[0].groups[0]: is left out: 'dev/x*' cannot be used, since it is not an absolute"),
    (file(paths({"path": "/dev/a*", "permissions": "x"})), "devices[0].groups[0]: is left out: 'x' are no permissions"),
    (file({"usb": [{"vendor": "1a86"}]}), "devices[0].groups[0]: is left out: a vendor or product that is not given"),
    (file({}), "devices[0].groups[0]: is left out: it has neither paths nor usb"),
    (file(), "devices[0]: squat.ai/thing has no groups, and is left out"),
    (
        file(paths({"path": "/dev/a*", "permissions": "r"}), paths({"path": "/dev/b*", "permissions": "w"})),
        "devices[0].groups[1]: is left out: it has other permissions",
    ),
    (
        file(paths({"path": "/dev/a*", "permissions": "r"}), paths({"path": "/dev/b*", "permissions": "rw"})),
        "devices[0].groups[1]: its permissions differ from those of the groups before it; all have r here",
    ),
    (
        file(paths({"path": "/dev/a*", "mountPath": "/dev/x"}), paths("/dev/b*")),
        "devices[0].groups[1]: is left out: its nodes have another path",
    ),
    (
        file(paths("/dev/a*", {"path": "/dev/b", "limit": 2}), paths("/dev/c")),
        "devices[0].groups[1]: is left out: each of its devices has something with it",
    ),
    (
        file(paths("/dev/a", {"path": "/dev/b", "optional": True})),
        "devices[0].groups[0]: the optional /dev/b is left out",
    ),
    (file(paths("/dev/a", LINK)), f"devices[0].groups[0].paths[1]: {LINK} is a link, which runtimes do not follow"),
    (file(paths(LINK), paths("/dev/a")), f"devices[0].groups[0].paths[0]: {LINK} is a link: a container sees its node"),
    (file(paths("/dev/disk/by-id/*")), "devices[0].groups[0].paths[0]: /dev/disk/by-id/* are links: a container sees"),
    (file(paths("/dev/a", count=2), paths("/dev/b")), "devices[0]: its groups have different counts"),
    (file(paths("/dev/a"), listen=":80"), "listen: concerns the process of generic-device-plugin"),
    (file(paths("/dev/a"), colour=1), "colour: is not known to generic-device-plugin"),
    (file(paths({"path": "/dev/a", "permission": "r"})), "devices[0].groups[0].paths[0].permission: is not known to"),
    (file(paths("/dev/a", counts=1)), "devices[0].groups[0].counts: is not known to generic-device-plugin"),
    (file(paths({"path": "/dev/a", "mountPath": "a"})), "squat.ai/thing is left out, since it cannot be written here"),
    (
        json.dumps({"devices": [{"name": "ab", "groups": [paths("/dev/a")]}] * 2}),
        "devices[1]: is left out, since squat.ai/ab is there already",
    ),
]


@pytest.mark.parametrize(("text", "warning"), WARNED, ids=range(len(WARNED)))
def test_what_is_not_as_it_was_is_said_in_both_places(text: str, warning: str) -> None:
    assert any(warning in one for one in warnings(FORM, text))
    shown = " ".join(line.removeprefix("#").strip() for line in toml(FORM, text).splitlines())
    assert warning in shown


FAULTS = [
    ("", "file: has no devices of generic-device-plugin; "),
    ("{}", "file: has no devices of generic-device-plugin; "),
    ("hello", "file:1:1: is neither a table nor a list; "),
    ("[1]", "file: has no devices of generic-device-plugin; "),
    ("devices: {}", "file:1:10: devices: must be a list, not a table; "),
    ("devices: []", "file: has no devices of generic-device-plugin; "),
    ("devices: [1]", "file:1:11: devices[0]: must be a table, not a number; "),
    ("devices: [{groups: []}]", "file:1:11: devices[0]: has no name; "),
    ("devices: [{name: X}]", "file:1:18: devices[0].name: 'X' is no name of a resource; "),
    ("domain: X_\ndevices: [{name: ab}]", "file:1:9: domain: 'X_' is no domain; "),
    ("devices: [{name: ab, groups: {}}]", "file:1:30: devices[0].groups: must be a list, not a table; "),
    (file({"paths": [{}]}), "file:1:54: devices[0].groups[0].paths[0]: has no path; "),
    (file({"paths": [{"path": "/a"}], "usb": [{}]}), "file:1:43: devices[0].groups[0]: has paths and usb, which "),
    (file(paths("/dev/a", count="10")), "file:1:84: devices[0].groups[0].count: must be a whole number, not '10'; "),
    (file(paths("/dev/a", count=-1)), "file:1:84: devices[0].groups[0].count: must be a number from 0 on, not -1; "),
    (file(paths({"path": "/a", "optional": 1})), "file:1:81: devices[0].groups[0].paths[0].optional: must be true or"),
    (
        file({"usb": [{"vendor": "xyz", "product": "1"}]}),
        "file:1:63: devices[0].groups[0].usb[0].vendor: 'xyz' is no id of four hexadecimal digits; ",
    ),
    (
        file({"usb": [{"vendor": "12345", "product": "1"}]}),
        "file:1:63: devices[0].groups[0].usb[0].vendor: '12345' is no id of four hexadecimal digits; ",
    ),
    (
        "devices: [{name: ab, groups: [{usb: [{vendor: 7e57, product: 1}]}]}]",
        "file:1:47: devices[0].groups[0].usb[0].vendor: '",
    ),
    ("--device", "file: [0]: --device has no value; "),
    ("--device '[", "file: these flags end too early: no closing quotation; "),
    ("--domain x", "file: has no devices of generic-device-plugin; "),
    ("--device '['", "file: --device: this is not YAML: "),
    ("--device x", "file: --device: must be a table, not a text; "),
    ("--device='{name: ab, groups: 1}'", "file: --device: groups: must be a list, not a number; "),
    ("- --device\n- |\n  name: serial\n\n  name: x", "file:5:1: this is not YAML: the key 'name' stands here already"),
    ("--device x\xff".encode("latin-1"), "file: is not UTF-8 text; "),
]


@pytest.mark.parametrize(("text", "message"), FAULTS, ids=range(len(FAULTS)))
def test_what_is_no_such_configuration_is_refused_with_its_place(text: str | bytes, message: str) -> None:
    assert fault(FORM, text).startswith(message)
