from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING

import pytest

from agent.notify import Notifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Make = Callable[..., Notifier]


class ServiceManager:
    """The other end: a socket as systemd has it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(5)
        self._socket.bind(address.replace("@", "\0"))

    def __enter__(self) -> ServiceManager:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def hear(self) -> str:
        return self._socket.recv(65536).decode()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceManager]:
    abstract = f"@cdi-sync-test-{os.getpid()}"
    with ServiceManager(abstract if request.param == "abstract" else str(tmp_path / "notify")) as listening:
        yield listening


@pytest.fixture
def notifier() -> Iterator[Make]:
    """`told = notifier("/run/notify", WATCHDOG_USEC="1000000")`."""
    with ExitStack() as stack:

        def make(address: str, **environment: str) -> Notifier:
            return stack.enter_context(closing(Notifier.of({"NOTIFY_SOCKET": address, **environment})))

        yield make


def test_each_state_is_one_message(notifier: Make, manager: ServiceManager) -> None:
    told = notifier(manager.address)
    told.ready()
    told.status("3 devices of 3 kinds: nothing to change")
    told.alive()
    told.stopping()
    assert [manager.hear() for _ in range(4)] == [
        "READY=1",
        "STATUS=3 devices of 3 kinds: nothing to change",
        "WATCHDOG=1",
        "STOPPING=1",
    ]


def test_a_reload_says_when_it_began(notifier: Make, manager: ServiceManager) -> None:
    before = time.monotonic_ns() // 1000
    notifier(manager.address).reloading()
    state, _, since = manager.hear().partition("\nMONOTONIC_USEC=")
    assert state == "RELOADING=1"
    assert before <= int(since) <= time.monotonic_ns() // 1000


def test_the_same_status_is_told_once(notifier: Make, manager: ServiceManager) -> None:
    told = notifier(manager.address)
    for sentence in ("a", "a", "b"):
        told.status(sentence)
    told.ready()
    assert [manager.hear() for _ in range(3)] == ["STATUS=a", "STATUS=b", "READY=1"]


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("gone\nREADY=1", "STATUS=gone READY=1"),
        ("\x1b[2J", "STATUS= [2J"),
        ("\udcff", "STATUS= "),
        ("größe", "STATUS=größe"),
        ("ö" * 10_000, f"STATUS={'ö' * 500}"),
    ],
)
def test_no_status_is_more_than_a_line(notifier: Make, manager: ServiceManager, sentence: str, message: str) -> None:
    notifier(manager.address).status(sentence)
    assert manager.hear() == message


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "1e6"}, None),
        ({"WATCHDOG_USEC": "٣"}, None),
        ({"WATCHDOG_USEC": "9" * 5000}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_ours_to_feed(
    notifier: Make, manager: ServiceManager, environment: dict[str, str], interval: float | None
) -> None:
    assert notifier(manager.address, **environment).interval == interval


def test_without_anyone_to_tell_there_is_no_watchdog() -> None:
    assert Notifier.of({"WATCHDOG_USEC": "3000000"}).interval is None


def test_children_learn_nothing_of_it() -> None:
    environment = {"NOTIFY_SOCKET": "/run/none", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    Notifier.of(environment).close()
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1234", "/no/such/socket", "@nobody", "/" + "x" * 200])
def test_where_nobody_listens_nothing_happens(notifier: Make, address: str) -> None:
    told = notifier(address, WATCHDOG_USEC="1000000")
    told.ready()
    told.status("a")
    told.reloading()
    told.alive()
    told.stopping()


def test_a_service_manager_that_comes_back_is_told_again(notifier: Make, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with ServiceManager(address):
        told = notifier(address)
    told.ready()
    (tmp_path / "notify").unlink()
    with ServiceManager(address) as again:
        told.alive()
        assert again.hear() == "WATCHDOG=1"


def test_a_service_manager_that_hangs_holds_nobody_up_for_long(notifier: Make, manager: ServiceManager) -> None:
    told = notifier(manager.address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as flood:
        flood.setblocking(False)
        flood.connect(manager.address.replace("@", "\0"))
        with suppress(BlockingIOError):
            while flood.send(b"x"):
                pass
    start = time.monotonic()
    told.ready()
    assert time.monotonic() - start < 10
