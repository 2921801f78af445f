from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from agent.status.files import boot_time, spec_files

if TYPE_CHECKING:
    from pathlib import Path

SPEC = '{"cdiVersion": "0.5.0", "kind": "acme.com/%s", "devices": [{"name": "a", "containerEdits": {"env": ["A=1"]}}]}'


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A kernel that was started at the second 1,000,000."""
    directory = tmp_path / "proc"
    directory.mkdir()
    (directory / "stat").write_text("cpu 1 2 3\nbtime 1000000\nprocesses 5\n")
    return directory


def put(directory: Path, name: str, written: float, text: str | None = None) -> Path:
    path = directory / f"cdi-sync+acme.com+{name}.json"
    path.write_text(SPEC % name if text is None else text)
    os.utime(path, (written, written))
    return path


@pytest.mark.parametrize(("written", "earlier"), [(999_999.9, True), (1_000_000, False), (2_000_000, False)])
def test_a_spec_is_of_an_earlier_boot_by_its_time(tmp_path: Path, proc: Path, written: float, earlier: bool) -> None:
    put(tmp_path, "modem", written)
    (found,) = spec_files(str(tmp_path), proc=str(proc))
    assert (found.kind, found.version, found.devices) == ("acme.com/modem", "0.5.0", 1)
    assert (found.earlier_boot, found.held) == (earlier, False)
    assert found.written == pytest.approx(written)


def test_only_ours_are_told_of_and_those_that_pods_hold_are_marked(tmp_path: Path, proc: Path) -> None:
    held = put(tmp_path, "old", 1)
    (tmp_path / "theirs.json").write_text("{}")
    (tmp_path / ".cdi-sync.lock").touch()
    (found,) = spec_files(str(tmp_path), holding={held.name}, proc=str(proc))
    assert (found.file_name, found.held) == (held.name, True)


@pytest.mark.parametrize("what", ["text", "directory", "link", "pipe", "dangling"])
def test_what_is_no_spec_has_no_version(tmp_path: Path, proc: Path, what: str) -> None:
    path = tmp_path / "cdi-sync+acme.com+odd.json"
    match what:
        case "text":
            path.write_text("{")
        case "directory":
            path.mkdir()
        case "link":
            path.symlink_to(put(tmp_path / "proc", "true", 1))
        case "pipe":
            os.mkfifo(path)
        case "dangling":
            path.symlink_to("nowhere")
    (found,) = spec_files(str(tmp_path), proc=str(proc))
    assert (found.version, found.devices) == (None, 0)


def test_no_directory_has_no_specs(tmp_path: Path) -> None:
    assert spec_files(str(tmp_path / "none")) == ()


@pytest.mark.parametrize("text", ["", "btime\n", "btime x\n", None])
def test_where_the_kernel_tells_nothing_no_spec_is_old(tmp_path: Path, proc: Path, text: str | None) -> None:
    if text is None:
        (proc / "stat").unlink()
    else:
        (proc / "stat").write_text(text)
    put(tmp_path, "modem", 1)
    assert boot_time(str(proc)) == 0
    assert not spec_files(str(tmp_path), proc=str(proc))[0].earlier_boot


def test_this_machine_was_started_before_now() -> None:
    assert 0 < boot_time() < os.stat("/proc/self").st_mtime + 1
