"""A pytest plugin: what happens to tests whose real parts are missing, and fixtures for those parts.

A test marked `real` or `root`, or one that meets a `MissingPartError` anywhere, is skipped with the reason; with
CI=true it fails instead. However many did not run, for whatever reason, one line at the end says so; with CI=true
the run then fails, deselected tests included.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.real import devices, parts, udev
from tests.real.containerd import Containerd

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from _pytest.terminal import TerminalReporter

    from tests.real.containerd import Version

_MARKERS = {"real", "root"}


class StartContainerd(Protocol):
    """Start a daemon that ends with the test; the arguments are `Containerd`'s."""

    def __call__(
        self,
        version: Version,
        *,
        spec_dirs: Sequence[Path] | None = None,
        config: str | Path | None = None,
        etc: Path | None = None,
    ) -> Containerd: ...


@pytest.fixture
def start_containerd() -> Iterator[StartContainerd]:
    """`daemon = start_containerd("2", spec_dirs=[directory])`."""
    with ExitStack() as stack:

        def start(
            version: Version,
            *,
            spec_dirs: Sequence[Path] | None = None,
            config: str | Path | None = None,
            etc: Path | None = None,
        ) -> Containerd:
            return stack.enter_context(Containerd(version, spec_dirs=spec_dirs, config=config, etc=etc))

        yield start


@pytest.fixture
def start_udevd() -> Iterator[Callable[[str], udev.Udevd]]:
    """`udevd = start_udevd(rules)`; ask for it before `kernel`, so that it sees the devices go."""
    with ExitStack() as stack:
        yield lambda rules: stack.enter_context(udev.Udevd(rules))


@pytest.fixture
def kernel() -> Iterator[devices.Kernel]:
    """`disk = kernel.zram()`, `disk = kernel.loop(file)`."""
    with devices.kernel() as made:
        yield made


def pytest_configure(config: pytest.Config) -> None:
    """Register what counts the tests that do not run."""
    config.pluginmanager.register(_Roll(), "real-parts")


def pytest_sessionstart() -> None:
    """Put right what a killed run left behind."""
    if not parts.missing("root"):
        udev.clean_up_after_kill()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Without root, no marked test is begun."""
    with _parts_or_reason():
        if _MARKERS & {marker.name for marker in item.iter_markers()}:
            parts.need("root")
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """A test may find out late that something is missing."""
    with _parts_or_reason():
        return (yield)


@contextmanager
def _parts_or_reason() -> Iterator[None]:
    try:
        yield
    except parts.MissingPartError as error:
        if _in_ci():
            pytest.fail(f"a real part is missing: {error}", pytrace=False)
        pytest.skip(str(error))


class _Roll:
    """Which marked tests did not run, by reason."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail") and _MARKERS & report.keywords.keys():
            self._reasons[_reason(report)] += 1

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        # Elsewhere whoever deselects knows what they do.
        marked = [item for item in items if _MARKERS & item.keywords.keys()]
        if marked and _in_ci():
            self._reasons["deselected"] += len(marked)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._reasons and _in_ci() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        if self._reasons:
            why = "; ".join(f"{reason} ({count})" for reason, count in self._reasons.most_common())
            line = f"*** {self._reasons.total()} TESTS WITH REAL PARTS DID NOT RUN: {why}"
            terminalreporter.write_line(line, red=True, bold=True)


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return "skipped"


def _in_ci() -> bool:
    return os.environ.get("CI") == "true"
