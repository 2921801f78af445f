from __future__ import annotations

import re

import pytest

from tests.agent.importers.taking import body, classes, fault, taken, toml, warnings

FORM = "smarter-device-manager"
NAMES = (
    *("snd/controlC0", "snd/pcmC0D0c", "gpiomem", "gpiochip0", "gpiochip512", "gpiochip-x", "i2c-1"),
    *("rtc0", "rtc1", "rtc", "video0", "video10", "video", "video4linux", "v4l/by-id/video0"),
    *("vcsm", "vcsm-cma", "vcsm/x", "net/tun", "ttyS0", "ttyS31", "ttySAC0", "ttyUSB0", "ttyACM12"),
)
PATHS = {f"/dev/{name}" for name in NAMES}


def entries(*pairs: tuple[str, int]) -> str:
    return "".join(f"- devicematch: '{expression}'\n  nummaxdevices: {count}\n" for expression, count in pairs)


@pytest.mark.parametrize(
    "expression",
    [
        *("^gpiomem$", "^gpiochip[0-9]*$", "^i2c-[0-9]*$", "^rtc0$", "^video[0-9]*$", "^vcsm.*$", "^ttyS[0-9]*$"),
        *("video", ".*", "^net/tun$", "^tty(USB|ACM)[0-9]+$", "^rtc[01]?$", "^snd/", "0$"),
    ],
)
def test_the_same_nodes_are_taken(expression: str) -> None:
    chosen = {f"/dev/{name}" for name in NAMES if re.search(expression, name)}
    all_classes = classes(FORM, entries((expression, 1))).values()
    assert {path for one in all_classes for path in taken(one, PATHS)} == chosen


def test_a_directory_is_one_device_of_its_nodes() -> None:
    one = classes(FORM, entries(("^snd$", 20)))["smarter-devices/snd"]
    assert taken(one, PATHS) == {"/dev/snd/controlC0", "/dev/snd/pcmC0D0c"}
    assert (one.all_name, one.only_all) == ("snd", True)


@pytest.mark.parametrize(
    ("expression", "kinds"),
    [
        ("^rtc0$", ["smarter-devices/rtc0"]),
        ("^net/tun$", ["smarter-devices/net_tun"]),
        ("^(video0|video1)$", ["smarter-devices/video0", "smarter-devices/video1"]),
        ("^ttyS[0-2]$", ["smarter-devices/ttyS0", "smarter-devices/ttyS1", "smarter-devices/ttyS2"]),
        ("^video[0-9]*$", ["smarter-devices/video"]),
        ("^i2c-[0-9]*$", ["smarter-devices/i2c"]),
        (".*", ["smarter-devices/devices"]),
        ("^[a-z]$", ["smarter-devices/devices"]),
        ("^3d$", ["smarter-devices/x-3d"]),
        ("^a$", ["smarter-devices/x-a"]),
        ("^é$", []),  # which the kubelet never registered
    ],
)
def test_names_that_can_be_told_keep_their_resource(expression: str, kinds: list[str]) -> None:
    assert list(classes(FORM, entries((expression, 1)))) == kinds


def test_a_name_keeps_its_path_in_the_container_even_as_a_link() -> None:
    assert body(FORM, entries(("^rtc$", 3))) == "\n".join(
        (
            "[[class]]",
            'kind = "smarter-devices/rtc"',
            'name = "rtc"',
            "[[class.select]]",
            'devnode = "/dev/rtc"',
            "[class.node]",
            'path = "/dev/rtc"',
            "[class.kubernetes]",
            "shares = 3",
        )
    )


def test_two_expressions_of_one_beginning_are_two_classes() -> None:
    kinds = classes(FORM, entries(("^video[0-9]*$", 1), ("^video-[0-9]*$", 2), ("^video$", 1)))
    assert list(kinds) == ["smarter-devices/video", "smarter-devices/video-2"]
    (warning,) = (one for one in warnings(FORM, entries(("^video[0-9]*$", 1), ("^video$", 1))) if "another" in one)
    assert warning == "file:3:3: [1]: /dev/video is left out, since smarter-devices/video is another device's already"


def test_another_kind_than_the_resource_is_told_to_the_kubelet() -> None:
    text = toml(FORM, entries(("^3d$", 2)))
    assert '[class.kubernetes]\nresource = "smarter-devices/3d"\nshares = 2\n' in text


WARNED = [
    (entries(("nvidia-gpu", 10)), "file:1:3: [0]: nvidia-gpu is not a name below /dev but NVIDIA's GPUs"),
    (entries(("^a0$", 0)), "file:1:3: [0]: '^a0$' has a nummaxdevices of 0"),
    ("- devicematch: ^a0$", "file:1:3: [0]: '^a0$' has a nummaxdevices of 0"),
    (
        entries(("^[a-z]*$", 1)),
        "file:1:3: [0]: the expression '^[a-z]*$' is left out, since it repeats",
    ),
    (entries(("(", 1)), "file:1:3: [0]: the expression '(' is left out, since it has a ( without a )"),
    (entries(("^video.*$", 1)), "file:1:1: each name that an expression matches was a resource of its own"),
    ("- {devicematch: ^a0$, nummaxdevices: 1, x: 2}", "file:1:44: [0].x: is not known to smarter-device-manager"),
]


@pytest.mark.parametrize(("text", "warning"), WARNED, ids=range(len(WARNED)))
def test_what_is_not_as_it_was_is_said_in_both_places(text: str, warning: str) -> None:
    assert any(one.startswith(warning) for one in warnings(FORM, text))
    shown = " ".join(line.removeprefix("#").strip() for line in toml(FORM, text).splitlines())
    assert warning.split(": ", 2)[-1] in shown


@pytest.mark.parametrize("wrap", ["kind: ConfigMap\ndata:\n  conf.yaml: |\n    {}", "config:\n  {}"])
def test_a_config_map_and_the_values_of_the_chart_are_taken_for_what_they_carry(wrap: str) -> None:
    text = entries(("^rtc0$", 1), ("^video[0-9]*$", 2))
    indent = "\n" + " " * (4 if "|" in wrap else 2)
    assert body(FORM, wrap.format(text.strip().replace("\n", indent))) == body(FORM, text)


FAULTS = [
    ("", "file: has no configuration in it; "),
    ("# nothing", "file: has no configuration in it; "),
    ("a: 1", "file:1:1: is not a list of devicematch and nummaxdevices; "),
    ("- a", "file:1:3: [0]: must be a table, not a text; "),
    ("- {}", "file:1:3: [0]: has no devicematch; "),
    ("- nummaxdevices: 1", "file:1:3: [0]: has no devicematch; "),
    ("- devicematch: [a]", "file:1:16: [0].devicematch: must be a text, not a list; "),
    ("- devicematch: a\n  nummaxdevices: -1", "file:2:18: [0].nummaxdevices: must be a number from 0 on, not -1; "),
    ("- devicematch: a\n  nummaxdevices: many", "file:2:18: [0].nummaxdevices: must be a whole number, not 'many'; "),
    ("- devicematch: null", "file:1:16: [0].devicematch: must be a text, not nothing; "),
    ("- devicematch: *x", "file:1:16: this is not YAML: "),
]


@pytest.mark.parametrize(("text", "message"), FAULTS, ids=range(len(FAULTS)))
def test_what_is_no_such_configuration_is_refused_with_its_place(text: str, message: str) -> None:
    assert fault(FORM, text).startswith(message)
