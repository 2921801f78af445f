"""The facts that several checks stand on, each looked up once, when first asked for."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.config.load import load
from agent.config.settings import Kubelet, Settings
from agent.discovery.udev import UdevDatabase
from agent.doctor import record, runtimes
from agent.doctor.findings import command
from agent.doctor.once import Once, UnfinishedError
from agent.runtimes.answers import lists
from agent.status.files import boot_time
from agent.store import SpecDirectory, holder
from cdi.errors import CDIError
from cdi.specdirs import DEFAULT_DIRECTORIES, SpecDirs

if TYPE_CHECKING:
    from agent.doctor.findings import Verdict
    from agent.doctor.record import Record
    from agent.doctor.runtimes import Runtime
    from agent.holding import Holder
    from agent.reconcile import Outcome
    from cdi.errors import Problem

_STATE_DIR = "/var/lib/cdi-sync"
ANSWER = 5.0
"""Seconds in which a file system or an agent is to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says; ``spec_dirs`` in order of rising priority, none: those that runtimes read.

    ``proc`` and ``sys`` are where the kernel tells of itself.
    """

    config: str | None = None
    spec_dirs: tuple[str, ...] = ()
    state_dir: str | None = None
    proc: str = "/proc"
    sys: str = "/sys"


class Node:
    """One look at this node. Every fact is kept as it was first seen."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.udev = UdevDatabase()
        self._looks: dict[str, os.stat_result | None] = {}

    @Once
    def configuration(self) -> Settings | tuple[Problem, ...]:
        """The settings in force, or why there are none."""
        given = self.asked.spec_dirs
        try:
            settings = load(self.asked.config, spec_dir=given[0] if len(given) == 1 else None,
                            state_dir=self.asked.state_dir)  # fmt: skip
        except CDIError as error:
            return error.problems
        if given and not lists(given, settings.spec_dir):
            return dataclasses.replace(settings, spec_dir=os.path.abspath(given[0]))
        return settings

    @property
    def settings(self) -> Settings | None:
        """The settings, where the configuration can be used."""
        found = self.configuration
        return found if isinstance(found, Settings) else None

    @property
    def spec_dir(self) -> str:
        """The directory of our specs."""
        given = self.asked.spec_dirs or DEFAULT_DIRECTORIES
        return self.settings.spec_dir if self.settings else os.path.abspath(given[0])

    @property
    def state_dir(self) -> str:
        """The directory of our state."""
        return self.settings.state_dir if self.settings else self.asked.state_dir or _STATE_DIR

    @property
    def kubelet(self) -> Kubelet:
        """How the kubelet is served."""
        return self.settings.kubelet if self.settings else Kubelet()

    @property
    def directories(self) -> tuple[str, ...]:
        """All spec directories, in order of rising priority."""
        found = self.asked.spec_dirs or DEFAULT_DIRECTORIES
        return found if lists(found, self.spec_dir) else (*found, self.spec_dir)

    @Once
    def silent(self) -> frozenset[str]:
        """The directories that checks look into and whose file systems do not answer in time."""
        places = {*self.directories, self.state_dir, self.kubelet.directory, self.kubelet.sockets}
        looks = {path: threading.Thread(target=os.path.lexists, args=(f"{path}/.",), daemon=True) for path in places}
        for look in looks.values():
            look.start()
        end = time.monotonic() + ANSWER
        for look in looks.values():
            look.join(max(0.0, end - time.monotonic()))
        return frozenset(path for path, look in looks.items() if look.is_alive())

    def reach(self, *places: str) -> None:
        """Go no further, with `UnfinishedError`, where one of these directories does not answer."""
        if not self.silent.isdisjoint(places):
            raise UnfinishedError

    @Once
    def specs(self) -> SpecDirs:
        """What the spec directories hold, as runtimes read it."""
        self.reach(*self.directories)
        dirs = SpecDirs(self.directories)
        dirs.refresh()
        return dirs

    @Once
    def outcome(self) -> Outcome | None:
        """What a pass would find and change now; ``None`` without settings. Raises `StoreError`."""
        from agent.reconcile import Reconciler

        if self.settings is None:
            return None
        self.reach(self.spec_dir)
        return Reconciler(SpecDirectory(self.settings.spec_dir), self.udev).run(self.settings, None)

    @Once
    def holder(self) -> Holder | None:
        """Who has the lock of our spec directory."""
        self.reach(self.spec_dir)
        return holder(self.spec_dir, self.asked.proc)

    @Once
    def runtimes(self) -> tuple[Runtime, ...]:
        """The container runtimes here."""
        settings = self.settings
        self.reach(self.state_dir)
        return tuple(runtimes.found(self.spec_dir, self.state_dir, settings.containerd.config if settings else None))

    def verdict_on(self, lacking: Runtime) -> Verdict:
        """Return how bad it is that a runtime offers none of our devices: beside the kubelet's one may do without."""
        alone = len(self.runtimes) == 1
        return "fail" if alone or lacking.name in runtimes.OF_KUBELETS else "warn"

    def serves_docker(self, one: Runtime) -> bool:
        """Tell whether a containerd is there for Docker alone, which does CDI itself."""
        beside = any(other.name == "docker" for other in self.runtimes)
        return one.name == "containerd" and beside and not self.kubelet_runs

    @Once
    def kubelet_runs(self) -> bool:
        """Whether a kubelet, or a program that has one in it, runs."""
        return any(map(runtimes.runs, ("kubelet", "k3s-server", "k3s-agent", "rke2", "k0s", "microshift")))

    @Once
    def record(self) -> Record | None:
        """What the kubelet has written down. Raises `OSError` and `UnreadableError`."""
        self.reach(self.kubelet.directory)
        return record.read(self.kubelet.directory)

    @Once
    def boot_time(self) -> float:
        """When the kernel started, in seconds since the epoch; 0 where nothing tells."""
        return boot_time(self.asked.proc)

    def command(self, *words: str) -> str:
        """Return a command line of ours that is about the same places as this look."""
        asked = self.asked
        given = (("--config", asked.config), ("--state-dir", asked.state_dir))
        options = [word for name, value in given if value for word in (name, value)]
        if asked.spec_dirs:
            options += ["--spec-dir", self.spec_dir]
        return command("cdi-sync", *options, *words)

    def look(self, path: str) -> os.stat_result | None:
        """Return what stands at a path, a link not followed; ``None`` where nothing does. Raises `OSError`."""
        if path not in self._looks:
            try:
                self._looks[path] = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError, ValueError):
                self._looks[path] = None
        return self._looks[path]
