"""The socket of ``status``, with real clients: those that behave, and those that do not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from agent.status import socket as status_socket
from agent.status.asking import NAME, AskingError, ask, through
from agent.status.socket import Socket
from tests.agent.users import as_nobody

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

SMALL: dict[str, Any] = {"agent": {"pid": 1}}
LARGE: dict[str, Any] = {"agent": {"pid": 1}, "classes": ["x" * 100] * 50_000}


def serving(directory: Path, scene: Callable[[Socket], Awaitable[None]], document: dict[str, Any] = SMALL) -> None:
    """Play a scene beside a socket that answers in a directory."""

    async def play() -> None:
        served = Socket(lambda: document)
        try:
            served.look(str(directory))
            await scene(served)
        finally:
            served.stop()

    asyncio.run(play())


async def asked(directory: Path) -> dict[str, Any] | None:
    return await asyncio.to_thread(ask, str(directory))


def test_it_answers_with_the_document_however_large(tmp_path: Path) -> None:
    async def scene(_served: Socket) -> None:
        assert await asked(tmp_path) == LARGE
        assert await asked(tmp_path) == LARGE

    serving(tmp_path, scene, LARGE)
    assert not (tmp_path / NAME).exists()
    assert ask(str(tmp_path)) is None


def test_it_is_for_its_own_user_alone_from_the_moment_it_exists(tmp_path: Path) -> None:
    modes: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            with contextlib.suppress(FileNotFoundError):
                modes.append(stat.S_IMODE(os.lstat(tmp_path / NAME).st_mode))

    async def scene(served: Socket) -> None:
        end = time.monotonic() + 60
        while len(modes) < 500 and time.monotonic() < end:
            served.stop()
            served.look(str(tmp_path))
            await asyncio.sleep(0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    mask = os.umask(0)
    try:
        serving(tmp_path, scene)
    finally:
        os.umask(mask)
        over.set()
        watcher.join()
    assert set(modes) == {0o600}


def test_a_directory_deeper_than_a_sockets_path_is_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)

    async def scene(_served: Socket) -> None:
        assert await asked(deep) == SMALL

    serving(deep, scene)


def test_a_dead_agents_socket_is_taken_over(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead, through(str(tmp_path)) as path:
        dead.bind(path)
    assert ask(str(tmp_path)) is None

    async def scene(_served: Socket) -> None:
        assert await asked(tmp_path) == SMALL

    serving(tmp_path, scene)


def test_a_live_agents_socket_is_left_to_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(_first: Socket) -> None:
        second = Socket(lambda: {"agent": {"pid": 2}})
        for _ in range(3):
            second.look(str(tmp_path))
        assert await asked(tmp_path) == SMALL
        second.stop()
        assert await asked(tmp_path) == SMALL

    serving(tmp_path, scene)
    assert caplog.text.count("is answered at by another agent") == 1


def test_what_is_no_socket_is_not_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / NAME).write_text("mine")

    async def scene(_served: Socket) -> None:
        pass

    serving(tmp_path, scene)
    assert (tmp_path / NAME).read_text() == "mine"
    assert "cannot be made: file exists" in caplog.text


def test_it_comes_back_when_it_was_removed_and_moves_with_the_directory(tmp_path: Path) -> None:
    async def scene(served: Socket) -> None:
        (tmp_path / NAME).unlink()
        served.look(str(tmp_path))
        assert await asked(tmp_path) == SMALL
        served.look(str(tmp_path / "new"))
        assert await asked(tmp_path) is None
        assert await asked(tmp_path / "new") == SMALL

    serving(tmp_path, scene)


def test_who_never_reads_is_let_go_and_nobody_else_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_socket, "_PATIENCE", 0.2)

    async def scene(served: Socket) -> None:
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.connect(str(tmp_path / NAME))
            assert await asked(tmp_path) == LARGE
            end = time.monotonic() + 10
            while served._asked:
                assert time.monotonic() < end
                await asyncio.sleep(0.01)

    serving(tmp_path, scene, LARGE)


def test_of_too_many_the_oldest_goes(tmp_path: Path) -> None:
    async def scene(served: Socket) -> None:
        deaf = [socket.socket(socket.AF_UNIX) for _ in range(40)]
        for one in deaf:
            one.connect(str(tmp_path / NAME))
            await asyncio.sleep(0)
        assert await asked(tmp_path) == LARGE
        assert len(served._asked) <= status_socket._CONNECTIONS
        for one in deaf:
            one.close()

    serving(tmp_path, scene, LARGE)


def test_a_fault_in_telling_ends_one_connection_and_no_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        faults = iter([True, False])
        served = Socket(lambda: {"agent": {"pid": 1 / (not next(faults))}})
        served.look(str(tmp_path))
        with pytest.raises(AskingError, match="cut off"):
            await asked(tmp_path)
        assert await asked(tmp_path) == SMALL
        served.stop()

    asyncio.run(play())
    assert "cannot be told" in caplog.text


@pytest.mark.parametrize("said", [b"", b"{", b"[]", b"{}", b'{"agent": null}', b"\xff\xfe", b"[" * 100_000])
def test_an_answer_that_is_no_status_is_told(tmp_path: Path, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(tmp_path / NAME))
        stranger.listen()

        def answer() -> None:
            one, _ = stranger.accept()
            with one:
                one.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(AskingError, match="cut off, or no status"):
            ask(str(tmp_path))
        thread.join()


def test_one_who_hangs_is_told_within_the_time(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(tmp_path / NAME))
        hanging.listen()
        with pytest.raises(AskingError, match="does not answer within"):
            ask(str(tmp_path), patience=0.1)


def test_where_many_ask_one_waits_for_a_place_in_the_queue(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(tmp_path / NAME))
        busy.listen(0)
        first.connect(str(tmp_path / NAME))  # the queue is full
        with pytest.raises(AskingError, match="does not answer within"):
            ask(str(tmp_path), patience=0.1)

        def answer() -> None:
            busy.accept()[0].close()
            asking = busy.accept()[0]
            asking.sendall(b'{"agent": {"pid": 1}}')
            asking.close()

        thread = threading.Timer(0.2, answer)
        thread.daemon = True
        thread.start()
        assert ask(str(tmp_path), patience=30) == SMALL
        thread.join()


@pytest.mark.root
def test_another_user_is_told_that_he_may_not(tmp_path: Path) -> None:
    def action() -> str:
        try:
            return f"answered: {ask(str(tmp_path))}"
        except AskingError as error:
            return f"{error.permitted} {error}"

    async def scene(_served: Socket) -> None:
        said = as_nobody(action, tmp_path)
        assert said.startswith("False ")
        assert "may not be asked by this user" in said

    serving(tmp_path, scene)
