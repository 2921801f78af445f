from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from agent import opening
from agent.opening import Opening, flags_for, opens
from tests.real import devices
from tests.shortage import few_descriptors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("permissions", "flags"),
    [(one, os.O_RDONLY) for one in ("rw", "r", "")] + [(one, os.O_WRONLY) for one in ("m", "w", "wm")],
)
def test_reading_is_enough_where_one_may_read(permissions: str, flags: int) -> None:
    assert flags_for(permissions) == flags


def test_what_opens_and_what_does_not(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    words = {"/dev/null": True, str(tmp_path / "fifo"): True, str(tmp_path / "gone"): False,
             str(tmp_path / "loop"): False, "/dev/null/x": False, "/dev/nul\0": False, "": False,
             "/dev/\ud800": False, "x" * 5000: False}  # fmt: skip
    assert {node: opens(node, os.O_RDONLY) for node in words} == words
    assert not opens(str(tmp_path / "fifo"), os.O_WRONLY)


@pytest.mark.root
def test_a_node_without_a_driver_does_not_open(tmp_path: Path) -> None:
    assert not opens(str(devices.make_node(tmp_path / "x", 300, 7)), os.O_RDONLY)


class Bench:
    """An `Opening` whose nodes open as a test says; one named in ``hanging`` does when its event is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hanging: dict[str, threading.Event] = {}
        self.closed: set[str] = set()
        self.tried: list[str] = []
        self.changes = 0
        self.opening = Opening(self._changed)
        monkeypatch.setattr(opening, "opens", self._opens)
        monkeypatch.setattr(opening, "_PATIENCE", 0.05)

    def _changed(self) -> None:
        self.changes += 1

    def _opens(self, node: str, _flags: int) -> bool:
        self.tried.append(node)
        if node in self.hanging:
            self.hanging[node].wait(20)
        return node not in self.closed

    def look(self, *nodes: str) -> None:
        self.opening.look(dict.fromkeys(nodes, os.O_RDONLY))

    def failing(self, nodes: str) -> str:
        return "".join(sorted(self.opening.failing(nodes)))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - threads are what is waited for
                await asyncio.sleep(0.005)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_what_was_not_tried_is_failing_and_what_opened_is_not(bench: Bench) -> None:
    async def steps() -> None:
        bench.closed = {"b"}
        assert bench.failing("abc") == "abc"
        bench.look("a", "b")
        await bench.until(lambda: bench.changes == 1)
        assert bench.failing("abc") == "bc"
        bench.look("a", "b")
        await bench.until(lambda: len(bench.tried) == 4)
        await asyncio.sleep(0.02)
        assert bench.changes == 1, "it was no news"
        bench.closed = {"a"}
        bench.look("a", "b")
        await bench.until(lambda: bench.changes == 2)
        assert bench.failing("ab") == "a"
        bench.look()
        assert bench.failing("ab") == "ab"

    asyncio.run(steps())


def test_looks_come_one_after_the_other_and_the_last_one_counts(bench: Bench) -> None:
    async def steps() -> None:
        bench.hanging["a"] = threading.Event()
        bench.look("a")
        bench.look("x")
        bench.look("a", "b")
        bench.hanging["a"].set()
        await bench.until(lambda: bench.failing("ab") == "")
        assert bench.tried == ["a", "a", "b"]

    asyncio.run(steps())


def test_a_node_that_hangs_does_not_open_and_keeps_no_other_waiting(bench: Bench) -> None:
    async def steps() -> None:
        bench.look("a", "b", "c")
        await bench.until(lambda: bench.failing("abc") == "")
        bench.hanging["b"] = threading.Event()
        bench.closed = {"c"}
        bench.look("a", "b", "c", "d")
        await bench.until(lambda: bench.failing("abcd") == "bc")
        for _ in range(3):
            bench.look("a", "b", "c", "d", "e")
        await bench.until(lambda: bench.failing("abcde") == "bc")
        assert bench.tried.count("b") == 2, "one thread hangs there, and no more"
        threads = [one for one in threading.enumerate() if one.name == "opening"]
        assert len(threads) <= 2
        bench.hanging["b"].set()
        await bench.until(lambda: bench.failing("abcde") == "c")

    asyncio.run(steps())


def test_several_nodes_that_hang_cost_a_thread_each(bench: Bench) -> None:
    async def steps() -> None:
        bench.hanging = {"a": threading.Event(), "c": threading.Event()}
        bench.look("a", "b", "c", "d")
        await bench.until(lambda: bench.failing("abcd") == "ac")
        bench.hanging["c"].set()
        await bench.until(lambda: bench.failing("abcd") == "a")
        bench.hanging["a"].set()
        await bench.until(lambda: bench.failing("abcd") == "")

    asyncio.run(steps())


def test_a_node_that_is_slow_but_moves_on_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Semaphore(0)

    def slow(node: str, _flags: int) -> bool:
        bench.tried.append(node)
        return gate.acquire(timeout=20)

    monkeypatch.setattr(opening, "opens", slow)
    monkeypatch.setattr(opening, "_PATIENCE", 1.0)

    async def steps() -> None:
        bench.look(*"abcd")
        for _ in range(4):
            await asyncio.sleep(0.4)
            gate.release()
        await bench.until(lambda: bench.failing("abcd") == "")
        assert bench.tried == list("abcd")

    asyncio.run(steps())


def test_the_end_of_the_loop_does_not_wait_for_a_node_that_hangs(bench: Bench) -> None:
    async def steps() -> None:
        bench.hanging["a"] = threading.Event()
        bench.look("a")

    asyncio.run(steps())
    bench.hanging["a"].set()
    for one in threading.enumerate():
        if one.name == "opening":
            one.join(20)


def test_a_node_that_was_not_asked_for_meanwhile_counts_as_not_tried(bench: Bench) -> None:
    async def steps() -> None:
        bench.look("a", "b")
        await bench.until(lambda: bench.failing("ab") == "")
        bench.look("b")
        bench.hanging["a"] = threading.Event()
        bench.look("a", "b")
        assert bench.failing("ab") == "a"
        bench.hanging["a"].set()
        await bench.until(lambda: bench.failing("ab") == "")

    asyncio.run(steps())


def test_a_thread_that_cannot_start_is_tried_again_by_itself(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(opening, "_AGAIN", 0.05)

    async def steps() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", no_room)
            bench.look("a")
            bench.look("a")
            await asyncio.sleep(0.15)
        assert bench.failing("a") == "a"
        await bench.until(lambda: bench.failing("a") == "")
        assert bench.tried == ["a"]

    asyncio.run(steps())


def test_nodes_keep_their_word_while_no_descriptor_is_free_and_are_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad, new = (str(tmp_path / name) for name in ("good", "bad", "new"))
    for node in (good, new):
        os.mkfifo(node)
    monkeypatch.setattr(opening, "_AGAIN", 0.05)

    async def steps() -> None:
        news = asyncio.Event()
        nodes = Opening(news.set)
        nodes.look({good: os.O_RDONLY, bad: os.O_RDONLY})
        await asyncio.wait_for(news.wait(), 20)
        news.clear()
        with few_descriptors():
            os.mkfifo(bad)
            nodes.look(dict.fromkeys((bad, good, new), os.O_RDONLY))
            await asyncio.sleep(0.2)
            assert nodes.failing([good, bad, new]) == {bad, new}
            assert not news.is_set()
        await asyncio.wait_for(news.wait(), 20)
        assert not nodes.failing([good, bad, new])

    asyncio.run(steps())


_SHORT_OF_MEMORY = """
import asyncio, os
from agent.opening import Opening
from tests.shortage import memory_for_a_stack

async def main():
    opened = asyncio.Event()
    nodes = Opening(opened.set)
    with memory_for_a_stack():
        nodes.look({"/dev/null": os.O_RDONLY})
    await asyncio.wait_for(opened.wait(), 20)

asyncio.run(main())
"""


def test_no_room_in_memory_for_a_thread_holds_nobody_up(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _SHORT_OF_MEMORY]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
