from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from agent.cli import main
from agent.cli.parser import VERBS

if TYPE_CHECKING:
    from pathlib import Path

_ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
$(complete -p cdi-sync | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", "bash"]) == 0
    path = tmp_path / "script"
    path.write_text(capsys.readouterr().out)
    return path


def complete(script: Path, *words: str) -> set[str]:
    argv = ["bash", "-c", _ASK, "bash", str(script), "cdi-sync", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=script.parent)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes_verbs(script: Path) -> None:
    assert complete(script, "") >= {verb.name for verb in VERBS}
    assert complete(script, "val") == {"validate"}


def test_bash_completes_options_and_their_values(script: Path) -> None:
    assert complete(script, "devices", "--out") == {"--output"}
    assert complete(script, "devices", "--output", "") == {"text", "json", "yaml"}
    assert complete(script, "validate", "--for", "pod") == {"podman-4.3"}


def test_bash_completes_files(script: Path) -> None:
    assert complete(script, "validate", "scr") == {"script"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh"])
def test_every_shell_gets_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert all(verb.name in text for verb in VERBS)
