"""What wakes the agent, and what does not harm it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from watchdog.observers.inotify import InotifyEmitter, InotifyObserver
from watchdog.observers.inotify_c import InotifyFD

from agent.watch import Files, Interest
from tests.fuzz.discovering import check_message

if TYPE_CHECKING:
    from pathlib import Path

_SHORT_OF_MEMORY = """
import asyncio, os, sys
from agent.watch import Files, Interest
from tests.shortage import memory_for_a_stack

async def main(first, second):
    seen = asyncio.Event()
    files = Files(seen.set)
    every = Interest(lambda path: True)
    files.watch({first: every})
    with memory_for_a_stack():
        files.watch({first: every, second: every})
    files.watch({first: every, second: every})
    seen.clear()
    os.close(os.open(f"{second}/a", os.O_CREAT))
    await asyncio.wait_for(seen.wait(), 20)
    files.stop()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.root
@pytest.mark.parametrize(
    "properties",
    [
        b"ACTION=add\0DEVPATH=/devices/virtual/mem/null\0SUBSYSTEM=mem\0DEVNAME=/dev/null\0SEQNUM=7\0",
        b"ACTION=add\0SUBSYSTEM=mem\0DEVNAME=/dev/null\0SEQNUM=7\0",  # without a DEVPATH it is no message
        b"ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=\xff\0DEVNAME=/dev/\xff\0SEQNUM=7\0",
        b"ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=mem\0DEVNAME=/etc/passwd\0SEQNUM=7\0",  # libudev would abort
    ],
)
def test_whatever_comes_as_an_event_makes_it_look_again(properties: bytes) -> None:
    assert check_message(properties)


def test_no_room_for_another_thread_is_a_limit_like_others_and_passes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    argv = [sys.executable, "-c", _SHORT_OF_MEMORY, str(first), str(second)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"{second} cannot be watched: cannot allocate memory" in done.stderr


def end_by_fault(thread: threading.Thread) -> None:
    """Have a thread end as it would for want of memory, as soon as it has something to do."""
    assert thread.ident
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(MemoryError))


@pytest.mark.parametrize("kind", [InotifyFD, InotifyObserver, InotifyEmitter])
def test_a_thread_that_dies_is_noticed_and_all_is_watched_anew(
    tmp_path: Path, kind: type[threading.Thread], capfd: pytest.CaptureFixture[str]
) -> None:
    hook, before = threading.excepthook, threading.enumerate()

    async def steps() -> None:
        woken = asyncio.Event()
        wanted = {str(tmp_path): Interest(lambda _path: True)}
        files = Files(woken.set)
        files.watch(wanted)
        ours = [one for one in threading.enumerate() if one not in before and isinstance(one, kind)]
        for one in ours:
            end_by_fault(one)
        os.mkdir(tmp_path / "lost")
        async with asyncio.timeout(20):
            while all(one.is_alive() for one in ours):  # noqa: ASYNC110 - a thread is what is waited for
                await asyncio.sleep(0.005)
            await woken.wait()
        files.watch(wanted)
        await asyncio.sleep(0.1)  # what else is on its way
        woken.clear()
        os.mkdir(tmp_path / "seen")
        await asyncio.wait_for(woken.wait(), 20)
        files.stop()

    try:
        asyncio.run(steps())
    finally:
        threading.excepthook = hook
    assert capfd.readouterr().err == ""


def test_the_fault_of_a_thread_of_others_is_told_as_ever() -> None:
    told: list[threading.ExceptHookArgs] = []
    hook, threading.excepthook = threading.excepthook, told.append

    def fail() -> None:
        raise KeyError("oops")

    async def steps() -> None:
        files = Files(pytest.fail)
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        await asyncio.sleep(0)
        files.stop()

    try:
        asyncio.run(steps())
        assert [fault.exc_type for fault in told] == [KeyError]
        assert threading.excepthook == told.append
    finally:
        threading.excepthook = hook
