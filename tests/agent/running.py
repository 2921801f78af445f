"""The real agent as a process of its own, for tests that live with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

PROGRAM = Path(sys.executable).with_name("cdi-sync")


def once(config: Path, spec_dir: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run one pass as a user would."""
    argv: list[str | Path] = [PROGRAM, "--once", "--config", config, "--spec-dir", spec_dir, *more]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


class Agent:
    """A context in which an agent runs with a configuration on a spec directory.

    Its log goes to a file, so that a test may read it while the agent lives and after it was killed.
    """

    def __init__(self, config: Path, spec_dir: Path, log: Path, under: Sequence[str] = ()) -> None:
        """``under``: a command that runs it, with its own command line behind."""
        self._under = under
        self.config = config
        self.spec_dir = spec_dir
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def log(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        argv: list[str | Path] = [*self._under, PROGRAM, "--config", self.config, "--spec-dir", self.spec_dir]
        if not self.config.is_file() or "state_dir" not in self.config.read_text(errors="replace"):
            argv += ["--state-dir", self._log.with_name("state")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_ready(self) -> None:
        """Wait for the end of the first pass."""
        eventually(lambda: " of " in self.log or self.process.poll() is not None)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop, as soon as it can be asked; returns its exit code."""
        eventually(lambda: heeds_signals(self.process.pid) or self.process.poll() is not None)
        self.process.send_signal(how)
        return self.process.wait(timeout=10)

    def wait_log(self, text: str, *, times: int = 1) -> None:
        eventually(lambda: self.log.count(text) >= times, lambda: f"{text!r} is not in the log:\n{self.log}")

    def wait_devices(self, kind: str, names: set[str]) -> None:
        """Wait until the spec of a kind has exactly these devices."""
        eventually(
            lambda: devices(self.spec_dir, kind) == names,
            lambda: f"{devices(self.spec_dir, kind)} instead of {names}; the log:\n{self.log}",
        )


def heeds_signals(pid: int) -> bool:
    """Tell whether a process heeds signals by now: before, the effect of its own that each has would end it."""
    with suppress(OSError):
        rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return bool(int(rows["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def spec_file(spec_dir: Path, kind: str) -> Path:
    return spec_dir / f"cdi-sync+{kind.replace('/', '+')}.json"


def spec(spec_dir: Path, kind: str) -> dict[str, Any] | None:
    """Return the spec of a kind, None where there is no file."""
    try:
        document = json.loads(spec_file(spec_dir, kind).read_bytes())
    except FileNotFoundError:
        return None
    assert isinstance(document, dict)
    return document


def devices(spec_dir: Path, kind: str) -> set[str]:
    document = spec(spec_dir, kind)
    return {device["name"] for device in document["devices"]} if document else set()


def eventually(
    condition: Callable[[], bool], describe: Callable[[], str] = lambda: "it did not come so", seconds: float = 20
) -> None:
    """Wait until a condition holds; fails with the description where it does not within that time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, describe()
        time.sleep(0.005)


_READER = """
import os, sys
from cdi import codec, schema, validation
directory, reads = sys.argv[1], 0
print("reading", flush=True)
while os.path.exists(directory):
    for name in os.listdir(directory):
        if not name.endswith((".json", ".yaml")):
            continue
        try:
            with open(os.path.join(directory, name), "rb") as file:
                data = file.read()
        except FileNotFoundError:
            continue
        spec = codec.decode(data, name)
        problems = validation.check(spec) or schema.check(codec.to_document(spec))
        assert not problems and data.endswith(b"}\\n"), (name, problems, data)
        reads += 1
    if os.path.exists(sys.argv[2]):
        break
print(reads)
"""


@contextmanager
def reading(spec_dir: Path, scratch: Path) -> Iterator[None]:
    """Have another process read and judge every spec in a tight loop meanwhile; a partial or wrong one fails."""
    stop = scratch / "stop-reading"
    reader = subprocess.Popen(
        [sys.executable, "-c", _READER, spec_dir, stop], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "reading\n"
    try:
        yield
    finally:
        stop.touch()
        output, errors = reader.communicate(timeout=30)
        stop.unlink()
    assert reader.returncode == 0, errors
    assert int(output) > 0


def context_switches(pid: int) -> int:
    """Count how often the threads of a process have been given a processor: each wake-up is at least one."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        for line in Path(f"/proc/{pid}/task/{task}/status").read_text().splitlines():
            if "ctxt_switches" in line:
                total += int(line.split()[1])
    return total
