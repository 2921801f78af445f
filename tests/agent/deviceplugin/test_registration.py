from __future__ import annotations

import gc
import os
import socket
import time
from typing import TYPE_CHECKING

import grpc
import pytest

from agent.config.settings import Resource
from agent.deviceplugin import registration as module
from agent.deviceplugin.registration import Registration
from agent.inventory import Listed, Listing
from tests.agent.rpc.house import House
from tests.kubelet.client import Plugin, Registrar
from tests.kubelet.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RESOURCE = "acme.com/modem"


class Bench(House):
    """A registration of one resource, at a kubelet's directory."""

    def __init__(self, place: Path, *, watched: bool = False) -> None:
        super().__init__()
        self.place = place
        listing = Listing(RESOURCE, Resource(name=RESOURCE), {"a": Listed(healthy=True)})
        self.registration = self.do_now(
            lambda: Registration(str(place / "x.sock"), listing, self._kubelet, watched=watched)
        )

    @staticmethod
    def do_now(work: Callable[[], Registration]) -> Registration:
        return work()

    def _kubelet(self) -> str | None:
        path = self.place / "kubelet.sock"
        return str(path) if path.exists() else None

    def ensure(self) -> None:
        self.do(self.registration.ensure)

    def renew(self) -> None:
        self.do(self.registration.renew)

    @property
    def registered(self) -> bool:
        return self.registration.since is not None


@pytest.fixture
def bench(place: Path) -> Iterator[Bench]:
    with Bench(place) as one:
        yield one
        one.log.said.clear()
        one.do(one.registration.stop)
        one.do(lambda: None)
        gc.collect()


def test_while_the_kubelet_is_away_nothing_is_tried(bench: Bench) -> None:
    bench.ensure()
    bench.renew()
    assert bench.registration._task is None
    assert not (bench.place / "x.sock").exists()


def test_it_is_registered_once_and_again_when_its_stream_ends(bench: Bench) -> None:
    with Kubelet(bench.place) as kubelet:
        bench.ensure()
        kubelet.until(lambda: kubelet.health(RESOURCE) == {"a": "Healthy"})
        bench.await_(lambda: bench.registered)
        assert (bench.registration.count, bench.registration.error) == (1, None)
        for _ in range(5):
            bench.ensure()
        assert bench.registration.count == 1
        for count in (2, 3):
            bench.do(bench.registration.served.server.disconnect)
            bench.await_(lambda count=count: bench.registration.count == count and bench.registered)  # type: ignore[misc]
        kubelet.until(lambda: kubelet.health(RESOURCE) == {"a": "Healthy"})


def test_a_socket_that_was_removed_counts_as_not_registered(bench: Bench) -> None:
    with Kubelet(bench.place) as kubelet:
        bench.ensure()
        bench.await_(lambda: bench.registered)
        (bench.place / "x.sock").unlink()
        bench.ensure()
        bench.await_(lambda: bench.registration.count == 2 and bench.registered)
        assert (bench.place / "x.sock").exists()
        kubelet.until(lambda: kubelet.health(RESOURCE) == {"a": "Healthy"})


def test_a_refusal_is_kept_told_of_once_and_tried_again(bench: Bench) -> None:
    with Kubelet(bench.place) as kubelet:
        kubelet.refuse("no such resource", grpc.StatusCode.INVALID_ARGUMENT)
        bench.ensure()
        bench.await_(lambda: bench.registration._attempts >= 3)
        assert bench.registration.error == "no such resource"
        assert not bench.registered
        assert bench.log.said == [f"{RESOURCE} is not registered with the kubelet: no such resource; it is tried again"]
        kubelet.accept()
        bench.await_(lambda: bench.registered)
        assert bench.registration.error is None


def test_a_kubelet_that_takes_it_and_does_not_watch_is_asked_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WATCH", 0.05)
    with grpc_registrar(bench.place) as calls:
        bench.ensure()
        bench.await_(lambda: len(calls) >= 3)
        assert bench.registration.error == "it took the registration, and does not watch"


def grpc_registrar(place: Path) -> _Registrar:
    return _Registrar(place)


class _Registrar:
    """A kubelet that says yes, and does nothing."""

    def __init__(self, place: Path) -> None:
        self._path = place / "kubelet.sock"
        self.calls: list[bytes] = []

    def __enter__(self) -> list[bytes]:
        from concurrent.futures import ThreadPoolExecutor

        def register(request: bytes, _: grpc.ServicerContext) -> bytes:
            self.calls.append(request)
            return b""

        self._threads = ThreadPoolExecutor(2)
        self._server = grpc.server(self._threads)
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            "Register": grpc.unary_unary_rpc_method_handler(register)
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("v1beta1.Registration", handlers),))
        self._server.add_insecure_port(f"unix:{self._path}")
        self._server.start()
        return self.calls

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()
        self._threads.shutdown()
        self._path.unlink(missing_ok=True)


def test_a_socket_of_a_kubelet_that_is_dead_is_tried_ever_less_often(bench: Bench) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(bench.place / "kubelet.sock"))
    bench.ensure()
    bench.await_(lambda: bench.registration._attempts >= 3)
    assert bench.registration.error == "connection refused"
    assert bench.log.said == [], "a kubelet that is not up yet is no news"
    assert bench.registration._patience() >= 0.5 * 0.05 * 2**3
    bench.registration._attempts = 1000
    assert 15.0 <= bench.registration._patience() <= 30.0
    bench.renew()
    assert bench.registration._attempts <= 1


def test_a_socket_that_cannot_be_made_is_told_of(bench: Bench) -> None:
    (bench.place / "x.sock").mkdir()
    with Kubelet(bench.place):
        bench.ensure()
        bench.await_(lambda: bench.registration.error is not None)
        assert bench.registration.error == f"{bench.place}/x.sock cannot be made: address already in use"
        (bench.place / "x.sock").rmdir()
        bench.await_(lambda: bench.registered)


def test_when_it_stops_it_is_gone_at_once_and_stays_away(bench: Bench) -> None:
    with Kubelet(bench.place) as kubelet:
        bench.ensure()
        bench.await_(lambda: bench.registered)
        bench.do(bench.registration.stop)
        assert not bench.registered
        assert not (bench.place / "x.sock").exists()
        kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 0)
        time.sleep(0.1)
        assert (bench.registration.count, bench.registration._task) == (1, None)


def test_stopping_in_the_middle_of_anything_leaves_nothing(place: Path) -> None:
    with Kubelet(place) as kubelet:
        kubelet.hang_in_register(0.2)
        for turns in range(12):
            with Bench(place) as bench:

                async def started_and_stopped(bench: Bench = bench, turns: int = turns) -> None:
                    import asyncio

                    bench.registration.ensure()
                    for _ in range(turns):
                        await asyncio.sleep(0.0005 if turns > 6 else 0)
                    bench.registration.stop()
                    await asyncio.sleep(0.01)

                bench.run(started_and_stopped())
                assert not bench.registered
                gc.collect()
            assert [name for name in os.listdir(place) if name == "x.sock"] == []


def test_a_kubelet_that_finds_the_socket_is_not_called(place: Path) -> None:
    with Bench(place, watched=True) as bench:
        bench.ensure()
        bench.await_((place / "x.sock").exists)
        registrar = Registrar(str(place / "x.sock"))
        assert registrar.info(20).name == RESOURCE
        registrar.notify("not wanted")
        bench.await_(lambda: bench.registration.error == "not wanted")
        plugin = Plugin(RESOURCE, str(place / "x.sock"), "watcher")
        lists = plugin.lists()
        assert [one.ID for one in next(lists).devices] == ["a"]
        bench.await_(lambda: bench.registered)
        assert bench.registration.error is None
        plugin.close()
        registrar.close()
        bench.await_(lambda: not bench.registered)
        assert bench.log.said == [f"{RESOURCE} is not registered with the kubelet: not wanted; it is tried again"]
        bench.log.said.clear()
        bench.do(bench.registration.stop)
        bench.do(lambda: None)
