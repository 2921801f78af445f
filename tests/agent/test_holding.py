from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from agent.holding import Holder, holder, holder_of, process

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("locks", "pid"),
    [
        ("", None),
        ("1: FLOCK  ADVISORY  WRITE 4711 fe:00:77 0 EOF\n", 4711),
        ("1: POSIX  ADVISORY  WRITE 4711 fe:00:77 0 EOF\n", None),
        ("1: FLOCK  ADVISORY  WRITE 4711 fe:00:177 0 EOF\n2: FLOCK  ADVISORY  WRITE 12 00:2f:77 0 EOF\n", 12),
        ("1: FLOCK  ADVISORY  WRITE 4711 00:2f:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 12 fe:00:77 0 EOF\n", 12),
        ("1: -> FLOCK  ADVISORY  WRITE 4711 fe:00:77 0 EOF\n", None),  # one that waits
        ("garbage\n\n1: FLOCK\n", None),
    ],
)
def test_who_holds_a_lock(locks: str, pid: int | None) -> None:
    assert holder_of(os.makedev(0xFE, 0), 77, locks) == pid


def test_the_kernel_tells_who_has_a_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    assert holder(path.stat()) is None
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = holder(path.stat())
    assert found is not None
    assert found.pid == os.getpid()
    assert "pytest" in found.command


def test_a_process_whose_command_line_cannot_be_seen_is_named_by_its_number(tmp_path: Path) -> None:
    assert process(4711, str(tmp_path)) == Holder(4711, "")
    assert str(Holder(4711, "")) == "process 4711"
    assert str(Holder(4711, "agent --once")) == "process 4711 (agent --once)"
