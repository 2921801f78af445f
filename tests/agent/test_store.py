from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from agent.plan import Remove, Write
from agent.store import LOCK_NAME, SpecDirectory, StoreError, Writer, ours, passing
from tests.agent.users import as_nobody
from tests.real import devices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

NAME = "cdi-sync+acme.com+modem.json"
OTHER = "cdi-sync+acme.com+other.json"
TEMPORARY = f".{NAME}.tmp"


def written(directory: Path, *changes: Write | Remove) -> list[StoreError]:
    with Writer(SpecDirectory(str(directory)), create=True) as writer:
        return writer.apply(changes)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {LOCK_NAME}


@pytest.mark.parametrize(
    ("name", "is_ours"),
    [
        (NAME, True),
        ("cdi-sync+a.b-c_d+e.f.json", True),
        ("cdi-sync+acme.com+modem.yaml", False),
        ("cdi-sync+acme.com+modem.json.bak", False),
        ("cdi-sync+acme.com.json", False),
        ("cdi-sync+a+b+c.json", False),
        ("cdi-sync++.json", False),
        ("cdi-sync+a b+c.json", False),
        ("cdi-sync-acme.com-modem.json", False),
        (".cdi-sync+acme.com+modem.json", False),
        ("acme.json", False),
        (TEMPORARY, False),
        (LOCK_NAME, False),
    ],
)
def test_a_file_is_ours_by_its_name(name: str, *, is_ours: bool) -> None:
    assert ours(name) is is_ours


@pytest.mark.parametrize(
    ("name", "passes"), [(TEMPORARY, True), (LOCK_NAME, True), (NAME, False), (".other.tmp", False), ("a.tmp", False)]
)
def test_our_housekeeping_is_known_by_its_name(name: str, *, passes: bool) -> None:
    assert passing(name) is passes


def test_files_are_written_and_removed(tmp_path: Path) -> None:
    assert written(tmp_path, Write(NAME, b"1"), Write(OTHER, b"2")) == []
    assert (tmp_path / NAME).read_bytes() == b"1"
    assert written(tmp_path, Write(NAME, b"3"), Remove(OTHER), Remove("cdi-sync+not+there.json")) == []
    assert names(tmp_path) == {NAME}
    assert (tmp_path / NAME).read_bytes() == b"3"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_a_spec_is_readable_by_all_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        assert written(tmp_path, Write(NAME, b"")) == []
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o644


def test_missing_directories_are_made(tmp_path: Path) -> None:
    assert written(tmp_path / "a/b", Write(NAME, b"1")) == []
    assert (tmp_path / "a/b" / NAME).exists()


def test_a_missing_directory_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"a: cannot be written: no such file or directory; make it again") as caught:
        Writer(SpecDirectory(str(tmp_path / "a")), create=False)
    assert caught.value.permitted
    assert not (tmp_path / "a").exists()


def test_a_file_in_place_of_the_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(StoreError, match="a: cannot be made: file exists"):
        Writer(SpecDirectory(str(tmp_path / "a")), create=True)
    with pytest.raises(StoreError, match="a: cannot be listed: not a directory; name a directory"):
        SpecDirectory(str(tmp_path / "a")).present()


def test_a_link_in_place_of_our_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"theirs")
    (tmp_path / NAME).symlink_to(target)
    assert SpecDirectory(str(tmp_path)).present() == {NAME: None}
    assert written(tmp_path, Write(NAME, b"ours")) == []
    assert not (tmp_path / NAME).is_symlink()
    assert (tmp_path / NAME).read_bytes() == b"ours"
    assert target.read_bytes() == b"theirs"


def test_a_link_in_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"theirs")
    (tmp_path / TEMPORARY).symlink_to(target)
    with Writer(SpecDirectory(str(tmp_path)), create=True) as writer:
        (tmp_path / TEMPORARY).unlink(missing_ok=True)
        (tmp_path / TEMPORARY).symlink_to(target)
        assert writer.apply([Write(NAME, b"ours")]) == []
    assert target.read_bytes() == b"theirs"
    assert (tmp_path / NAME).read_bytes() == b"ours"


def test_a_directory_in_place_of_our_file_is_an_error_and_stops_nothing_else(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    assert SpecDirectory(str(tmp_path)).present() == {NAME: None}
    (failure,) = written(tmp_path, Write(NAME, b"1"), Write(OTHER, b"2"))
    assert failure.problem.where == str(tmp_path / NAME)
    assert "is a directory" in failure.problem.message
    assert names(tmp_path) == {NAME, OTHER}
    (failure,) = written(tmp_path, Remove(NAME))
    assert failure.problem.message.startswith("cannot be removed")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/nowhere", path)])
def test_what_is_no_plain_file_is_present_and_unlike_any(tmp_path: Path, make: type[object]) -> None:
    make(tmp_path / NAME)  # type: ignore[call-arg]
    assert SpecDirectory(str(tmp_path)).present() == {NAME: None}
    assert written(tmp_path, Write(NAME, b"1")) == []
    assert (tmp_path / NAME).read_bytes() == b"1"


def test_a_file_of_another_mode_is_present_and_unlike_any(tmp_path: Path) -> None:
    written(tmp_path, Write(NAME, b"1"))
    (tmp_path / NAME).chmod(0o600)
    assert SpecDirectory(str(tmp_path)).present() == {NAME: None}


def test_files_of_others_are_listed_and_left_alone(tmp_path: Path) -> None:
    foreign = {"a.json", "b.yaml", ".hidden.json", "cdi-sync+x.json"}
    for name in foreign | {"c.yml", "d.txt", "e.JSON"}:
        (tmp_path / name).write_bytes(b"theirs")
    directory = SpecDirectory(str(tmp_path))
    assert written(tmp_path, Write(NAME, b"1"), Remove(NAME)) == []
    assert directory.others() == tuple(sorted(str(tmp_path / name) for name in foreign))
    assert directory.present() == {}
    assert {path.read_bytes() for path in tmp_path.glob("[!.]*")} == {b"theirs"}


def test_a_directory_that_is_not_there_is_empty(tmp_path: Path) -> None:
    directory = SpecDirectory(str(tmp_path / "a"))
    assert directory.present() == {}
    assert directory.others() == ()


def test_a_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    directory = SpecDirectory(str(tmp_path))
    written(tmp_path, Write(NAME, b"1"))
    assert directory.present() == {NAME: b"1"}
    (tmp_path / NAME).write_bytes(b"22")
    assert directory.present() == {NAME: b"22"}
    (tmp_path / NAME).unlink()
    assert directory.present() == {}


def test_another_file_of_the_same_size_and_time_is_read_again(tmp_path: Path) -> None:
    directory = SpecDirectory(str(tmp_path))
    written(tmp_path, Write(NAME, b"1"))
    before = (tmp_path / NAME).stat()
    assert directory.present() == {NAME: b"1"}
    written(tmp_path, Write(NAME, b"2"))
    os.utime(tmp_path / NAME, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert directory.present() == {NAME: b"2"}
    with (tmp_path / NAME).open("r+b") as file:
        file.write(b"3")
    os.utime(tmp_path / NAME, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert directory.present() == {NAME: b"3"}


def test_an_edit_right_after_our_own_write_is_seen(tmp_path: Path) -> None:
    directory = SpecDirectory(str(tmp_path))
    with Writer(directory, create=True) as writer:
        for _ in range(50):
            assert writer.apply([Write(NAME, b"ours")]) == []
            with (tmp_path / NAME).open("r+b") as file:
                file.write(b"edit")
            assert not directory.as_left(NAME)
            assert directory.present() == {NAME: b"edit"}


def test_a_file_as_we_left_it_is_known_without_reading(tmp_path: Path) -> None:
    directory = SpecDirectory(str(tmp_path))
    assert not directory.as_left(NAME)
    with Writer(directory, create=True) as writer:
        writer.apply([Write(NAME, b"1")])
        assert directory.as_left(NAME)
        assert directory.present() == {NAME: b"1"}
        (tmp_path / NAME).write_bytes(b"22")
        assert not directory.as_left(NAME)
        writer.apply([Remove(NAME)])
        assert not directory.as_left(NAME)


def test_a_second_writer_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    with Writer(SpecDirectory(str(tmp_path)), create=True):
        with pytest.raises(StoreError, match=rf"is kept by process {os.getpid()} \(.*pytest") as caught:
            Writer(SpecDirectory(str(tmp_path)), create=True)
        assert caught.value.busy
    Writer(SpecDirectory(str(tmp_path)), create=True).close()


def test_a_holder_that_names_itself_wildly_is_refused_all_the_same(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_bytes(b"\xff\x1b[2J" * 1000)
    with (tmp_path / LOCK_NAME).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="is kept by"):
            Writer(SpecDirectory(str(tmp_path)), create=True)


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    program = "import os; from agent.store import *; Writer(SpecDirectory(os.sys.argv[1]), create=True); os._exit(9)"
    done = subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
    assert done.returncode == 9
    Writer(SpecDirectory(str(tmp_path)), create=True).close()


def test_the_lock_is_for_its_owner_alone_and_no_link_is_followed(tmp_path: Path) -> None:
    with Writer(SpecDirectory(str(tmp_path)), create=True):
        assert stat.S_IMODE((tmp_path / LOCK_NAME).stat().st_mode) == 0o600
    assert not (tmp_path / LOCK_NAME).exists()
    (tmp_path / LOCK_NAME).symlink_to(tmp_path / "target")
    with pytest.raises(StoreError, match="cannot be written"):
        Writer(SpecDirectory(str(tmp_path)), create=True)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("step", ["_sign", "_sweep"])
def test_a_writer_short_of_memory_gives_the_lock_back(tmp_path: Path, step: str) -> None:
    def fail(frame: FrameType, _event: str, _argument: object) -> None:
        if frame.f_code.co_name == step:
            raise MemoryError

    before, tracing = os.listdir("/proc/self/fd"), sys.gettrace()
    sys.settrace(fail)
    try:
        with pytest.raises(MemoryError):
            Writer(SpecDirectory(str(tmp_path)), create=False)
    finally:
        sys.settrace(tracing)
    assert len(os.listdir("/proc/self/fd")) == len(before)
    with Writer(SpecDirectory(str(tmp_path)), create=False) as writer:
        assert writer.valid


def test_what_a_killed_writer_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".cdi-sync+a+a.json.tmp").mkdir()
    (tmp_path / ".cdi-sync+a+b.json.tmp" / "x").parent.mkdir()
    for name in (TEMPORARY, ".cdi-sync+z+z.json.tmp"):
        (tmp_path / name).write_bytes(b"part")
    (tmp_path / ".other.tmp").write_bytes(b"theirs")
    Writer(SpecDirectory(str(tmp_path)), create=True).close()
    assert names(tmp_path) == {".other.tmp", ".cdi-sync+a+a.json.tmp", ".cdi-sync+a+b.json.tmp"}


def test_a_lock_is_valid_as_long_as_its_directory_stands(tmp_path: Path) -> None:
    place = tmp_path / "cdi"
    with Writer(SpecDirectory(str(place)), create=True) as writer:
        valid = [writer.valid]
        (place / LOCK_NAME).unlink()
        valid.append(writer.valid)
        place.rmdir()
        (failure,) = writer.apply([Write(NAME, b"1")])
        place.mkdir()
        valid.append(writer.valid)
        with Writer(SpecDirectory(str(place)), create=False) as other:
            valid += [writer.valid, other.valid]
    assert valid == [True, False, False, False, True]
    assert str(failure).startswith(f"{place / NAME}: cannot be written: no such file or directory; make it again")


def test_a_vanished_directory_needs_no_removal(tmp_path: Path) -> None:
    place = tmp_path / "cdi"
    with Writer(SpecDirectory(str(place)), create=True) as writer:
        (place / LOCK_NAME).unlink()
        place.rmdir()
        writer.apply([Remove(NAME)])
    assert not place.exists()


@pytest.mark.root
def test_a_full_disk_keeps_the_old_file_whole(tmp_path: Path) -> None:
    with devices.tmpfs(tmp_path / "small", 64 * 1024) as place:
        with Writer(SpecDirectory(str(place)), create=True) as writer:
            assert writer.apply([Write(NAME, b"old" * 1000)]) == []
            (failure,) = writer.apply([Write(NAME, b"new" * 100_000)])
            assert (
                str(failure)
                == f"{place / NAME}: cannot be written: no space left on device; free some space; it is tried again"
            )
            assert failure.permitted
            assert (place / NAME).read_bytes() == b"old" * 1000
            assert names(place) == {NAME}
            (place / "ballast").write_bytes(b"")
            assert writer.apply([Write(NAME, b"new")]) == []
        assert (place / NAME).read_bytes() == b"new"


@pytest.mark.root
def test_a_disk_too_full_for_a_name_still_locks(tmp_path: Path) -> None:
    with devices.tmpfs(tmp_path / "small", 16 * 1024) as place:
        with pytest.raises(OSError, match="No space") as full:
            (place / "ballast").write_bytes(b"x" * 100_000)
        assert full.value.errno == errno.ENOSPC
        with (
            Writer(SpecDirectory(str(place)), create=True),
            pytest.raises(StoreError, match="is kept by another process"),
        ):
            Writer(SpecDirectory(str(place)), create=True)


@pytest.mark.root
def test_a_read_only_directory_is_an_error_with_advice(tmp_path: Path) -> None:
    with devices.tmpfs(tmp_path / "ro", 64 * 1024) as place:
        written(place, Write(NAME, b"old"))
        with Writer(SpecDirectory(str(place)), create=True) as writer:
            subprocess.run(["mount", "-o", "remount,ro", place], check=True)
            (failure,) = writer.apply([Write(NAME, b"new")])
        assert str(failure) == (
            f"{place / NAME}: cannot be written: read-only file system; mount it writable; it is tried again"
        )
        assert failure.permitted
        assert SpecDirectory(str(place)).present() == {NAME: b"old"}


@pytest.mark.root
def test_an_ordinary_user_is_told_who_may(tmp_path: Path) -> None:
    def attempt() -> str:
        try:
            Writer(SpecDirectory(str(tmp_path)), create=True)
        except StoreError as error:
            return f"{error.permitted} {error}"
        return "written"

    told = as_nobody(attempt, tmp_path)
    assert told.startswith(f"False {tmp_path}: cannot be written: permission denied; run it as root")


@pytest.mark.root
def test_a_directory_that_may_not_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    def attempt() -> str:
        try:
            return str(SpecDirectory(str(closed)).present())
        except StoreError as error:
            return f"{error.permitted} {error}"

    assert as_nobody(attempt, tmp_path).startswith(f"False {closed}: cannot be listed: permission denied")


def test_a_reader_never_sees_a_part_of_a_file(tmp_path: Path) -> None:
    contents = [json.dumps([letter * 50_000]).encode() for letter in "ab"]
    path = tmp_path / NAME
    written(tmp_path, Write(NAME, contents[0]))
    stop = threading.Event()

    def churn() -> None:
        with Writer(SpecDirectory(str(tmp_path)), create=True) as writer:
            for round_ in range(150):
                writer.apply([Write(NAME, contents[round_ % 2])])
        stop.set()

    thread = threading.Thread(target=churn)
    thread.start()
    seen = set()
    while not stop.is_set():
        seen.add(path.read_bytes())
    thread.join()
    assert seen <= set(contents)
    assert len(seen) == 2


@pytest.mark.parametrize("place", [lambda path: path.touch(), lambda path: path.symlink_to("nowhere")])
def test_what_is_in_the_place_of_the_directory_is_told(tmp_path: Path, place: Callable[[Path], None]) -> None:
    place(tmp_path / "cdi")
    with pytest.raises(StoreError, match="cannot be made: file exists; move away what is in its place"):
        Writer(SpecDirectory(str(tmp_path / "cdi")), create=True)
