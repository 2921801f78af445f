from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from jsonschema import Draft202012Validator

from agent.cli import main
from tests.agent.cli.verbs.node import MODEMS, SCHEMAS, check, spec, write
from tests.agent.running import PROGRAM, once
from tests.agent.users import as_nobody

if TYPE_CHECKING:
    from tests.agent.cli.verbs.node import Node

CONFIG = """
version = 1
[[class]]
kind = "acme.com/null"
  [[class.device]]
  name = "null"
  containerEdits.deviceNodes = [{ path = "/dev/null" }]
[[class]]
kind = "acme.com/misc"
name = "{NOTHING_HAS_THIS}"
  [[class.select]]
  devnode = "/dev/zero"
"""

ALL = ("devices", "vendors", "classes", "specs", "dirs")


def shown(node: Node, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """Run the program here and return what it prints, every directory written as a user knows it."""
    assert main([*arguments, *node.options]) == code
    return capsys.readouterr().out.replace(str(node.place), "")


def columns(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_devices(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert columns(shown(node, capsys, "devices")) == [
        ["DEVICE", "NODES", "FILE"],
        ["acme.com/modem=modem0", "/dev/null", "/etc/acme.json"],
        ["acme.com/modem=modem1", "/dev/zero", "/etc/acme.json"],
        ["beta.org/gpu=0", "/dev/full", "/run/gpus.yaml"],
    ]


def test_many_nodes_of_one_device_are_counted(bare: Node, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [{"path": f"/dev/a{number}"} for number in range(9)]
    write(bare.low / "a.json", spec("acme.com/many", "all", deviceNodes=nodes))
    assert "/dev/a0 /dev/a1 /dev/a2 and 6 more  /etc/a.json" in shown(bare, capsys, "devices")


@pytest.mark.parametrize(
    ("globs", "names"),
    [
        (("acme.com/*",), ["acme.com/modem=modem0", "acme.com/modem=modem1"]),
        (("*/gpu=*",), ["beta.org/gpu=0"]),
        (("*=*0", "beta.org/*"), ["beta.org/gpu=0"]),
        (("*/*=*[!1]",), ["acme.com/modem=modem0", "beta.org/gpu=0"]),
        (("*/*=modem?",), ["acme.com/modem=modem0", "acme.com/modem=modem1"]),
        (("acme.com/modem=modem1",), ["acme.com/modem=modem1"]),
        (("*",), []),  # a slash is to be written
        (("ACME.com/*",), []),
    ],
)
def test_globs_of_devices(node: Node, globs: tuple[str, ...], names: list[str]) -> None:
    assert [device["name"] for device in node.json("devices", *globs)["devices"]] == names


def test_a_glob_that_is_none(node: Node) -> None:
    done = node.run("devices", "acme.com/[a")
    assert (done.returncode, done.stdout) == (2, "")
    assert "unclosed '['" in done.stderr


def test_details_of_devices(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(node, capsys, "devices", "--verbose", "*/*=*0") == (
        "acme.com/modem=modem0\n"
        "  file        /etc/acme.json (priority 0, CDI 0.5.0)\n"
        "  node        /dev/null as /dev/modem rw\n"
        "  env         MODEM=0\n"
        "  mount       /usr as /opt/acme (ro,bind)\n"
        "  hook        createContainer: /bin/ldconfig -r .\n"
        "  with any device of this file:\n"
        "  env         ACME=1\n"
        "beta.org/gpu=0\n"
        "  file        /run/gpus.yaml (priority 1, CDI 0.7.0)\n"
        "  annotation  made.by/hand=yes\n"
        "  node        /dev/full rwm c 9:9 mode 0660 owner 3:\n"
        "  intelRdt    gold\n"
        "  gids        44\n"
    )


def test_devices_for_programs(node: Node) -> None:
    first = node.json("devices", "*=*0", "acme.com/*")["devices"][0]
    assert first == {
        "name": "acme.com/modem=modem0",
        "vendor": "acme.com",
        "class": "modem",
        "device": "modem0",
        "file": str(node.low / "acme.json"),
        "priority": 0,
        "cdiVersion": "0.5.0",
        "annotations": {},
        "containerEdits": MODEMS["devices"][0]["containerEdits"],
        "specContainerEdits": {"env": ["ACME=1"]},
    }


def test_vendors(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    write(node.high / "more.json", spec("acme.com/disk", "sda"))
    assert columns(shown(node, capsys, "vendors")) == [
        ["VENDOR", "CLASSES", "SPECS", "DEVICES"],
        ["acme.com", "disk", "modem", "2", "3"],
        ["beta.org", "gpu", "1", "1"],
    ]


def test_classes(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    write(node.high / "more.json", spec("gamma.net/modem", "m"))
    assert columns(shown(node, capsys, "classes")) == [
        ["CLASS", "VENDORS", "SPECS", "DEVICES"],
        ["gpu", "beta.org", "1", "1"],
        ["modem", "acme.com", "gamma.net", "2", "3"],
    ]


def test_specs(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    write(node.low / "twice.json", spec("acme.com/modem", "modem1"))
    write(node.low / "broken.json", "{")
    assert columns(shown(node, capsys, "specs")) == [
        ["FILE", "KIND", "CDI", "DEVICES", "STATE"],
        ["/etc/acme.json", "acme.com/modem", "0.5.0", "2", "conflict"],
        ["/etc/broken.json", "0", "rejected"],
        ["/etc/twice.json", "acme.com/modem", "0.5.0", "1", "conflict"],
        ["/run/gpus.yaml", "beta.org/gpu", "0.7.0", "1", "valid"],
    ]


def test_specs_of_a_vendor(node: Node) -> None:
    write(node.low / "broken.json", "{")
    (only,) = node.json("specs", "acme.*")["specs"]
    assert only["file"] == str(node.low / "acme.json")
    assert only["spec"]["devices"][1] == MODEMS["devices"][1]


def test_details_of_specs(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(node, capsys, "specs", "beta.org", "--verbose")
    assert "valid\n\nbeta.org/gpu=0\n  file        /run/gpus.yaml" in text
    assert "acme" not in text


def test_directories(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    more = ("--spec-dir", str(node.place / "nowhere"), "--spec-dir", str(node.low / "acme.json"))
    assert columns(shown(node, capsys, "dirs", *more, code=1)) == [
        ["DIRECTORY", "PRIORITY", "STATE", "SPECS"],
        ["/nowhere", "0", "missing", "0"],
        ["/etc/acme.json", "1", "unreadable", "0"],
        ["/etc", "2", "present", "1"],
        ["/run", "3", "present", "1"],
    ]


def test_without_an_option_the_directories_are_those_of_runtimes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dirs"]) == 0
    assert [line[:2] for line in columns(capsys.readouterr().out)[1:]] == [["/etc/cdi", "0"], ["/var/run/cdi", "1"]]


def test_a_directory_may_be_named_before_the_verb(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--spec-dir", str(node.high), "vendors"]) == 0
    assert "acme" not in capsys.readouterr().out


def test_the_later_directory_wins(node: Node) -> None:
    write(node.high / "modems.json", spec("acme.com/modem", "modem0"))
    device = node.json("devices", "*/*=modem0")["devices"][0]
    assert (device["priority"], device["containerEdits"]) == (1, {"env": ["NAME=modem0"]})


def test_devices_that_conflict_are_not_offered_and_both_files_are_named(node: Node) -> None:
    for name in ("one.json", "two.json"):
        write(node.high / name, spec("acme.com/modem", "modem0"))
    done = node.run("devices")
    assert done.returncode == 0
    assert "modem0" not in done.stdout
    assert f"warning: {node.high}/one.json: acme.com/modem=modem0 is defined in {node.high}/two.json" in done.stderr
    assert f"warning: {node.high}/two.json" in done.stderr
    assert node.json("devices")["conflicts"] == ["acme.com/modem=modem0"]


def test_a_broken_file_hides_nothing_else(node: Node) -> None:
    write(node.low / "bad.json", spec("acme.com/disk", "-"))
    done = node.run("devices")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4)
    assert f"warning: {node.low}/bad.json: devices[0].name: " in done.stderr
    assert node.run("devices", "--quiet").stderr == ""


def test_of_many_problems_in_one_file_a_few_are_told(node: Node) -> None:
    write(node.low / "bad.json", spec("acme.com/disk", *("-" * (1 + number) for number in range(40))))
    assert "bad.json: 35 more problems; see cdi-sync validate" in node.run("devices").stderr


@pytest.mark.parametrize("verb", ALL)
def test_every_list_for_programs(verb: str, node: Node) -> None:
    for name in ("one.json", "two.json"):
        write(node.high / name, spec("acme.com/modem", "modem0"))
    write(node.high / "bad.json", "{")
    document = node.json(verb)
    assert {problem["severity"] for problem in document["problems"]} == {"warning"}
    assert yaml.safe_load(node.run(verb, "--output", "yaml").stdout) == document


@pytest.mark.parametrize(
    ("verb", "what"), [("devices", "device"), ("vendors", "vendor"), ("classes", "class"), ("specs", "spec")]
)
def test_every_list_of_nothing(verb: str, what: str, bare: Node) -> None:
    assert bare.json(verb) == {"problems": [], verb: []} | ({"conflicts": []} if verb == "devices" else {})
    done = bare.run(verb)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"no {what} in {bare.low}, {bare.high}\n")


@pytest.mark.parametrize("verb", ALL)
def test_odd_files_and_names(verb: str, node: Node) -> None:
    os.mkfifo(node.low / "fifo.json")
    (node.low / "directory.json").mkdir()
    (node.low / "loop.json").symlink_to("loop.json")
    (node.low / "gone.json").symlink_to("/nowhere")
    (node.low / "null.json").symlink_to("/dev/zero")
    (node.low / "latin.json").write_bytes(b'{"kind": "\xe9"}')
    with (node.low / "huge.json").open("wb") as file:
        file.truncate(2**33)
    write(node.low / "deep.json", '{"a":' * 100_000)
    write(node.low / "bomb.yaml", "a: &a [" + "x," * 999 + "]\nb: &b [" + "*a," * 999 + "]\nc: [" + "*b," * 999 + "]")
    write(node.low / "long.json", '{"cdiVersion": ' + "9" * 1_000_000 + "}")
    (node.low / os.fsdecode(b"\xff\x1b[2J\n.json")).touch()
    for form in ("text", "json", "yaml"):
        done = node.run(verb, "--output", form)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout + done.stderr
        assert "acme.com" in done.stdout or verb in {"dirs", "classes"}
    assert yaml.safe_load(done.stdout) == node.json(verb)


@pytest.mark.root
def test_what_another_user_may_read_is_told_from_what_is_not_there(node: Node) -> None:
    node.high.chmod(0o700)
    said = as_nobody(lambda: f"{main(['devices', *node.options, '--quiet', '--output', 'json'])}", node.place)
    assert said == "4"
    node.high.chmod(0o755)
    (node.low / "acme.json").chmod(0o600)
    said = as_nobody(lambda: f"{main(['devices', *node.options, '--quiet', '--output', 'json'])}", node.place)
    assert said == "4"


def test_a_reader_that_has_enough(node: Node) -> None:
    write(node.low / "many.json", spec("acme.com/many", *(f"d{number}" for number in range(5000))))
    script = '"$@" | head -n 1; echo "${PIPESTATUS[0]}"'
    argv = ["bash", "-c", script, "bash", str(PROGRAM), "devices", *node.options]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout.splitlines()[1], done.stderr) == ("0", "")


def test_a_pipe_costs_no_heavy_import(node: Node) -> None:
    code = (
        "import sys; from agent.cli import main; main(sys.argv[1:]);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    for form in ("text", "json"):
        argv = [sys.executable, "-c", code, "devices", *node.options, "--output", form]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        heavy = {"pydantic", "jsonschema", "watchdog", "rich", "yaml", "pyudev", "tomlkit", "asyncio", "logging"}
        assert not heavy & set(done.stderr.split())


def test_the_schemas_are_schemas() -> None:
    paths = list(SCHEMAS.glob("output/*.json"))
    assert paths
    for path in paths:
        Draft202012Validator.check_schema(json.loads(path.read_bytes()))


@pytest.mark.parametrize("options", [(), ("--check",), ("--dry-run",)])
def test_one_pass_for_programs(options: tuple[str, ...], node: Node) -> None:
    config = write(node.place / "config.toml", CONFIG)
    done = once(config, node.low, "--state-dir", str(node.place), "--output", "json", *options)
    document = json.loads(done.stdout)
    check("once", document)
    assert document["classes"][0]["devices"][0]["name"] == "null"
    assert [problem["severity"] for problem in document["problems"]] == ["warning"]
