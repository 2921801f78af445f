"""The endpoint as the agent has it: on, off, moved, and with its port taken."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.metrics.endpoint import Endpoint
from agent.status.asking import ask
from tests.agent.metrics.prometheus import fetch, fetched, free_port
from tests.agent.running import Agent, context_switches, eventually
from tests.agent.status.states import STATE
from tests.real.devices import machine
from tests.real.udev import without_libudev

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.agent.site import Site

pytestmark = pytest.mark.root


@pytest.fixture
def agent(site: Site) -> Iterator[Agent]:
    with site.agent() as running:
        running.wait_ready()
        yield running


def serve_at(site: Site, port: int | None) -> None:
    site.configure(site.a_class(), agent=f'metrics = "127.0.0.1:{port}"' if port else "")


def listening(pid: int) -> set[int]:
    """The TCP ports that a process listens at."""
    inodes = set()
    for one in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # a connection that has just ended
            inodes.add(os.readlink(f"/proc/{pid}/fd/{one}").removeprefix("socket:[").removesuffix("]"))
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()
    ]
    return {int(words[1].rpartition(":")[2], 16) for words in lines if words[3] == "0A" and words[9] in inodes}


def test_reload_switches_it_on_moves_it_and_switches_it_off(site: Site, agent: Agent) -> None:
    first, second = free_port(), free_port()
    assert listening(agent.process.pid) == set()
    serve_at(site, first)
    eventually(lambda: "cdi_sync_build_info" in (fetched(first, "/metrics") or ""))
    assert listening(agent.process.pid) == {first}
    serve_at(site, second)
    eventually(lambda: "cdi_sync_build_info" in (fetched(second, "/metrics") or ""))
    assert fetched(first, "/metrics") is None
    serve_at(site, None)
    eventually(lambda: fetched(second, "/metrics") is None)
    assert listening(agent.process.pid) == set()
    assert agent.end() == 0


def test_a_port_in_use_is_told_once_and_served_when_it_is_free(site: Site, agent: Agent) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        serve_at(site, port)
        agent.wait_log(f"metrics at 127.0.0.1:{port}: cannot be served: address already in use; free the address")
        site.node("a")
        agent.wait_devices("acme.com/thing", {"a"})
        status = ask(str(site.state_dir))
        assert status is not None
        assert [one["message"] for one in status["problems"]] == ["cannot be served: address already in use"]
    eventually(lambda: "cdi_sync_build_info" in (fetched(port, "/metrics") or ""), seconds=60)
    assert agent.log.count("cannot be served") == 1


def test_an_address_that_is_not_ours_is_told(site: Site, agent: Agent) -> None:
    site.configure(site.a_class(), agent='metrics = "192.0.2.1:9464"')
    agent.wait_log("metrics at 192.0.2.1:9464: cannot be served: cannot assign requested address; name an address")
    assert agent.end() == 0


def test_an_address_that_there_is_no_memory_for_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()

    def refuse(*_: object) -> socket.socket:
        raise MemoryError

    async def play() -> None:
        endpoint = Endpoint(lambda: STATE, lambda: None)
        with monkeypatch.context() as patch:
            patch.setattr("agent.metrics.endpoint.socket.socket", refuse)
            endpoint.follow(f"127.0.0.1:{port}")
            await asyncio.sleep(0.05)
        assert str(endpoint.problem).endswith("cannot be served: out of memory; see to the limits of this process; "
                                              "it is tried again")  # fmt: skip
        await asyncio.to_thread(eventually, lambda: (fetched(port, "/healthz") or "").startswith("ok: "))
        assert endpoint.problem is None
        endpoint.stop()
        await asyncio.sleep(0)

    asyncio.run(play())


@pytest.mark.parametrize(
    ("address", "asked"),
    [("[::1]", ["::1"]), ("[::]", ["::1", "127.0.0.1"]), ("[127.0.0.1]", ["127.0.0.1"])],
)
def test_ipv6_is_spoken_and_all_of_it_is_all_of_ipv4_too(
    site: Site, agent: Agent, address: str, asked: list[str]
) -> None:
    port = free_port()
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    site.configure(site.a_class(), agent=f'metrics = "{address}:{port}"')
    agent.wait_log(f"metrics are served at http://{address}:{port}/metrics")
    for one in asked:
        with socket.create_connection((one, port), timeout=10) as asking:
            asking.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert asking.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.real
def test_a_service_that_has_no_network_is_told_so_by_an_agent_that_goes_on(site: Site) -> None:
    # What RestrictAddressFamilies= of systemd does, by the same means: no socket of these families can be made.
    code = (
        "import ctypes, os, struct, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "rules = [(0x20, 0, 0, 0), (0x15, 0, 4, 41), (0x20, 0, 0, 16), (0x15, 1, 0, 2), (0x15, 0, 1, 10),"
        " (6, 0, 0, 0x00050000 | 97), (6, 0, 0, 0x7FFF0000)]\n"
        "code = b''.join(struct.pack('HBBI', *rule) for rule in rules)\n"
        "buffer = ctypes.create_string_buffer(code)\n"
        "program = struct.pack('HxxxxxxP', len(rules), ctypes.addressof(buffer))\n"
        "assert libc.prctl(38, 1, 0, 0, 0) == 0\n"
        "assert libc.prctl(22, 2, program) == 0, ctypes.get_errno()\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers of system calls are those of x86_64")
    site.under = (sys.executable, "-c", code)
    serve_at(site, free_port())
    with site.agent() as agent:
        agent.wait_log("cannot be served: address family not supported by protocol; see what forbids it")
        site.node("a")
        agent.wait_devices("acme.com/thing", {"a"})
        assert agent.end() == 0


def test_health_and_readiness_tell_the_truth(site: Site, agent: Agent) -> None:
    port = free_port()
    serve_at(site, port)
    site.node("a")
    eventually(lambda: (fetched(port, "/readyz") or "").startswith("ok: last pass: 1 device of 1 kind"))
    assert fetch(port, "/healthz")[0] == 200
    path = site.spec_dir / "cdi-sync+acme.com+thing.json"
    path.unlink()
    path.mkdir()
    (path / "in-the-way").touch()
    eventually(lambda: fetch(port, "/readyz")[0] == 503)
    assert fetch(port, "/healthz")[0] == 200
    (path / "in-the-way").unlink()
    path.rmdir()
    eventually(lambda: fetch(port, "/readyz")[0] == 200, seconds=60)
    with site.kubelet() as kubelet:
        kubelet.refuse("not today")
        eventually(lambda: "is not registered with the kubelet" in fetch(port, "/readyz")[1])
        assert fetch(port, "/readyz")[0] == 503
        kubelet.accept()
        eventually(lambda: fetch(port, "/readyz")[0] == 200, seconds=60)
        assert "ok: acme.com/thing is registered with the kubelet\n" in fetch(port, "/readyz")[1]


@pytest.mark.real
def test_one_without_libudev_lives_is_not_ready_and_says_why(site: Site) -> None:
    site.under = without_libudev()
    port = free_port()
    serve_at(site, port)
    with site.agent() as agent:
        eventually(lambda: fetched(port, "/healthz") is not None)
        assert fetch(port, "/healthz")[0] == 200
        status, said = fetch(port, "/readyz")
        assert (status, "failed: libudev: cannot be used, so no event tells of devices" in said) == (503, True)
        assert "\ncdi_sync_device_events_heard 0.0\n" in fetch(port, "/metrics")[1]
        assert agent.end() == 0


def test_a_stopped_agent_leaves_no_port_and_one_with_clients_ends_all_the_same(site: Site, agent: Agent) -> None:
    port = free_port()
    serve_at(site, port)
    eventually(lambda: fetched(port, "/healthz") is not None)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as idle:
        idle.sendall(b"GET /hea")
        assert agent.end(signal.SIGTERM) == 0
    assert fetched(port, "/healthz") is None


def test_without_metrics_nothing_of_them_is_imported() -> None:
    code = (
        "import sys\nfrom agent import lean\nlean.import_asyncio()\nfrom agent import daemon\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in "
        "('prometheus_client', 'h11', 'http', 'ssl', 'h2') or name.startswith('agent.metrics')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_an_agent_that_runs_without_them_has_opened_none_of_their_files(site: Site, agent: Agent) -> None:
    site.under = (sys.executable, "-v")
    assert agent.end() == 0
    with Agent(site.config, site.spec_dir, site.place / "imports", site.under) as verbose:
        verbose.wait_log(" of ")
        eventually((site.state_dir / "agent.sock").exists)
        assert verbose.end() == 0
        log = verbose.log
    assert "import 'agent.status.record'" in log
    assert "import 'h11'" not in log
    assert "import 'prometheus_client'" not in log
    assert "import 'agent.metrics" not in log


def test_while_nobody_asks_nothing_wakes_also_with_a_connection_kept_open(site: Site, agent: Agent) -> None:
    port = free_port()
    with machine():  # no other test's devices are events here
        serve_at(site, port)
        eventually(lambda: fetched(port, "/metrics") is not None)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as idle:
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(1000).startswith(b"HTTP/1.1 200")
            waited: list[int] = []

            def quiet() -> bool:
                before = context_switches(agent.process.pid)
                time.sleep(3)
                waited.append(context_switches(agent.process.pid) - before)
                return waited[-1] <= 2  # what polls would do so in every such while

            eventually(quiet, lambda: f"it woke {waited} times in 3 seconds", seconds=60)


@pytest.mark.parametrize("devices", [3000])
def test_a_scrape_of_thousands_of_devices_holds_nobody_up(site: Site, agent: Agent, devices: int) -> None:
    port = free_port()
    serve_at(site, port)
    eventually(lambda: fetched(port, "/metrics") is not None)
    site.node(*(f"d{number}" for number in range(devices)))
    wanted = f'cdi_sync_devices{{condition="present",kind="acme.com/thing"}} {float(devices)}'
    eventually(lambda: wanted in (fetched(port, "/metrics") or ""), seconds=60)
    took = []
    for _ in range(10):
        begin = time.perf_counter()
        fetch(port, "/metrics")
        took.append(time.perf_counter() - begin)
    assert min(took) < 0.5, took
