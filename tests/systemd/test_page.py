"""``docs/systemd.md`` explains every setting of the units and of the drop-ins, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.systemd.machine import UNITS

PAGE = Path(__file__).parents[2] / "docs/systemd.md"
PLAIN = {"Description", "WantedBy"}
ABSENT = {"PrivateDevices", "PrivateNetwork", "ProcSubset", "User"}  # the page says why
ADVISED = "\n## Change it\n"


def settings() -> list[tuple[str, str]]:
    """Name and value of each setting in each file."""
    files = (path for path in UNITS.rglob("*") if path.suffix in {".service", ".conf"})
    lines = (line for path in files for line in path.read_text().splitlines())
    return [(name, value) for name, found, value in (line.partition("=") for line in lines) if found and name.isalpha()]


def named(text: str) -> list[tuple[str, str]]:
    """Name and value, where there is one, of each setting in a text of ours."""
    return re.findall(r"`([A-Z][A-Za-z]+)=([^`]*)`", text)


def test_every_setting_is_explained() -> None:
    explained = {name for name, _ in named(PAGE.read_text())}
    assert {name for name, _ in settings()} - explained == PLAIN


def test_what_is_explained_is_there_with_that_value() -> None:
    explained = named(PAGE.read_text().partition(ADVISED)[0])
    assert len(explained) > len(ABSENT)
    missing = {
        (name, value)
        for name, value in explained
        if not any(name == other and value in present for other, present in settings())
    }
    assert {name for name, _ in missing} == ABSENT, missing
