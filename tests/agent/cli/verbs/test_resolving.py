from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from agent.cli import main
from tests.agent.cli.verbs.node import spec, write
from tests.agent.users import as_nobody

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.cli.verbs.node import Node

MODEM = "acme.com/modem=modem0"
OCI: dict[str, Any] = {
    "ociVersion": "1.0.2",
    "process": {"env": ["PATH=/bin", "MODEM=none"], "cwd": "/"},
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
    "linux": {"devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]},
    "x-unknown": [1, 2.5, "\u00e9\U0001f600\ud800", 2**70],
}
RESULT: dict[str, Any] = {
    "ociVersion": "1.0.2",
    "process": {"env": ["PATH=/bin", "MODEM=0", "ACME=1"], "cwd": "/"},
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/opt/acme", "source": "/usr", "options": ["ro", "bind"]},
    ],
    "hooks": {"createContainer": [{"path": "/bin/ldconfig", "args": ["ldconfig", "-r", "."]}]},
    "linux": {
        "devices": [
            {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229},
            {"path": "/dev/modem", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666},
        ],
        "resources": {"devices": [{"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}]},
    },
    "x-unknown": [1, 2.5, "\u00e9\U0001f600\ud800", 2**70],
}


@pytest.fixture
def config(node: Node) -> Path:
    return write(node.place / "config.json", OCI)


# Names.


def test_a_name_stands_for_a_device(node: Node) -> None:
    done = node.run("resolve", MODEM, "beta.org/*")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["DEVICE", MODEM, "beta.org/gpu=0"]


def test_names_for_programs(node: Node) -> None:
    document = node.json("resolve", MODEM, "beta.org/*", MODEM)
    assert [device["name"] for device in document["devices"]] == [MODEM, "beta.org/gpu=0"]
    assert document["unresolved"] == []
    assert yaml.safe_load(node.run("resolve", MODEM, "beta.org/*", "--output", "yaml").stdout) == document


def test_details_of_a_name(node: Node) -> None:
    assert "  env         MODEM=0\n" in node.run("resolve", "--verbose", MODEM).stdout


def test_every_name_that_stands_for_nothing_is_told(node: Node) -> None:
    for name in ("one.json", "two.json"):
        write(node.high / name, spec("gamma.net/disk", "sda"))
    wanted = ("acme.com/modem=modem2", "x.y/*", MODEM, "acme.com/modem", "gpu0", "gamma.net/disk=sda", "a/b=")
    done = node.run("resolve", *wanted)
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["DEVICE", MODEM]
    errors = [line.removeprefix("error: ") for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [
        "acme.com/modem=modem2: no spec offers this device; did you mean acme.com/modem=modem1?",
        "x.y/*: no device has such a name",
        "'acme.com/modem' is not of the form vendor/class=device; for all of that kind, write 'acme.com/modem=*'",
        "'gpu0' is not of the form vendor/class=device; write it like acme.com/modem=modem0",
        "gamma.net/disk=sda: several files define this device, so that no runtime offers it; remove all but one",
        "'a/b=' is not of the form vendor/class=device; write it like acme.com/modem=modem0",
    ]
    unresolved = node.json("resolve", *wanted, code=1)["unresolved"]
    assert unresolved == [name for name in wanted if name != MODEM]


# OCI specs that name devices.


def test_an_oci_spec_that_names_devices(node: Node, config: Path) -> None:
    named = {"path": MODEM, "type": "c", "major": 1, "minor": 1}
    asking = {**OCI, "linux": {"devices": [named, *OCI["linux"]["devices"]]}}
    for arguments, stdin in (
        ([write(config, asking)], ""),
        (["-"], json.dumps(asking)),
    ):
        done = node.run("resolve", *arguments, stdin=stdin)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout) == RESULT


def test_an_oci_spec_that_names_no_device_stays(node: Node, config: Path) -> None:
    odd: list[dict[str, Any]] = [{}, {"linux": None}, {"linux": {"devices": None}}, {"linux": []}]
    for oci in (OCI, *odd):
        assert json.loads(node.run("resolve", write(config, oci)).stdout) == oci


def test_several_oci_specs(node: Node, config: Path) -> None:
    done = node.run("resolve", config, config, "--output", "yaml")
    assert [document["ociVersion"] for document in yaml.safe_load_all(done.stdout)] == ["1.0.2", "1.0.2"]


def test_an_oci_spec_that_names_an_unknown_device(node: Node, config: Path) -> None:
    write(config, {"linux": {"devices": [{"path": "acme.com/modem=x"}, {"path": "x.y/zz=z"}, {"path": MODEM}]}})
    done = node.run("resolve", config)
    assert (done.returncode, done.stdout) == (1, "")
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["acme.com/modem=x", "x.y/zz=z"]


@pytest.mark.parametrize("arguments", [("-", "-"), ("/dev/null", MODEM)])
def test_what_cannot_be_resolved_together(arguments: tuple[str, ...], node: Node) -> None:
    done = node.run("resolve", *arguments)
    assert (done.returncode, done.stdout) == (2, "")


# Injection.


def test_inject_shows_the_result_and_leaves_the_file(node: Node, config: Path) -> None:
    before = config.read_bytes()
    done = node.run("inject", config, MODEM)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == RESULT
    assert done.stdout.isascii()
    assert config.read_bytes() == before


def test_inject_between_pipes(node: Node) -> None:
    assert json.loads(node.run("inject", "-", MODEM, stdin=json.dumps(OCI)).stdout) == RESULT


def test_inject_as_yaml(node: Node) -> None:
    plain = {**OCI, "x-unknown": "\u00e9"}
    done = node.run("inject", "-", MODEM, "--output", "yaml", stdin=json.dumps(plain))
    assert yaml.safe_load(done.stdout) == {**RESULT, "x-unknown": "\u00e9"}


def test_inject_in_place(node: Node, config: Path) -> None:
    config.chmod(0o640)
    link = node.place / "link.json"
    link.symlink_to(config)
    done = node.run("inject", link, MODEM, "--in-place")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"{link}: 1 device injected ({MODEM})\n"
    assert json.loads(config.read_bytes()) == RESULT
    assert link.is_symlink()
    assert config.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(node.place)) == ["config.json", "etc", "link.json", "run"]


def test_inject_into_another_file(node: Node, config: Path) -> None:
    target = node.place / "new.json"
    assert node.run("inject", config, MODEM, "-o", target, "--quiet").stderr == ""
    assert json.loads(target.read_bytes()) == RESULT
    assert json.loads(config.read_bytes()) == OCI


def test_names_apply_in_the_order_given_and_globs_in_that_of_names(bare: Node) -> None:
    kind = spec("acme.com/many", "c", "b", "a")
    write(bare.low / "many.json", {**kind, "containerEdits": {"hooks": [{"hookName": "poststop", "path": "/all"}]}})
    for device in kind["devices"]:
        device["containerEdits"] = {"hooks": [{"hookName": "poststop", "path": f"/{device['name']}"}]}
    write(bare.low / "many.json", kind)
    done = bare.run("inject", "-", "acme.com/many=c", "*/*=*", "acme.com/many=c", stdin="{}")
    assert [hook["path"] for hook in json.loads(done.stdout)["hooks"]["poststop"]] == ["/c", "/a", "/b", "/c"]


@pytest.mark.parametrize("options", [(), ("--in-place",), ("-o", "new.json")])
def test_inject_of_unknown_devices_changes_nothing(options: tuple[str, ...], node: Node, config: Path) -> None:
    before = config.read_bytes()
    options = tuple(str(node.place / option) if option == "new.json" else option for option in options)
    done = node.run("inject", config, MODEM, "acme.com/modem=m", "beta.org/gpu=9", *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["acme.com/modem=m", "beta.org/gpu=9"]
    assert config.read_bytes() == before
    assert sorted(os.listdir(node.place)) == ["config.json", "etc", "run"]


def test_inject_of_a_node_that_is_not_there(node: Node, config: Path) -> None:
    write(node.low / "gone.json", spec("acme.com/gone", "g", deviceNodes=[{"path": "/dev/not-there"}]))
    before = config.read_bytes()
    done = node.run("inject", config, "acme.com/gone=g", "-i")
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: /dev/not-there: " in done.stderr
    assert config.read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [("-", MODEM, "--in-place"), ("/dev/null", MODEM, "-i", "-o", "x"), ("/dev/null",), ("/dev/null", "a/b=[")],
)
def test_inject_misused(arguments: tuple[str, ...], node: Node) -> None:
    done = node.run("inject", *arguments)
    assert (done.returncode, done.stdout) == (2 if arguments[-1] != "a/b=[" else 1, "")
    assert done.stderr.startswith("error: ")


@pytest.mark.parametrize("place", ["etc", "fifo", "/dev/null", "nowhere/x.json"])
def test_inject_into_what_is_no_file(place: str, node: Node, config: Path) -> None:
    os.mkfifo(node.place / "fifo")
    done = node.run("inject", config, MODEM, "-o", node.place / place)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {node.place / place}: ")


BAD = {
    "empty": b"",
    "text": b"hello",
    "half": b'{"process": {',
    "list": b"[]",
    "null": b"null",
    "bytes": b'{"\xff": 1}',
    "deep": b'{"a":' * 100_000,
    "bomb": b"[" * 100_000,
    "digits": b'{"a": ' + b"9" * 1_000_000 + b"}",
    "infinite": b'{"a": 1e999}',
    "NaN": b'{"a": NaN}',
    "huge": b'{"a": "' + b"a" * 17_000_000 + b'"}',
    "process": b'{"process": 3}',
    "env": b'{"process": {"env": {"A": 1}}}',
    "mounts": b'{"mounts": {}}',
    "linux": b'{"linux": []}',
    "hooks": b'{"hooks": {"createContainer": [1]}}',
}


@pytest.mark.parametrize("content", BAD.values(), ids=list(BAD))
def test_inject_into_what_is_no_oci_spec(content: bytes, node: Node, config: Path) -> None:
    config.write_bytes(content)
    done = node.run("inject", config, MODEM, "--in-place")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert config.read_bytes() == content


def test_nesting_that_only_writing_would_not_survive(node: Node, config: Path) -> None:
    depths = (100, 400, 900, 990)
    codes = set()
    for depth in depths:
        config.write_text('{"a":' * depth + "1" + "}" * depth)
        codes.add(node.run("inject", config, MODEM).returncode)
    assert codes == {0, 1}


@pytest.mark.parametrize("name", ["directory", "fifo", "/dev/zero", "loop", "nowhere"])
def test_inject_into_what_cannot_be_read(name: str, node: Node) -> None:
    (node.place / "directory").mkdir()
    os.mkfifo(node.place / "fifo")
    (node.place / "loop").symlink_to("loop")
    done = node.run("inject", node.place / name, MODEM)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {node.place / name}: ")


@pytest.mark.root
def test_who_may_not_read_or_write(node: Node, config: Path) -> None:
    arguments = ["inject", str(config), MODEM, *node.options]
    assert as_nobody(lambda: str(main([*arguments, "--in-place"])), node.place) == "4"
    config.chmod(0o600)
    assert as_nobody(lambda: str(main([*arguments, "-o", "/dev/full"])), node.place) in {"1", "4"}
    assert as_nobody(lambda: str(main(arguments)), node.place) == "4"
    assert json.loads(config.read_bytes()) == OCI


def test_the_file_is_named_that_is_no_oci_spec(node: Node) -> None:
    path = write(node.place / "odd.json", {"process": {"user": "root"}})
    done = node.run("inject", path, MODEM)
    assert done.returncode == 1
    assert done.stderr == f"error: {path}: process.user: this is not the object that an OCI spec has there\n"
    done = node.run("inject", "-", MODEM, stdin='{"linux": true}')
    assert done.stderr == "error: standard input: linux: this is not the object that an OCI spec has there\n"


def test_thousands_of_names_and_devices_are_answered_soon(bare: Node) -> None:
    document = spec("many.net/disk", *(f"d{number}" for number in range(5000)))
    for number, device in enumerate(document["devices"]):
        node = {"path": f"/dev/x{number}", "type": "c", "major": 5}
        device["containerEdits"] = {"deviceNodes": [node], "env": [f"A{number}=1"]}
    write(bare.low / "many.json", document)
    start = time.monotonic()
    done = bare.run("resolve", *(f"many.net/disk=q{number}" for number in range(2000)))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 2000)
    done = bare.run("resolve", *(f"many.net/disk=d{number}*" for number in range(200)))
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 5001)
    done = bare.run("inject", "-", "many.net/*", stdin="{}")
    assert len(json.loads(done.stdout)["linux"]["devices"]) == 5000
    assert time.monotonic() - start < 30  # it was minutes
