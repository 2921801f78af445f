from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from agent.cli import main
from agent.config import files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('[agent]\nresync = "1m"\n[[class]]\npreset = "kvm"\nname = "one"\n')
    return path


def test_a_good_configuration_is_said_to_be_good(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "--config", str(config)]) == 0
    assert capsys.readouterr().out == f"good: 1 class, from {config}\n"


def test_a_bad_one_is_told_with_file_line_and_key(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text('[agent]\nresnyc = "1m"\n')
    assert main(["config", "check", "--config", str(config)]) == 2
    assert capsys.readouterr().err == (f"error: {config}:2:1: agent.resnyc: unknown key; did you mean 'resync'?\n")


def test_what_is_in_force_is_shown_with_where_it_comes_from(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--config", str(config), "--output", "json"]) == 0
    rows = {row["key"]: (row["value"], row["from"]) for row in json.loads(capsys.readouterr().out)["keys"]}
    assert rows["agent.resync"] == ("1m", f"{config}:2:1")
    assert rows["agent.settle"] == ("100ms", "default")
    assert rows["class[0].name"] == ("one", f"{config}:5:1")
    value, origin = rows["class[0].kind"]
    assert value == "cdi-sync/kvm"
    assert origin.startswith("preset kvm:")


def test_the_schema_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Configuration of cdi-sync"


def test_a_configuration_is_begun_and_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.toml"
    assert main(["config", "init", str(path)]) == 0
    assert main(["config", "check", "--config", str(path)]) == 0
    before = path.read_text()
    assert main(["config", "init", str(path)]) == 1
    assert path.read_text() == before
    assert "is there already" in capsys.readouterr().err


def test_every_line_that_is_left_out_becomes_right_without_its_mark(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init", "-"]) == 0
    text = capsys.readouterr().out
    presets = [line.removeprefix("# ") for line in text.splitlines() if "preset = " in line]
    assert presets == [f'preset = "{name}"' for name in files.preset_names()]
    own = text.partition("# [[class]]\n# kind =")[2]
    document = tomllib.loads("[[class]]\nkind =" + own.replace("\n# ", "\n"))
    assert document["class"][0]["kind"] == "example.com/modem"


def test_presets_are_listed_and_printed_as_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert tuple(listed) == files.preset_names()
    for name in listed:
        assert main(["presets", name]) == 0
        assert tomllib.loads(capsys.readouterr().out)["class"]


def test_a_preset_that_is_not_there_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets", "kmv"]) == 2
    assert "did you mean 'kvm'?" in capsys.readouterr().err
