from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from agent.cli import main
from agent.cli.parser import VERBS
from cdi import versions
from tests.agent.cli.verbs.node import MODEMS, spec, write
from tests.agent.users import as_nobody

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.cli.verbs.node import Node

BROKEN = """\
{
  "cdiVersion": "0.3.0",
  "kind": "acme.com/disk",
  "devices": [
    {"name": "sda", "containerEdits": {"env": ["A=1"]}},
    {"name": "-", "containerEdits": {"env": ["oops"]}}
  ]
}
"""


def lines(node: Node, *arguments: str | Path, code: int) -> list[str]:
    done = node.run("validate", *arguments)
    assert done.returncode == code, done.stderr
    return done.stdout.replace(str(node.place), "").splitlines()


def test_a_file_without_fault(node: Node) -> None:
    done = node.run("validate", node.low / "acme.json")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "1 file: 0 errors, 0 warnings, 0 advice\n"


def test_errors_have_file_line_column_and_json_path(node: Node) -> None:
    write(node.place / "bad.json", BROKEN)
    env = "devices[1].containerEdits.env[0]: 'oops' does not set a variable; write it like NAME=VALUE"
    assert lines(node, node.place / "bad.json", code=1) == [
        "/bad.json:6:14: error: devices[1].name: device name '-' does not begin with a letter or digit",
        f"/bad.json:6:46: error: {env}",
    ]


def test_yaml_has_lines_too(node: Node) -> None:
    text = "cdiVersion: 0.3.0\nkind: acme.com/disk\ndevices:\n- name: sda\n  containerEdits:\n    envs: [A=1]\n"
    (line,) = lines(node, write(node.place / "bad.yaml", text), code=1)
    assert line.startswith("/bad.yaml:6:11: error: devices[0].containerEdits.envs: there is no such member")


def test_text_that_is_none_has_lines_too(node: Node) -> None:
    (line,) = lines(node, write(node.place / "bad.json", '{\n  "kind": "\n'), code=1)
    assert line.startswith("/bad.json:2:")


def test_warnings_and_advice_are_no_errors(node: Node) -> None:
    odd = spec("acme.com/disk", "sda", hooks=[{"hookName": "poststop", "path": "relative"}])
    path = write(node.place / "odd.json", odd)
    warning, advice = lines(node, path, node.high / "gpus.yaml", code=0)
    assert "warning: devices[0].containerEdits.hooks[0].path: hook path 'relative' is not absolute" in warning
    assert "advice: devices[0].containerEdits.deviceNodes[0].major: /dev/full is device 1:7 now, and" in advice
    assert lines(node, path, "--quiet", code=0) == []


def test_a_link_as_device_node(node: Node) -> None:
    (node.place / "link").symlink_to("/dev/null")
    write(node.place / "a.json", spec("acme.com/disk", "sda", deviceNodes=[{"path": str(node.place / "link")}]))
    (line,) = lines(node, node.place / "a.json", code=0)
    assert "advice: devices[0].containerEdits.deviceNodes[0].path: /link is a link" in line


@pytest.mark.parametrize(("runtime", "told"), [("podman-4.3", 1), ("containerd-1.7", 0), ("containerd-2.3", 0)])
def test_what_is_too_new_for_a_runtime(runtime: str, told: int, node: Node) -> None:
    write(node.place / "new.json", {**MODEMS, "cdiVersion": "0.8.0"})
    found = lines(node, node.place / "new.json", "--for", runtime, code=0)
    assert len(found) == told
    assert all("/new.json:2:17: advice: cdiVersion: podman 4.3 reads at most version 0.5.0" in line for line in found)


def test_every_runtime_that_the_library_knows_can_be_named() -> None:
    verb = next(verb for verb in VERBS if verb.name == "validate")
    argument = next(argument for argument in verb.arguments if "--for" in argument.names)
    assert sorted(argument.options["choices"]) == sorted(name.replace(" ", "-") for name in versions.RUNTIMES)


def test_a_name_that_no_runtime_reads(node: Node) -> None:
    (line,) = lines(node, write(node.place / "a.yml", json.dumps(MODEMS)), code=0)
    assert line.endswith("advice: runtimes read only files whose name ends in .json or .yaml; rename it")


def test_standard_input(node: Node) -> None:
    done = node.run("validate", "-", stdin=BROKEN)
    assert (done.returncode, done.stdout.partition(": ")[0]) == (1, "-:6:14")


def test_without_a_file_all_directories_are_judged(node: Node) -> None:
    write(node.high / "bad.json", BROKEN)
    files = node.json("validate", code=1)["files"]
    assert [(file["file"].removeprefix(str(node.place)), file["valid"]) for file in files] == [
        ("/etc/acme.json", True),
        ("/run/bad.json", False),
        ("/run/gpus.yaml", True),
    ]


def test_devices_that_conflict_are_errors_of_both_files_at_their_names(node: Node) -> None:
    for name in ("one.json", "two.json"):
        write(node.low / name, json.dumps(spec("gamma.net/disk", "sda", "sdb" + name[0])))
    write(node.high / "high.json", json.dumps(spec("gamma.net/disk", "sda")))
    errors = {
        f"/etc/{one}.json:1:72: error: devices[0].name: gamma.net/disk=sda is defined in /etc/{other}.json too, so "
        "that no runtime offers it; remove all but one"
        for one, other in (("one", "two"), ("two", "one"))
    }
    warning = (
        "/run/high.json:1:72: warning: devices[0].name: no runtime offers gamma.net/disk=sda, since /etc/one.json and "
        "/etc/two.json both define it; remove one of them"
    )
    assert {line for line in lines(node, code=1) if "gamma" in line} == {*errors, warning}


def test_a_directory_that_cannot_be_read_is_an_error(node: Node) -> None:
    write(node.place / "file", "")
    document = node.json("validate", "--spec-dir", str(node.place / "file"), code=1)
    assert document["files"][0]["problems"][0]["message"] == "the directory cannot be read: Not a directory"


def test_problems_for_programs(node: Node) -> None:
    document = node.json("validate", str(write(node.place / "bad.json", BROKEN)), "/nowhere.json", code=1)
    bad, missing = document["files"]
    assert bad["problems"][0] == {
        "severity": "error",
        "line": 6,
        "column": 14,
        "path": "devices[1].name",
        "message": "device name '-' does not begin with a letter or digit",
        "hint": "",
    }
    assert (bad["kind"], bad["minimumVersion"], bad["devices"]) == ("acme.com/disk", "0.3.0", ["sda", "-"])
    assert (missing["kind"], missing["problems"][0]["line"]) == (None, None)
    assert (document["errors"], document["warnings"], document["advice"]) == (3, 0, 0)


def test_so_many_problems_are_told_and_the_rest_is_counted(node: Node) -> None:
    path = write(node.place / "bad.json", json.dumps(spec("acme.com/disk", *("-" * n for n in range(1, 2001)))))
    (file,) = node.json("validate", str(path), code=1)["files"]
    assert (len(file["problems"]), file["untold"]) == (100, 1900)
    assert lines(node, path, code=1)[-1] == "/bad.json: 1900 more problems"


def big_json() -> str:
    return json.dumps(spec("acme.com/disk", *(f"-{number}" for number in range(100_000))))


def big_yaml() -> str:
    rows = "".join(f"- {{name: -{number}, containerEdits: {{env: [A=1]}}}}\n" for number in range(4_000))
    return f"cdiVersion: 0.3.0\nkind: acme.com/disk\ndevices:\n{rows}"


ODD: dict[str, Any] = {
    "empty": "",
    "big": big_json(),
    "big-yaml": big_yaml(),
    "deep": '{"a":' * 100_000,
    "list": "[" * 100_000,
    "digits": '{"cdiVersion": ' + "9" * 1_000_000 + "}",
    "bomb": "a: &a [" + "x," * 999 + "]\nb: &b [" + "*a," * 999 + "]\nc: [" + "*b," * 999 + "]",
    "escape": '{"kind": "\\u001b[2J", "cdiVersion": "\\u009b31m"}',
}


@pytest.mark.parametrize("text", ODD.values(), ids=list(ODD))
def test_odd_content_is_judged_soon(text: str, node: Node) -> None:
    path = write(node.place / "odd.json", text)
    start = time.monotonic()
    done = node.run("validate", path)
    assert time.monotonic() - start < 30
    assert done.returncode == 1
    assert done.stdout.startswith(str(path))
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["directory", "fifo", "/dev/zero", "loop", "nowhere"])
def test_what_cannot_be_read_is_an_error(name: str, node: Node) -> None:
    (node.place / "directory").mkdir()
    os.mkfifo(node.place / "fifo")
    (node.place / "loop").symlink_to("loop")
    done = node.run("validate", node.place / name)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{node.place / name}: error: ")


def test_bytes_that_are_no_text(node: Node) -> None:
    path = node.place / "a.json"
    path.write_bytes(b'{\n "kind": "\xff\xfe"}')
    (line,) = lines(node, path, code=1)
    assert line.startswith("/a.json:2:1")


@pytest.mark.root
def test_what_only_another_user_may_read(node: Node) -> None:
    (node.low / "acme.json").chmod(0o600)
    arguments = ["validate", *node.options, "--quiet"]
    assert as_nobody(lambda: str(main(arguments)), node.place) == "4"
    write(node.low / "bad.json", BROKEN)
    assert as_nobody(lambda: str(main(arguments)), node.place) == "1"
