from __future__ import annotations

import io
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from agent.cli import main
from agent.config.load import load
from agent.importers.formats import FORMATS
from tests.agent.users import as_nobody

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = {"include-devices": ["/dev/dm-*"], "exclude-devices": ["/dev/dm-3"]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(SAMPLE))
    return path


def test_the_configuration_is_printed_and_what_changed_is_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "power-device-plugin", str(file)]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"# Imported from {file}, a configuration of power-device-plugin\n")
    assert printed.err.startswith(f"warning: {file}:1:56: exclude-devices: power-device-plugin ignores ")
    ours = file.with_suffix(".toml")
    ours.write_text(printed.out)
    assert [one.kind for one in load(str(ours)).classes] == ["power-dev-plugin/dev"]


def test_quiet_leaves_the_warnings_out(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "--quiet", "power-device-plugin", str(file)]) == 0
    assert capsys.readouterr().err == ""


def test_a_dash_is_standard_input(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    assert main(["import", "power-device-plugin", "-"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("# Imported from standard input, a configuration of power-device-plugin\n")
    assert "warning: standard input:1:56: exclude-devices: " in printed.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]", "error: {}:1:1: must be a table, not a list; write keys and values\n"),
        (b"\xff", "error: {}:1:1: this is not YAML: "),
        (b"a: \x1b[31m", "error: {}:1:4: this is not YAML: the character U+001B is not allowed"),
        (b"x" * (1 << 19), "error: {}: is larger than 256 KiB; "),
        (b"x" * (17 << 20), "error: {}: the file has more than 16777216 bytes; "),
        (None, "error: {}: the file cannot be read: No such file or directory; name its configuration, "),
    ],
    ids=range(6),
)
def test_what_is_not_of_the_format_is_refused(
    content: bytes | None, message: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert main(["import", "power-device-plugin", str(file)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(message.format(file))


@pytest.mark.parametrize("path", ["/dev/null", "/dev", "/proc/self/mem"])
def test_what_is_no_file_is_refused(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "power-device-plugin", path]) == 2
    assert capsys.readouterr().err.startswith(f"error: {path}: ")


@pytest.mark.root
def test_a_file_that_may_not_be_read_is_not_permitted(file: Path) -> None:
    file.chmod(0o600)
    said = as_nobody(lambda: str(main(["import", "--quiet", "power-device-plugin", str(file)])), file.parent)
    assert said == "4"


def test_another_format_is_refused_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["import", "akri", os.devnull])
    assert ended.value.code == 2
    assert all(form in capsys.readouterr().err for form in FORMATS[:1])


def test_help_names_all_formats(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "--help"])
    told = "".join(capsys.readouterr().out.split())  # as lines are broken
    assert all(form in told for form in FORMATS)
