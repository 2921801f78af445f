from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from agent import sockets

if TYPE_CHECKING:
    from pathlib import Path


def test_a_socket_is_its_users_own_whatever_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = os.umask(0)
    try:
        with sockets.listening("s", 1) as made:
            assert stat.S_IMODE(os.stat("s").st_mode) == 0o600
            assert not made.getblocking()
        assert os.umask(0) == 0, "the umask of others is as it was"
    finally:
        os.umask(before)


@pytest.mark.parametrize("path", ["taken", "no/where", "x" * 108])
def test_where_there_can_be_none_nothing_is_left(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    open_files = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match=r"in use|No such file|too long"):
        sockets.listening(path, 1)
    assert os.listdir("/proc/self/fd") == open_files
