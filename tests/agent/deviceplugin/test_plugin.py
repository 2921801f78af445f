from __future__ import annotations

import gc
import os
import shutil
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.settings import Kubelet, Resource
from agent.deviceplugin.plugin import PREFIX, DevicePlugin, socket_name
from agent.inventory import Inventory, Listed, Listing
from agent.rpc.server import PATH_LIMIT
from tests.agent.rpc.house import House
from tests.kubelet.client import Registrar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cdi.errors import Problem

STANDARD = "/var/lib/kubelet/device-plugins"


@pytest.mark.parametrize(
    ("resource", "directory", "name"),
    [
        ("acme.com/modem", STANDARD, "cdi-sync-acme.com+modem.sock"),
        ("acme.com/" + "x" * 52, STANDARD, "cdi-sync-acme.com+" + "x" * 52 + ".sock"),
    ],
)
def test_a_socket_has_the_resources_name_where_that_fits(resource: str, directory: str, name: str) -> None:
    assert socket_name(resource, directory) == name


@settings(deadline=None)
@given(st.from_regex(r"[a-z]{1,120}\.com/[A-Za-z0-9._-]{1,63}", fullmatch=True), st.integers(2, 76))
def test_a_sockets_path_always_fits_and_tells_resources_apart(resource: str, length: int) -> None:
    directory = "/" + "d" * (length - 1)
    name = socket_name(resource, directory)
    assert len(f"{directory}/{name}") <= PATH_LIMIT
    assert name.startswith(PREFIX)
    assert name.endswith(".sock")
    assert "/" not in name
    assert socket_name(f"{resource}x", directory) != name


class Bench(House):
    """A device plugin, and the directory of a kubelet that is away."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.kubelet = place / "plugins"
        self.plugin = DevicePlugin(Kubelet(directory=str(self.kubelet)))

    def offer(self, *names: str) -> None:
        self.do(lambda: self.plugin.offer(inventory(*names)))

    def look(self) -> Problem | None:
        return self.do(self.plugin.look)

    def wanted(self) -> bool:
        return self.plugin.wanted

    def sockets(self) -> list[str]:
        return sorted(path.name for path in self.kubelet.iterdir())

    def come(self) -> None:
        """Be a kubelet, as far as its socket goes."""
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(self.kubelet / "kubelet.sock"))


def inventory(*names: str) -> Inventory:
    listings = [Listing(name, Resource(name=name), {"a": Listed(healthy=True)}) for name in names]
    return {one.kind: one for one in listings}


@pytest.fixture
def bench(place: Path) -> Iterator[Bench]:
    with Bench(place) as one:
        yield one
        one.do(one.plugin.stop)
        one.do(lambda: None)
        gc.collect()


def test_nothing_is_done_without_a_kubelet(bench: Bench) -> None:
    bench.offer("acme.com/a")
    assert bench.wanted() is False
    assert bench.look() is None
    assert not bench.kubelet.exists()
    bench.kubelet.mkdir()
    assert bench.wanted() is True
    assert bench.look() is None
    assert bench.sockets() == []


@pytest.mark.parametrize("wanted", [True, False])
def test_what_is_told_outranks_what_is_there(place: Path, wanted: bool) -> None:
    with Bench(place) as bench:
        bench.plugin = DevicePlugin(Kubelet(device_plugin=wanted, directory=str(bench.kubelet)))
        bench.offer("acme.com/a")
        assert bench.plugin.wanted is wanted
        assert bench.look() is None
        assert bench.kubelet.exists() is wanted
        bench.do(bench.plugin.stop)


def test_each_resource_has_a_socket_of_its_own_from_when_there_is_a_kubelet(bench: Bench) -> None:
    bench.kubelet.mkdir()
    bench.offer("acme.com/a", "acme.com/b")
    bench.look()
    bench.come()
    assert bench.look() is None
    names = ["cdi-sync-acme.com+a.sock", "cdi-sync-acme.com+b.sock", "kubelet.sock"]
    bench.await_(lambda: bench.sockets() == names)
    registrar = Registrar(str(bench.kubelet / names[0]))
    assert registrar.info(20).name == "acme.com/a"
    registrar.close()
    bench.offer("acme.com/b", "acme.com/c")
    assert bench.sockets() == names[1:]
    assert bench.look() is None
    bench.await_(lambda: bench.sockets() == [names[1], "cdi-sync-acme.com+c.sock", "kubelet.sock"])
    assert [(one.listing.kind, one.count) for one in bench.plugin.states] == [("acme.com/b", 0), ("acme.com/c", 0)]
    bench.do(bench.plugin.stop)
    assert bench.sockets() == ["kubelet.sock"]
    assert bench.plugin.states == ()


def test_sockets_that_an_earlier_agent_left_are_swept_and_nothing_else(bench: Bench) -> None:
    bench.kubelet.mkdir()
    for name in ("cdi-sync-old.sock", "other.sock", "cdi-sync-old"):
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(bench.kubelet / name))
    (bench.kubelet / "cdi-sync-file.sock").touch()
    (bench.kubelet / "cdi-sync-link.sock").symlink_to("other.sock")
    (bench.kubelet / "cdi-sync-directory.sock").mkdir()
    before = set(bench.sockets())
    bench.offer("acme.com/a")
    bench.look()
    assert before - set(bench.sockets()) == {"cdi-sync-old.sock"}


def test_two_agents_do_not_serve_one_directory(bench: Bench) -> None:
    bench.kubelet.mkdir()
    bench.offer("acme.com/a")
    bench.look()
    second = DevicePlugin(bench.plugin.kubelet)
    bench.do(lambda: second.offer(inventory("acme.com/b")))
    problem = bench.do(second.look)
    busy = [second.busy]
    assert str(problem).startswith(f"{bench.kubelet}: is served by process {os.getpid()} (")
    bench.do(bench.plugin.stop)
    assert bench.do(second.look) is None
    assert [*busy, second.busy] == [True, False]
    bench.do(second.stop)


def test_a_directory_that_goes_and_comes_back_is_served_again(bench: Bench) -> None:
    bench.kubelet.mkdir()
    bench.come()
    bench.offer("acme.com/a")
    bench.look()
    bench.await_(lambda: len(bench.sockets()) == 2)
    shutil.rmtree(bench.kubelet)
    assert bench.look() is None
    bench.kubelet.mkdir()
    bench.come()
    assert bench.look() is None
    bench.await_(lambda: len(bench.sockets()) == 2)


def test_a_socket_that_was_removed_comes_back(bench: Bench) -> None:
    bench.kubelet.mkdir()
    bench.come()
    bench.offer("acme.com/a")
    bench.look()
    path = bench.kubelet / "cdi-sync-acme.com+a.sock"
    for _ in range(3):
        bench.await_(lambda: _listens(path))
        path.unlink()
        bench.look()
    bench.await_(lambda: _listens(path))


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(str(path)) == 0


@pytest.mark.parametrize("what", ["file", "loop"])
def test_a_directory_that_cannot_be_used_is_told_of(place: Path, what: str) -> None:
    with Bench(place) as bench:
        bench.plugin = DevicePlugin(Kubelet(device_plugin=True, directory=str(bench.kubelet)))
        bench.kubelet.touch() if what == "file" else bench.kubelet.symlink_to(bench.kubelet)
        bench.offer("acme.com/a")
        problem = bench.look()
        assert str(problem).startswith(f"{bench.kubelet}: cannot be used: ")
        bench.kubelet.unlink()
        assert bench.look() is None
        bench.do(bench.plugin.stop)


@pytest.mark.parametrize(
    ("name", "matters"),
    [
        ("kubelet.sock", True),
        ("cdi-sync-a.sock", True),
        ("kubelet_internal_checkpoint", False),
        ("other.sock", False),
        ("cdi-sync-a", False),
        ("x-cdi-sync-a.sock", False),
    ],
)
def test_only_the_kubelets_socket_and_ours_matter(bench: Bench, name: str, matters: bool) -> None:
    assert bench.plugin.matters(f"{STANDARD}/{name}") is matters
