from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.cli import main
from agent.store import LOCK_NAME, SpecDirectory, Writer
from cdi import codec
from tests.agent.users import NOBODY, as_nobody
from tests.real import devices

if TYPE_CHECKING:
    from tests.agent.trees import Node

FILE = "cdi-sync+acme.com+modem.json"
DECLARED = """
[[class]]
kind = "acme.com/modem"
[[class.device]]
name = "null"
containerEdits.deviceNodes = [{ path = "/dev/null" }]
"""


class Place:
    """A configuration file, a spec directory, and the command that knows both."""

    def __init__(self, top: Path, text: str = DECLARED) -> None:
        self.specs = top / "cdi"
        self.config = top / "config.toml"
        self.write(text)

    def write(self, text: str) -> None:
        self.config.write_text(text)
        self.config.chmod(0o644)

    def arguments(self, *more: str) -> list[str]:
        return ["--once", "--config", str(self.config), "--spec-dir", str(self.specs), *more]

    def run(self, *more: str) -> int:
        return main(self.arguments(*more))

    def process(self, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-c", "from agent.cli import entry; entry()", *self.arguments(*more)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=60
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def footprint(directory: Path) -> dict[str, tuple[int, int, int]]:
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_ctime_ns)
        for path in directory.iterdir()
        if path.name != LOCK_NAME
    }


def test_a_first_pass_writes_and_shows_a_table(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run() == 0
    out, err = capsys.readouterr()
    assert out == "KIND            DEVICE  NODE       STATE\nacme.com/modem  null    /dev/null  present\n"
    assert err.startswith(f"1 device of 1 kind: 1 spec written (in {place.specs})\n")
    assert codec.decode((place.specs / FILE).read_bytes()).kind == "acme.com/modem"


def test_a_second_pass_writes_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.run()
    before = footprint(place.specs)
    capsys.readouterr()
    assert place.run() == 0
    assert "nothing to change" in capsys.readouterr().err
    assert footprint(place.specs) == before


def test_a_dry_run_shows_a_diff_and_changes_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run("--dry-run") == 0
    assert not place.specs.exists()
    out, err = capsys.readouterr()
    assert out.splitlines()[:4] == ["--- /dev/null", f"+++ {place.specs / FILE}", "@@ -0,0 +1,7 @@", "+{"]
    assert "nothing was changed" in err

    place.run()
    place.write(DECLARED.replace("/dev/null", "/dev/full"))
    before = footprint(place.specs)
    capsys.readouterr()
    assert place.run("--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"--- {place.specs / FILE}", f"+++ {place.specs / FILE}"]
    assert [line[0] for line in lines if "/dev/null" in line] == ["-"]
    assert [line[0] for line in lines if "/dev/full" in line] == ["+"]
    assert footprint(place.specs) == before

    place.write("")
    capsys.readouterr()
    assert place.run("--dry-run") == 0
    assert capsys.readouterr().out.splitlines()[:2] == [f"--- {place.specs / FILE}", "+++ /dev/null"]
    assert footprint(place.specs) == before


def test_a_dry_run_with_nothing_to_do_shows_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.run()
    capsys.readouterr()
    assert place.run("--dry-run") == 0
    assert capsys.readouterr().out == ""


def test_a_check_tells_of_drift_by_its_exit_code(place: Place) -> None:
    assert place.run("--check") == 3
    assert not place.specs.exists()
    place.run()
    assert place.run("--check") == 0
    (place.specs / FILE).write_text("{}")
    before = footprint(place.specs)
    assert place.run("--check") == 3
    assert place.run("--check", "--dry-run") == 3
    assert footprint(place.specs) == before
    assert place.run() == 0
    assert place.run("--check") == 0


def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_json_says_all_that_was_found_and_done(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run("--output", "json") == 0
    expected = {
        "specDir": str(place.specs),
        "dryRun": False,
        "classes": [
            {
                "kind": "acme.com/modem",
                "file": FILE,
                "cdiVersion": "0.3.0",
                "action": "write",
                "devices": [{"name": "null", "nodes": ["/dev/null"], "present": True, "kept": False}],
            }
        ],
        "changes": [{"file": FILE, "action": "write"}],
        "problems": [],
    }
    assert answer(capsys) == expected
    place.write("")
    assert place.run("--output", "json", "--dry-run") == 0
    assert answer(capsys) == {
        "specDir": str(place.specs),
        "dryRun": True,
        "classes": [],
        "changes": [{"file": FILE, "action": "remove"}],
        "problems": [],
    }


@pytest.mark.root
def test_a_pass_that_leaves_something_out_fails_and_does_the_rest(
    place: Place, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write(
        DECLARED.replace("[[class.device]]", f"select = [{{ devnode = '{node.null('null')}' }}]\n[[class.device]]")
    )
    assert place.run("--output", "json") == 1
    out, err = capsys.readouterr()
    (problem,) = [one for one in json.loads(out)["problems"] if one["severity"] == "error"]
    assert problem["where"].startswith("acme.com/modem: ")
    assert "would all be named 'null'" in problem["message"]
    assert problem["hint"]
    assert f"error: {problem['where']}: {problem['message']}; {problem['hint']}\n" in err
    assert (place.specs / FILE).exists()
    assert place.run("--check") == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("version = ", ":1: this is not TOML: "),
        ("[agent]\nsettel = 1", ":2:1: agent.settel: unknown key; did you mean 'settle'?"),
        (DECLARED + DECLARED, ":9:1: class[1].kind: 'acme.com/modem' is the kind of another class already, at "),
        ("\x1b]0;x\x07 = 1", ":1:1: this is not TOML: "),
    ],
)
def test_a_configuration_error_changes_nothing(
    place: Place, text: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write(text)
    assert place.run() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {place.config}{fault}")
    assert err.rstrip("\n").isprintable()
    assert not place.specs.exists()


def test_a_missing_configuration_is_an_error(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.config.unlink()
    assert place.run() == 2
    assert capsys.readouterr().err.startswith(
        f"error: {place.config}: cannot be read: no such file or directory; name a"
    )


def test_while_another_keeps_the_directory_only_looking_is_allowed(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with Writer(SpecDirectory(str(place.specs)), create=True):
        assert place.run() == 1
        err = capsys.readouterr().err
        assert f"error: {place.specs}: is kept by process {os.getpid()} (" in err
        assert "; stop that one first, or use --dry-run or --check, which change nothing\n" in err
        assert not (place.specs / FILE).exists()
        assert place.run("--dry-run") == 0
        assert place.run("--check") == 3
    assert place.run() == 0


def test_quiet_says_only_what_is_wrong(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run("--quiet") == 0
    assert capsys.readouterr() == ("", "")
    place.write("a = 1")
    assert place.run("--quiet") == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.root
def test_warnings_tell_of_what_the_configuration_leaves_out(
    place: Place, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write(
        f"[[class]]\nkind = 'acme.com/modem'\nname = '{{serial}}'\nselect = [{{ devnode = '{node.null('x')}' }}]"
    )
    assert place.run() == 0
    assert f"warning: acme.com/modem: {node.path('x')}: has no name" in capsys.readouterr().err
    assert place.run("--quiet") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.root
def test_a_full_disk_is_an_error_and_heals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with devices.tmpfs(tmp_path / "small", 32 * 1024) as small:
        place = Place(tmp_path)
        place.specs = small
        place.run()
        good = (small / FILE).read_bytes()
        place.write(DECLARED + f"annotations = {{ a = '{'x' * 100_000}' }}\n")
        capsys.readouterr()
        assert place.run() == 1
        assert (
            f"error: {small / FILE}: cannot be written: no space left on device; free some" in capsys.readouterr().err
        )
        assert (small / FILE).read_bytes() == good
        assert {path.name for path in small.iterdir()} - {LOCK_NAME} == {FILE}
        place.write(DECLARED.replace("/dev/null", "/dev/full"))
        assert place.run() == 0


# As an ordinary user: what is imported must be so before the child gives its rights away.


def said_by_nobody(place: Place, *more: str) -> tuple[int, str, str]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        place.run("--dry-run")

    def attempt() -> str:
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            code = place.run(*more)
        return json.dumps([code, out.getvalue(), err.getvalue()])

    code, out, err = json.loads(as_nobody(attempt, place.config.parent))
    return code, out, err


@pytest.mark.root
def test_an_ordinary_user_may_not_write_for_runtimes(place: Place) -> None:
    place.specs.mkdir(mode=0o755)
    code, out, err = said_by_nobody(place)
    assert (code, out) == (4, "")
    assert err == (
        f"error: {place.specs}: cannot be written: permission denied; "
        "run it as root, or choose a directory of your own with --spec-dir\n"
    )
    assert said_by_nobody(place, "--check")[0] == 3


@pytest.mark.root
def test_an_ordinary_user_writes_to_a_directory_of_their_own(place: Place) -> None:
    place.specs.mkdir()
    os.chown(place.specs, NOBODY, NOBODY)
    code, out, err = said_by_nobody(place)
    assert code == 0
    assert "/dev/null" in out
    assert "only root may write" in err
    assert (place.specs / FILE).stat().st_uid == NOBODY


# Devices that call themselves what they like.


@pytest.mark.root
@pytest.mark.parametrize("output", ["text", "json"])
def test_a_hostile_node_does_nothing_to_a_terminal(
    place: Place, node: Node, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    for name in ("a\x1b[2J", "b\nc", "d\u202ee", "fine", "Ger\u00e4t"):
        node.null(name, 300, 1)
    devices.make_node(Path(os.fsdecode(os.fsencode(node.dev) + b"/\xff")), 300, 2)
    place.write(
        f"[[class]]\nkind = 'acme.com/modem'\nname = '{{sysname}}'\nselect = [{{ devnode = '{node.path('*')}' }}]"
    )
    assert place.run("--output", output) == 0
    out, err = capsys.readouterr()
    assert all(line.isprintable() for line in (*out.split("\n"), *err.split("\n")))
    assert "\\x1b[2J" in err
    assert {one.name for one in codec.decode((place.specs / FILE).read_bytes()).devices} == {"fine", "Ger-t"}


@pytest.mark.root
def test_a_hostile_fact_of_a_real_device_stays_harmless(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backing = tmp_path / "\x1b[2J\n..\u202e"
    with devices.kernel() as kernel:
        loop = kernel.loop(backing)
        place.write(
            "[[class]]\nkind = 'acme.com/modem'\nname = '{attr:loop/backing_file}'\n"
            f"select = [{{ devnode = '{loop.node}' }}]\nnode.path = '/dev/x/{{attr:loop/backing_file}}'\n"
        )
        assert place.run() == 0
    out, err = capsys.readouterr()
    assert all(line.isprintable() for line in (*out.split("\n"), *err.split("\n")))
    (device,) = codec.decode((place.specs / FILE).read_bytes()).devices
    path = device.container_edits.device_nodes[0].path
    assert path.startswith("/dev/x/")
    assert path.count("/") == 3
    assert path.isprintable()


# A process of its own.


def test_as_a_process_it_does_the_same(place: Place) -> None:
    first = place.process()
    assert (first.returncode, first.stdout.splitlines()[0].split()) == (0, ["KIND", "DEVICE", "NODE", "STATE"])
    before = footprint(place.specs)
    assert place.process().returncode == 0
    assert footprint(place.specs) == before
    assert place.process("--check").returncode == 0
    assert place.process("--output", "xml").returncode == 2
    (place.specs / FILE).unlink()
    assert place.process("--check").returncode == 3


@pytest.mark.root
def test_an_output_that_knows_only_ascii_is_no_fault(place: Place, node: Node) -> None:
    node.null("Ger\u00e4t", 300, 1)
    place.write(f"[[class]]\nkind = 'acme.com/modem'\nselect = [{{ devnode = '{node.path('*')}' }}]")
    done = place.process(PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert "Ger\\xe4t" in done.stdout


def test_a_reader_that_has_had_enough_is_no_fault(place: Place) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", "from agent.cli import entry; entry()", *place.arguments()]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(writer)
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr
