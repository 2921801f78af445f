"""What wakes the agent, and what does not harm it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.discovering import check_message

if TYPE_CHECKING:
    from pathlib import Path

_SHORT_OF_MEMORY = """
import asyncio, mmap, os, resource, sys
from agent.watch import Files, Interest

async def main(first, second):
    seen = asyncio.Event()
    files = Files(seen.set)
    every = Interest(lambda path: True)
    files.watch({first: every})
    spare = mmap.mmap(-1, int(8.01 * 2**20))  # room for the stack of a thread, and for nothing else of it
    pages = int(open("/proc/self/statm").read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * mmap.PAGESIZE, -1))
    taken = []
    for size in (1 << 16, 1 << 12, 512, 256, 128, 64, 33):
        try:
            while True:
                taken.append(bytes(size))
        except MemoryError:
            pass
    spare.close()
    files.watch({first: every, second: every})
    taken.clear()
    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
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
