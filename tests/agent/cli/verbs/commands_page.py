"""``docs/commands.md`` says what the program prints: every console block in it is run.

``python -m tests.agent.cli.verbs.commands_page`` runs them and writes down what they print now.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.agent.running import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[4] / "docs" / "commands.md"

# A file of the examples: its name in a line of its own, and its content.
_FILE = re.compile(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
_TIME = re.compile(r"^\d\d:\d\d:\d\d ", re.MULTILINE)
_HOME = "/root"  # where the reader's shell is


def as_run(page: str) -> str:
    """Return the page with the output of every command as it is now, all run in one directory."""
    with tempfile.TemporaryDirectory() as directory:
        for name, content in _FILE.findall(page):
            path = Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return _CONSOLE.sub(lambda match: "".join(_blocks(match[0], directory)), page)


def _blocks(text: str, directory: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.startswith("$ "):
            yield f"{line}\n{_output(line[2:], directory)}"


def _output(command: str, directory: str) -> str:
    environment = {
        "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",  # messages and results in the order that a terminal shows
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    return _TIME.sub("12:00:00 ", done.stdout.replace(os.path.realpath(directory), _HOME))


if __name__ == "__main__":
    PAGE.write_text(as_run(PAGE.read_text()))
    sys.exit(subprocess.run(["git", "diff", "--stat", "--", PAGE], check=False).returncode)
