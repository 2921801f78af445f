"""What is heard of directories that come, change and go."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from watchdog.observers.inotify_c import InotifyFD

from agent.directories import Directories, Interest
from tests.agent.nested import nested
from tests.shortage import few_descriptors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

_SHORT_OF_MEMORY = """
import asyncio, os, sys
from agent.directories import Directories, Interest
from tests.shortage import memory_for_a_stack

async def main(place):
    seen = asyncio.Event()
    directories = Directories(seen.set)
    wanted = [(place, Interest(lambda path: True))]
    with memory_for_a_stack():
        directories.watch(wanted)
    directories.watch(wanted)
    seen.clear()
    os.close(os.open(f"{place}/a", os.O_CREAT))
    await asyncio.wait_for(seen.wait(), 20)
    directories.stop()

asyncio.run(main(*sys.argv[1:]))
"""
_FEW_WATCHES = """
import asyncio, os, sys
from agent.directories import Directories, Interest

async def main(shallow, deep):
    seen = asyncio.Event()
    directories = Directories(seen.set)
    every = Interest(lambda path: True, deep=True)
    wanted = [(deep, every), (shallow, Interest(lambda path: True))]
    for _ in range(3):
        directories.watch(wanted)
        await asyncio.sleep(0.1)
    for place in (shallow, deep):
        seen.clear()
        os.close(os.open(f"{place}/a", os.O_CREAT))
        await asyncio.wait_for(seen.wait(), 20)
    directories.stop()

with open("/proc/sys/user/max_inotify_watches", "w") as file:
    file.write("50")
asyncio.run(main(*sys.argv[1:]))
"""
_AS_NOBODY = """
import asyncio, os, sys
from agent.directories import Directories, Interest

async def main(*places):
    directories = Directories(lambda: None)
    wanted = [(place, Interest(lambda path: True)) for place in places]
    for _ in range(10):
        directories.watch(wanted)
    before = sys.getallocatedblocks()
    for _ in range(300):
        directories.watch(wanted)
    assert sys.getallocatedblocks() - before < 300
    directories.stop()

os.setuid(65534)
asyncio.run(main(*sys.argv[1:]))
"""


class Watching:
    """Directories that are watched, and whether they woke."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self.directories = Directories(self._woken.set)

    def watch(self, wanted: Mapping[Path, Interest]) -> None:
        self.directories.watch((str(path), interest) for path, interest in wanted.items())

    async def wake(self) -> None:
        """Wait to be woken."""
        await asyncio.wait_for(self._woken.wait(), 20)
        self._woken.clear()

    async def rest(self) -> None:
        """Let all be heard that is on its way, and forget it."""
        await asyncio.sleep(0.1)
        self._woken.clear()

    async def settle(self, wanted: Mapping[Path, Interest]) -> None:
        """Watch as the agent does: after each wake-up anew, until nothing wakes any more."""
        woken = True
        while woken:
            self._woken.clear()
            self.watch(wanted)
            await asyncio.sleep(0.1)
            woken = self._woken.is_set()


@contextlib.asynccontextmanager
async def watching(wanted: Mapping[Path, Interest]) -> AsyncIterator[Watching]:
    one = Watching()
    try:
        one.watch(wanted)
        await one.rest()
        yield one
    finally:
        one.directories.stop()


def anything(*, content: bool = False, deep: bool = False) -> Interest:
    return Interest(lambda _path: True, content=content, deep=deep)


def run(script: str, *paths: Path, under: tuple[str, ...] = ()) -> str:
    """Run a script in a process of its own; returns what it says."""
    argv = [*under, sys.executable, "-c", script, *map(str, paths)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_no_room_for_a_thread_is_a_limit_like_others_and_passes(tmp_path: Path) -> None:
    said = run(_SHORT_OF_MEMORY, tmp_path)
    what, when = "/ and what is below it cannot be watched", "changes there are seen at the next resync"
    assert said == f"{what}: cannot allocate memory; {when}\n"


@pytest.mark.root
def test_what_may_not_be_watched_is_named_once_and_not_kept(tmp_path: Path) -> None:
    for place in (tmp_path, *tmp_path.parents[:-2]):
        place.chmod(0o755)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    said = run(_AS_NOBODY, tmp_path, closed)
    assert said == f"{closed} cannot be watched: permission denied; changes there are seen at the next resync\n"


@pytest.mark.root
def test_what_is_below_a_deep_directory_leaves_the_others_their_watches(tmp_path: Path) -> None:
    shallow, deep = tmp_path / "shallow", tmp_path / "deep"
    shallow.mkdir()
    for number in range(100):
        (deep / str(number)).mkdir(parents=True)
    said = run(_FEW_WATCHES, shallow, deep, under=("unshare", "--user", "--map-root-user"))
    assert said.startswith(f"{deep} cannot be watched: inotify watch limit reached; raise ")
    assert said.count("\n") == 1


def test_a_reader_without_descriptors_leaves_none_open(tmp_path: Path) -> None:
    wanted = {tmp_path: anything()}

    async def steps() -> None:
        one = Watching()
        for free in range(3):
            before = os.listdir("/proc/self/fd")
            with few_descriptors(max(map(int, before)) + 8):
                held = fill(free)
                one.watch(wanted)
                one.watch(wanted)
                for descriptor in held:
                    os.close(descriptor)
            assert len(os.listdir("/proc/self/fd")) == len(before)
        one.watch(wanted)
        await one.rest()
        (tmp_path / "file").touch()
        await one.wake()
        one.directories.stop()

    asyncio.run(steps())


def fill(free: int) -> list[int]:
    """Open what may be opened, but for so many."""
    held: list[int] = []
    with contextlib.suppress(OSError):
        while True:
            held.append(os.open("/", os.O_PATH))
    for _ in range(free):
        os.close(held.pop())
    return held


def test_what_happened_before_there_was_a_reader_wakes(tmp_path: Path) -> None:
    wanted = {tmp_path: anything()}

    async def steps() -> None:
        one = Watching()
        with few_descriptors(max(map(int, os.listdir("/proc/self/fd"))) + 8):
            held = fill(0)
            one.watch(wanted)
            for descriptor in held:
                os.close(descriptor)
        (tmp_path / "file").touch()
        one.watch(wanted)
        await one.wake()
        one.directories.stop()

    asyncio.run(steps())


def test_a_thread_that_dies_is_noticed_and_all_is_watched_anew(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = threading.enumerate()
    wanted = {tmp_path: anything()}

    async def steps() -> None:
        descriptors = set(os.listdir("/proc/self/fd"))
        async with watching(wanted) as one:
            for _ in range(3):
                (reader,) = (thread for thread in threading.enumerate() if thread not in before)
                assert isinstance(reader, InotifyFD)
                end_by_fault(reader)
                tmp_path.joinpath("lost").mkdir()
                await one.wake()
                await one.settle(wanted)
                tmp_path.joinpath("lost").rmdir()
                await one.wake()
        assert len(os.listdir("/proc/self/fd")) == len(descriptors)

    asyncio.run(steps())
    assert capfd.readouterr().err == ""


def end_by_fault(thread: threading.Thread) -> None:
    """Have a thread end as it would for want of memory, as soon as it has something to do."""
    assert thread.ident
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(MemoryError))


def test_a_directory_that_is_replaced_by_one_that_looks_the_same_is_watched(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()

    async def steps() -> None:
        async with watching({place: anything()}) as one:
            inode = place.stat().st_ino
            for number in range(100):  # most file systems give the inode away again
                place.rmdir()
                place.mkdir()
                if place.stat().st_ino == inode:
                    break
                os.mkdir(tmp_path / str(number))
            await one.wake()
            await one.rest()
            (place / "between").touch()  # after the look, before it is watched
            one.watch({place: anything()})
            await one.wake()
            await one.settle({place: anything()})
            (place / "file").touch()
            await one.wake()

    asyncio.run(steps())


_REPLACE_UNHEARD = """
import os, signal, sys
other, place = int(sys.argv[1]), sys.argv[2]
with open("/proc/sys/fs/inotify/max_queued_events") as file:
    most = int(file.read())
os.kill(other, signal.SIGSTOP)
inode = os.stat(place).st_ino
for number in range(most // 2 + 100):
    os.close(os.open(f"{place}/{number}", os.O_CREAT))
    os.unlink(f"{place}/{number}")
for number in range(100):
    os.rmdir(place)
    os.mkdir(place)
    if os.stat(place).st_ino == inode:
        break
    os.mkdir(f"{place}-{number}")
os.kill(other, signal.SIGCONT)
"""


def test_a_directory_that_is_replaced_while_events_are_lost_is_watched(tmp_path: Path) -> None:
    """Also the event is lost that it is watched no more."""
    place = tmp_path / "place"
    place.mkdir()
    argv = [sys.executable, "-c", _REPLACE_UNHEARD, str(os.getpid()), str(place)]

    async def steps() -> None:
        async with watching({place: anything()}) as one:
            other = await asyncio.create_subprocess_exec(*argv)
            assert await other.wait() == 0
            await one.wake()
            await one.settle({place: anything()})
            (place / "file").touch()
            await one.wake()

    asyncio.run(steps())


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_directory_whose_ancestor_is_moved_away_is_watched_where_it_comes_anew(tmp_path: Path, depth: int) -> None:
    top = tmp_path / "top"
    place = top.joinpath(*"x" * depth)
    place.mkdir(parents=True)
    wanted = {place: anything()}

    async def steps() -> None:
        async with watching(wanted) as one:
            top.rename(tmp_path / "old")
            place.mkdir(parents=True)
            await one.wake()
            await one.settle(wanted)
            (place / "file").touch()
            await one.wake()

    asyncio.run(steps())


def test_directories_deeper_than_python_recurses(tmp_path: Path) -> None:
    wanted = {tmp_path: anything(deep=True)}

    async def steps() -> None:
        async with watching(wanted) as one:
            with nested(tmp_path, 1500):
                await one.wake()
                await one.settle(wanted)
                (tmp_path / "a" / "a" / "file").touch()
                await one.wake()

    asyncio.run(steps())


def test_what_comes_below_a_deep_directory_is_heard_however_deep(tmp_path: Path) -> None:
    wanted = {tmp_path: anything(deep=True)}
    deepest = tmp_path / "a" / "b" / "c"

    async def steps() -> None:
        async with watching(wanted) as one:
            for _ in range(3):
                deepest.mkdir(parents=True)
                await one.wake()
                await one.settle(wanted)
                (deepest / "file").touch()
                await one.wake()
                (tmp_path / "a").rename(tmp_path / "z")
                await one.wake()
                await one.settle(wanted)
                (tmp_path / "z" / "b" / "c" / "file").unlink()
                await one.wake()
                shutil.rmtree(tmp_path / "z")
                await one.settle(wanted)

    asyncio.run(steps())


def test_what_is_below_a_deep_directory_and_leads_to_another(tmp_path: Path) -> None:
    wanted = {tmp_path: anything(deep=True), tmp_path / "a" / "b" / "c": anything()}

    async def steps() -> None:
        async with watching(wanted) as one:
            (tmp_path / "a").mkdir()
            await one.wake()
            (tmp_path / "a" / "file").touch()  # after the look
            await one.rest()
            one.watch(wanted)
            await one.wake()

    asyncio.run(steps())


def test_what_came_below_a_deep_directory_before_it_was_watched_wakes(tmp_path: Path) -> None:
    wanted = {tmp_path: anything(deep=True)}

    async def steps() -> None:
        async with watching(wanted) as one:
            (tmp_path / "a").mkdir()
            await one.wake()
            (tmp_path / "a" / "b").touch()  # after the look, before `a` is watched
            await one.rest()
            one.watch(wanted)
            await one.wake()
            await one.settle(wanted)

    asyncio.run(steps())


@pytest.mark.root
def test_two_ways_to_one_directory(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    (first / "file").touch()
    subprocess.run(["mount", "--bind", first, second], check=True)

    async def steps() -> None:
        for wanted in ({first: anything(), second: anything(content=True)}, {second: anything(content=True)}):
            async with watching(wanted) as one:
                (first / "file").write_text("more")
                await one.wake()
        async with watching({first: anything(content=True), second: anything()}) as one:
            one.watch({first: anything(content=True)})
            await one.rest()
            (first / "file").write_text("most")
            await one.wake()

    try:
        asyncio.run(steps())
    finally:
        subprocess.run(["umount", second], check=True)


def test_more_than_is_remembered_wakes_even_if_nothing_of_it_matters(tmp_path: Path) -> None:
    async def steps() -> None:
        async with watching({tmp_path: Interest(lambda _path: False)}) as one:
            (tmp_path / "one").touch()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(one.wake(), 0.3)
            for number in range(1500):  # the loop does not turn meanwhile
                (tmp_path / str(number)).touch()
            await one.wake()

    asyncio.run(steps())


def test_the_use_of_files_is_no_event_where_only_names_matter(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    async def steps() -> None:
        async with watching({tmp_path: anything()}) as one:
            (tmp_path / "file").write_text("more")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(one.wake(), 0.3)
            (tmp_path / "file").unlink()
            await one.wake()

    asyncio.run(steps())
