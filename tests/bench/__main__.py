"""What cdi-sync costs on this machine: ``make bench``, or ``python -m tests.bench [--quick] [--output json]``.

Every figure is a median of several runs of the real program. Nothing here passes or fails; docs/performance.md
says what the figures were, and what they are meant to be.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from cdi import codec, judgement, registry, specdirs
from cdi.model import ContainerEdits, Device, DeviceNode, Spec
from tests.agent.running import PROGRAM, Agent, devices
from tests.bench.figures import ALONE, Figure, resting
from tests.bench.serving import serving
from tests.real.devices import kernel, make_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

KIND = "bench.example/node"
COUNTS = (1, 100, 1_000, 10_000)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs, and 5 idle seconds instead of 60")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="form of the figures")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.exit(1, "error: this makes device nodes and kernel devices; run it as root\n")
    progress = Console(stderr=True)
    figures = []
    with tempfile.TemporaryDirectory(prefix="cdi-sync-bench-") as scratch:
        for figure in measure(Path(scratch), quick=options.quick):
            progress.print(f"{figure.name}: {figure.median:.4g} {figure.unit}", highlight=False)
            figures.append(figure)
    show(figures, options.output)


def show(figures: Sequence[Figure], form: str) -> None:
    if form == "json":
        machine = {"python": platform.python_version(), "kernel": platform.release(), "processors": os.cpu_count()}
        json.dump({"machine": machine, "figures": [asdict(figure) for figure in figures]}, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    table = Table("figure", "median", "least", "most", "unit", "runs", box=None, pad_edge=False)
    for figure in figures:
        values = (f"{value:.4g}" for value in (figure.median, figure.least, figure.most))
        table.add_row(figure.name, *values, figure.unit, str(figure.runs))
    Console(width=120).print(table)


def measure(scratch: Path, *, quick: bool) -> Iterator[Figure]:
    runs = 3 if quick else 7
    yield from starting(runs)
    yield from passes(scratch, runs)
    yield from library(scratch / "library", runs)
    events, idle = (5, 5) if quick else (21, 60)
    yield from living(scratch, events=events, idle=idle)
    yield from serving(scratch, calls=2_000 if quick else 20_000, events=events, idle=idle)


def starting(runs: int) -> Iterator[Figure]:
    bare = timed([sys.executable, "-c", "pass"], runs)
    help_ = timed([PROGRAM, "--help"], runs)
    yield Figure.of("python -c pass", "ms", bare)
    yield Figure.of("cdi-sync --help", "ms", help_)
    yield Figure.of("cdi-sync --help, in bare starts", "times", [statistics.median(help_) / statistics.median(bare)])
    yield Figure.of("import of the agent", "ms", timed([sys.executable, "-c", "import agent.daemon"], runs))


def passes(scratch: Path, runs: int) -> Iterator[Figure]:
    """Time ``--once``: the first pass, which writes, and those that find nothing to change."""
    medians = {}
    for count in COUNTS:
        config, spec_dir = make_nodes(scratch / str(count), count)
        command = [PROGRAM, "--once", "--config", config, "--spec-dir", spec_dir]
        yield Figure.of(f"--once, first pass, {count} devices", "ms", timed(command, 1, warm=False))
        unchanged = timed(command, runs)
        medians[count] = statistics.median(unchanged)
        yield Figure.of(f"--once, nothing to change, {count} devices", "ms", unchanged)
    yield Figure.of("--once, 10,000 devices in passes over 1,000", "times", [medians[10_000] / medians[1_000]])
    config, spec_dir = make_nodes(scratch / "half", 20_000, glob="n*[02468]")
    command = [PROGRAM, "--once", "--config", config, "--spec-dir", spec_dir]
    yield Figure.of("--once, nothing to change, 10,000 of 20,000 nodes by glob", "ms", timed(command, runs))


def library(scratch: Path, runs: int) -> Iterator[Figure]:
    """Time what another program would do with the library: read, judge both ways, index."""
    many, one = scratch / "many", scratch / "one"
    for number in range(1_000):
        write_spec(many / f"{number}.json", 10, f"acme.com/modem{number}")
    write_spec(one / "a.json", 10_000, "acme.com/modem")
    yield Figure.of("1,000 spec files of 10 devices, read and indexed", "ms", called(lambda: read_all(many), runs))
    yield Figure.of("1 spec file of 10,000 devices, judged and indexed", "ms", called(lambda: judge_one(one), runs))


def write_spec(path: Path, count: int, kind: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    devices = tuple(
        Device(
            name=f"modem{number}",
            container_edits=ContainerEdits(
                env=(f"MODEM={number}",),
                device_nodes=(DeviceNode(path=f"/dev/modem{number}", host_path=f"/dev/ttyUSB{number}"),),
            ),
        )
        for number in range(count)
    )
    path.write_bytes(codec.encode(Spec(version="0.5.0", kind=kind, devices=devices)))


def read_all(directory: Path) -> None:
    assert len(specdirs.load([str(directory)]).devices) == 10_000


def judge_one(directory: Path) -> None:
    path = str(directory / "a.json")
    judged = judgement.judge(specdirs.read_file(path), path)
    assert judged.spec is not None
    assert not judged.errors
    assert len(registry.index([registry.SpecFile(path, 0, judged.spec)]).devices) == 10_000


def called(work: Callable[[], None], runs: int) -> list[float]:
    """Call a function that often after one call more; returns the time of each call in milliseconds."""
    values = []
    for run in range(runs + 1):
        start = time.perf_counter()
        work()
        if run:
            values.append(1000 * (time.perf_counter() - start))
    return values


def make_nodes(place: Path, count: int, glob: str = "*") -> tuple[Path, Path]:
    """Make that many device nodes; returns a configuration for those that the glob matches, and a spec directory."""
    (place / "dev").mkdir(parents=True)
    for number in range(count):
        make_node(place / "dev" / f"n{number}", 1, 3)
    config = place / "config.toml"
    config.write_text(a_class(f"{place}/dev/{glob}"))
    return config, place / "cdi"


def a_class(glob: str) -> str:
    """A configuration for these nodes, as specs alone: this machine may have a kubelet."""
    return (
        "[kubelet]\ndevice_plugin = false\n"
        f'[[class]]\nkind = "{KIND}"\nname = "{{sysname}}"\n[[class.select]]\ndevnode = "{glob}"\n'
    )


def living(scratch: Path, *, events: int, idle: int) -> Iterator[Figure]:
    """Time the living agent: from a kernel event to the spec, then its size and its rest."""
    config = scratch / "config.toml"
    config.write_text(a_class("/dev/zram*"))
    with ExitStack() as stack:
        machine = stack.enter_context(kernel())
        agent = stack.enter_context(Agent(config, scratch / "cdi", scratch / "log"))
        agent.wait_ready()

        def appear() -> float:
            time.sleep(0.4)  # past the quiet time, so that each event is a first one
            start = time.monotonic()  # a little before the event: the kernel has yet to make the device
            disk = machine.zram(size=0)
            while disk.name not in devices(agent.spec_dir, KIND):
                time.sleep(0.0002)
            end = time.monotonic()
            disk.remove()
            return 1000 * (end - start)

        yield Figure.of("uevent to readable spec", "ms", [appear() for _ in range(events)])
    with Agent(*make_nodes(scratch / "resting", 100), scratch / "log-alone", ALONE) as agent:
        agent.wait_ready()
        yield from resting("agent at rest, no kubelet", agent.process.pid, idle)


def timed(command: Sequence[Any], runs: int, *, warm: bool = True) -> list[float]:
    """Run a command that often; returns the wall time of each run in milliseconds."""
    # Without bytecode files every start would compile the program anew.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    values = []
    for run in range(runs + warm):
        start = time.perf_counter()
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if run or not warm:
            values.append(1000 * (time.perf_counter() - start))
    return values


if __name__ == "__main__":
    main()
