from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from agent import durable
from tests.real.devices import tmpfs

if TYPE_CHECKING:
    from pathlib import Path


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    durable.replace(str(path), f"{path}.tmp", data, mode)


@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("mask", [0, 0o077, 0o777])
def test_a_file_holds_the_bytes_with_the_mode_whatever_the_umask(tmp_path: Path, mode: int, mask: int) -> None:
    before = os.umask(mask)
    try:
        replace(tmp_path / "x", b"old", mode)
        replace(tmp_path / "x", b"new", mode)
    finally:
        os.umask(before)
    assert (tmp_path / "x").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == mode
    assert os.listdir(tmp_path) == ["x"]


def test_whoever_has_the_old_file_open_keeps_it(tmp_path: Path) -> None:
    replace(tmp_path / "x", b"old")
    with (tmp_path / "x").open("rb") as reader:
        replace(tmp_path / "x", b"new")
        assert reader.read() == b"old"


@pytest.mark.parametrize("what", ["file", "link", "fifo"])
def test_what_is_at_the_temporary_name_goes_and_is_not_written_to(tmp_path: Path, what: str) -> None:
    theirs, temporary = tmp_path / "theirs", tmp_path / "x.tmp"
    theirs.write_bytes(b"theirs")
    match what:
        case "file":
            os.link(theirs, temporary)
        case "link":
            temporary.symlink_to(theirs)
        case "fifo":
            os.mkfifo(temporary)
    replace(tmp_path / "x", b"ours")
    assert (tmp_path / "x").read_bytes() == b"ours"
    assert theirs.read_bytes() == b"theirs"
    assert not os.path.lexists(temporary)


def test_a_link_at_the_name_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / "x").symlink_to("theirs")
    replace(tmp_path / "x", b"ours")
    assert not (tmp_path / "x").is_symlink()
    assert (tmp_path / "theirs").read_bytes() == b"theirs"


def test_what_fails_leaves_all_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(IsADirectoryError):
        replace(tmp_path / "x", b"ours")
    assert os.listdir(tmp_path) == ["x"]
    (tmp_path / "y.tmp").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace(tmp_path / "y", b"ours")
    with pytest.raises(FileNotFoundError):
        replace(tmp_path / "gone" / "x", b"ours")


@pytest.mark.root
def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", 64 * 1024) as place:
        replace(place / "x", b"old")
        with pytest.raises(OSError, match="No space") as full:
            replace(place / "x", bytes(100_000))
        assert full.value.errno == errno.ENOSPC
        assert (place / "x").read_bytes() == b"old"
        assert os.listdir(place) == ["x"]


def test_the_names_of_a_directory_are_made_to_last(tmp_path: Path) -> None:
    durable.sync(str(tmp_path))
    (tmp_path / "file").touch()
    for name in ("file", "gone"):
        with pytest.raises(OSError, match="directory"):
            durable.sync(str(tmp_path / name))
