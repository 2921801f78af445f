"""What it costs to serve a kubelet."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.agent.site import KIND, Site
from tests.bench.figures import ALONE, Figure, group, memory, resting
from tests.real.devices import kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.agent.running import Agent
    from tests.kubelet.kubelet import Kubelet

_UEVENTS = 15  # NETLINK_KOBJECT_UEVENT
_QUIET = 0.4  # seconds, so that each event is a first one
_LONG = 120.0  # seconds to wait for what ought to come
_VERBOSE = ("sh", "-c", 'exec "$@" --verbose', "sh")
MANY = 10_000
RESOURCES = 100


def serving(scratch: Path, *, calls: int, events: int, idle: int) -> Iterator[Figure]:
    """Measure all there is to it, in a directory with a short path."""
    for name in ("a", "b", "c", "d"):
        (scratch / name).mkdir()
    yield from a_usual_node(Site(scratch / "a"), calls, idle)
    yield from coming_and_going(Site(scratch / "b"), events)
    yield from many_devices(Site(scratch / "c"), events)
    yield from many_resources(Site(scratch / "d"), min(events, 5))


def a_usual_node(site: Site, calls: int, idle: int) -> Iterator[Figure]:
    """100 devices in 3 resources: how large it is after 5,000 calls of Allocate, and how fast it answers."""
    kinds = [f"acme.com/{letter}node" for letter in "abc"]
    site.configure(*(site.a_class(kind, f"{letter}*") for letter, kind in zip("abc", kinds, strict=True)))
    site.node(*(f"{'abc'[number % 3]}{number}" for number in range(100)))
    with ExitStack() as stack:
        counted = stack.enter_context(group(f"cdi-sync-bench-{os.getpid()}"))
        site.under = (*(counted.under if counted else ()), *ALONE)
        kubelet = stack.enter_context(site.kubelet())
        agent = stack.enter_context(site.agent())
        for kind in kinds:
            listed(kubelet, kind)
        path = site.plugins / "cdi-sync-acme.com+anode.sock"
        allocations(path, "a0", 5_000)
        yield from resting("agent serving 100 devices", agent.process.pid, idle)
        if counted:
            yield Figure.of("agent serving 100 devices, working set", "MiB", [counted.working_set()])
        values = allocations(path, "a0", calls)
        yield Figure.of(f"Allocate, of {calls} calls", "µs", values)
        yield Figure.of(f"Allocate, 99th percentile of {calls} calls", "µs", [statistics.quantiles(values, n=100)[98]])


def allocations(path: Path, id_: str, count: int) -> list[float]:
    argv = [sys.executable, "-m", "tests.bench.calls", str(path), id_, str(count)]
    values: list[float] = json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout)
    return values


def listed(kubelet: Kubelet, resource: str = KIND, *, since: int = 0, healthy: int | None = None) -> float:
    """Wait for a list (with so many healthy devices); the `time.monotonic()` at which it came."""

    def found() -> float:
        events = kubelet.journal.events("list", resource, since=since)
        return next((event.at for event in events if healthy in (None, event.facts["healthy"])), 0.0)

    return kubelet.until(found, _LONG)


def coming_and_going(site: Site, events: int) -> Iterator[Figure]:
    """From what happens on the node to what the kubelet hears of it."""
    site.configure(site.a_class().replace(f"{site.nodes}/*", "/dev/zram*"))
    with ExitStack() as stack:
        machine = stack.enter_context(kernel())
        kubelet = stack.enter_context(site.kubelet())
        stack.enter_context(site.agent())
        listed(kubelet)
        heard = stack.enter_context(uevents())
        added, removed = [], []
        for _ in range(events):
            time.sleep(_QUIET)
            since = len(kubelet.journal)
            disk = machine.zram(size=0)
            added.append(1000 * (listed(kubelet, since=since) - heard(f"add@/devices/virtual/block/{disk.name}")))
            time.sleep(_QUIET)
            since = len(kubelet.journal)
            disk.remove()
            removed.append(1000 * (listed(kubelet, since=since) - heard(f"remove@/devices/virtual/block/{disk.name}")))
        yield Figure.of("uevent to the list with the new device", "ms", added)
        yield Figure.of("uevent to the list with it unhealthy", "ms", removed)
        yield Figure.of("kubelet.sock to Register received", "ms", [appearing(kubelet) for _ in range(events)])


def appearing(kubelet: Kubelet) -> float:
    """The milliseconds from the moment in which kubelet.sock is there to the Register that comes of it."""
    kubelet.stop(keep_socket=False)
    time.sleep(_QUIET)
    seen = threading.Thread(target=lambda: moments.append(await_socket(kubelet.socket)))
    moments: list[float] = []
    since = len(kubelet.journal)
    seen.start()
    kubelet.start()
    seen.join()
    came = kubelet.next("register", KIND, since=since, seconds=_LONG).at
    listed(kubelet, since=since)
    return 1000 * max(0.0, came - moments[0])


def await_socket(path: Path) -> float:
    while not path.exists():
        time.sleep(0.0002)
    return time.monotonic()


@contextmanager
def uevents() -> Iterator[Callable[[str], float]]:
    """Listen to the kernel; what is given tells the `time.monotonic()` at which it last told of an event."""
    heard: dict[str, float] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _UEVENTS) as kernels:
        kernels.bind((0, 1))
        kernels.settimeout(0.2)
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                try:
                    data = kernels.recv(1 << 16)
                except TimeoutError:
                    continue
                heard[data.partition(b"\0")[0].decode()] = time.monotonic()

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield lambda event: heard[event]
        finally:
            stop.set()
            thread.join()


def many_devices(site: Site, events: int) -> Iterator[Figure]:
    """10,000 devices in one resource."""
    site.under = _VERBOSE
    site.node("n0")
    with site.kubelet() as kubelet, site.agent() as agent:
        listed(kubelet)
        time.sleep(2)
        alone = memory(agent.process.pid)["Private"]
    site.node(*(f"n{number}" for number in range(1, MANY)))
    with site.kubelet() as kubelet:
        start = time.monotonic()
        with site.agent() as agent:
            yield Figure.of(
                f"{MANY:,} devices: start to the first list", "ms", [1000 * (listed(kubelet, healthy=MANY) - start)]
            )
            yield from changing(site, kubelet, agent, events)
            size = memory(agent.process.pid)["Private"]
            yield Figure.of(f"{MANY:,} devices: private", "MiB", [size])
            yield Figure.of(f"{MANY:,} devices: private, of each", "KiB", [1024 * (size - alone) / (MANY - 1)])


def changing(site: Site, kubelet: Kubelet, agent: Agent, events: int) -> Iterator[Figure]:
    """A device more and less among the many, and looks that find nothing new."""
    added, removed = [], []
    for _ in range(events):
        time.sleep(4 * _QUIET)
        since, start = len(kubelet.journal), time.monotonic()
        site.node("more")
        added.append(1000 * (listed(kubelet, since=since, healthy=MANY + 1) - start))
        time.sleep(4 * _QUIET)
        since, start = len(kubelet.journal), time.monotonic()
        site.gone("more")
        removed.append(1000 * (listed(kubelet, since=since, healthy=MANY) - start))
    yield Figure.of(f"{MANY:,} devices: new node to the list", "ms", added)
    yield Figure.of(f"{MANY:,} devices: node gone to the list", "ms", removed)
    time.sleep(2)
    before = len(passes(agent))
    for _ in range(events):
        agent.process.send_signal(signal.SIGHUP)
        time.sleep(3 * _QUIET)
    yield Figure.of(f"{MANY:,} devices: a pass with nothing to change", "ms", passes(agent)[before:])


def passes(agent: Agent) -> list[float]:
    return [float(found) for found in re.findall(r"a pass of ([0-9.]+) ms", agent.log)]


def many_resources(site: Site, runs: int) -> Iterator[Figure]:
    """100 resources in one agent."""
    kinds = [f"acme.com/kind-{number:02d}" for number in range(RESOURCES)]
    site.node(*(f"k{number:02d}" for number in range(RESOURCES)))
    sizes = {}
    for count in (1, RESOURCES):
        site.configure(*(site.a_class(kind, f"k{number:02d}") for number, kind in enumerate(kinds[:count])))
        with site.kubelet() as kubelet:
            start = time.monotonic()
            with site.agent() as agent:
                started = registered(kubelet, kinds[:count], 0) - start
                time.sleep(2)
                sizes[count] = memory(agent.process.pid)["Private"]
                times = [restarted(kubelet, kinds) for _ in range(runs)] if count == RESOURCES else []
    yield Figure.of(f"{RESOURCES} resources: start to the last list", "ms", [1000 * started])
    yield Figure.of(f"{RESOURCES} resources: kubelet restart to the last list", "ms", times)
    yield Figure.of(f"{RESOURCES} resources: private", "MiB", [sizes[RESOURCES]])
    each = 1024 * (sizes[RESOURCES] - sizes[1]) / (RESOURCES - 1)
    yield Figure.of(f"{RESOURCES} resources: private, of each", "KiB", [each])


def restarted(kubelet: Kubelet, kinds: list[str]) -> float:
    since, start = len(kubelet.journal), time.monotonic()
    kubelet.restart()
    return 1000 * (registered(kubelet, kinds, since) - start)


def registered(kubelet: Kubelet, kinds: list[str], since: int) -> float:
    """Wait for a list of each resource; the time of the last."""
    return max(listed(kubelet, kind, since=since) for kind in kinds)
