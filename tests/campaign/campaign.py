"""The campaign: rounds of churn and faults against two agents, each judged when everything is undone.

The *victim* suffers everything. The *witness* is never killed, so that its growth can be seen over all rounds.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.campaign import invariants
from tests.campaign.churn import Churn, tell
from tests.campaign.events import Events
from tests.campaign.faults import FAULTS, FaultError, Trial
from tests.campaign.service import Service
from tests.campaign.site import KINDS, Shared, Site
from tests.kubelet.kubelet import Kubelet
from tests.kubelet.rules import HEALTHY
from tests.real import parts
from tests.real.devices import kernel
from tests.real.udev import Udevd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Set

    from tests.campaign.service import Size

RULE = 'SUBSYSTEM=="block", KERNEL=="loop*|zram*", ENV{CAMPAIGN_SERIAL}="serial-%k"'
_PATIENCE = 90.0  # seconds until all must be well again; the agent's own patience with a full disk is 60
_STILL = 0.4  # seconds in which an event that tells of nothing new would show in the files
_WITH_UDEVD = 4  # every so many rounds
_WARM = 20  # rounds after which nothing may grow any more
_GROWTH, _SLACK = 1.05, 1024  # factor, KiB


@dataclass
class Record:
    """What a campaign did and found; ``quiet`` are the seconds that each round took to be well again."""

    seed: int
    rounds: int = 0
    udevd_rounds: int = 0
    seconds: float = 0.0
    kills: int = 0
    starts: int = 0
    reads: int = 0
    lost: int = 0
    events: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    quiet: list[float] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        series = {name: [getattr(size, name) for size in self.sizes] for name in ("resident", "descriptors", "threads")}
        plain = {
            name: getattr(self, name) for name in ("seed", "rounds", "udevd_rounds", "kills", "starts", "reads", "lost")
        }
        return {
            **plain,
            "seconds": round(self.seconds, 1),
            "events": dict(sorted(self.events.items())),
            "events_in_all": self.events.total(),
            "faults": dict(sorted(self.faults.items())),
            "deaths": dict(self.deaths),
            "quiet": {"median": round(statistics.median(self.quiet), 2), "most": round(max(self.quiet), 2)}
            if self.quiet
            else {},
            "witness": series,
            "findings": self.findings,
        }


class Campaign:
    """Two agents and what is done to them, below the directory ``home``."""

    def __init__(self, home: Path, seed: int) -> None:
        self.home = home
        self.record = Record(seed)
        shared = Shared(home / "backing", home / "nodes")
        shared.backing.mkdir()
        shared.nodes.mkdir()
        (home / "spoilt").touch()
        self.shared = shared
        self.victim, self.witness = (Service(Site(name, home / name, shared)) for name in ("victim", "witness"))
        self._kubelets = {one: Kubelet(one.site.kubelet, one.site.registry) for one in (self.victim, self.witness)}
        self._judge: subprocess.Popen[str]
        self._measured = 0
        self._active: dict[Service, set[str]] = {self.victim: set(), self.witness: set()}

    def run(self, enough: Callable[[Record], bool], first: int = 0, tell_of: Callable[[Record], None] = print) -> None:
        """Run rounds until it is enough, the first of that number; tells of each."""
        begin = time.monotonic()
        with ExitStack() as running:
            running.enter_context(self._judging())
            running.enter_context(self._reading())
            for kubelet in self._kubelets.values():
                running.enter_context(kubelet)
            for service in self._active:
                service.start()
            while not enough(self.record):
                self._round(first + self.record.rounds)
                self.record.rounds += 1
                self.record.seconds = time.monotonic() - begin
                tell_of(self.record)
                time.sleep(0.1)  # whoever waits for the machine's devices gets them between two rounds
            self._end()
        self.record.findings += self._grown()
        self.record.kills = self.victim.kills
        self.record.starts = self.victim.starts

    def _round(self, number: int) -> None:
        rng = random.Random(f"{self.record.seed}:{number}")
        with ExitStack() as stack:
            udevd = self._udevd(stack) if number % _WITH_UDEVD == _WITH_UDEVD - 1 else None
            machine = stack.enter_context(kernel())
            events = Events()
            stack.callback(self._count, events)
            churn = Churn(machine, self.shared, rng, lies=udevd is None)
            stack.callback(churn.close)
            told = self._suffer(churn, events, rng, udevd.pid if udevd else 0)
            if udevd:
                udevd.settle()
            self._conclude(f"round {number}, {told}", churn)
        self._nudge()

    def _udevd(self, stack: ExitStack) -> Udevd | None:
        """Start udevd for a round; where somebody else has begun with /run/udev just now, go without."""
        with suppress(parts.MissingPartError):
            udevd = stack.enter_context(Udevd(RULE))
            self.record.udevd_rounds += 1
            return udevd
        return None

    def _count(self, events: Events) -> None:
        events.close()
        self.record.events += events.counts
        self.record.lost += events.lost

    def _suffer(self, churn: Churn, events: Events, rng: random.Random, udevd: int) -> str:
        """Let devices come and go while faults begin and end; returns what was done."""
        steps = rng.randrange(30, 80)
        plan: dict[int, list[Callable[[], None]]] = {}
        told = []
        with ExitStack() as undoing:
            for service in self._active:
                for name in _chosen(rng, udevd=bool(udevd), restarts=service is self.victim):
                    begin, end = sorted((rng.randrange(steps), rng.randrange(steps)))
                    trial = Trial(service, self._kubelets[service], random.Random(rng.random()), udevd)
                    active = _Active(self, name, trial)
                    undoing.callback(active.end)
                    plan.setdefault(begin, []).append(active.begin)
                    plan.setdefault(end, []).append(active.end)
                    told.append(f"{service.site.name}: {name} {begin}-{end}")
            for _ in range(rng.randrange(6)):
                plan.setdefault(rng.randrange(steps), []).append(self.victim.kill)
            for step in range(steps):
                for act in plan.get(step, ()):
                    act()
                self._tend()
                churn.step()
                events.take()
                time.sleep(rng.choice((0.0, 0.0, 0.001, 0.01, 0.05)))
        return "; ".join(told)

    def fault(self, text: str) -> None:
        """Note a finding."""
        self.record.findings.append(text)
        sys.stderr.write(f"{text}\n")

    def begun(self, service: Service, name: str) -> None:
        """Note that a fault is on."""
        self.record.faults[name] += 1
        self._active[service].add(name)

    def _tend(self) -> None:
        """Do as systemd does, and judge each end that nobody asked for."""
        for service, active in self._active.items():
            service.tend()
            self._account(service, active)

    def _account(self, service: Service, active: Set[str]) -> None:
        """Count how it ended, and find a fault with what none of the troubles explains."""
        while service.deaths:
            death = service.deaths.pop()
            because = [name for name in active if death.code in FAULTS[name].may_end]
            self.record.deaths[because[0] if because else "unexpected"] += 1
            if not because or "Traceback" in death.words:
                self.fault(f"the {service.site.name} ended by itself with {death.code} ({', '.join(active)}): "
                           f"{death.words}")  # fmt: skip

    def _conclude(self, told: str, churn: Churn) -> None:
        """Wait until all is well, as it must be before long; then nothing may change any more."""
        begin = time.monotonic()
        while (faults := self._ask("all") + self._unlike()) and time.monotonic() - begin < _PATIENCE:
            time.sleep(0.05)
            self._tend()
        self.record.quiet.append(time.monotonic() - begin)
        for fault in faults:
            self.fault(f"{told}: {fault}")
        for service, active in self._active.items():
            if "Traceback" in (words := service.news()):
                self.fault(f"{told}: {service.site.name} wrote {words[-3000:]}")
            active.clear()
        if faults:
            self._heal()
            return
        self._ask("remember")
        churn.storm()
        time.sleep(_STILL)
        for fault in self._ask("still"):
            self.fault(f"{told}: {fault}")
        if self.witness.pid != self._measured:  # it was taken for hung, and begun again
            self._measured = self.witness.pid
            self.record.sizes.clear()
        self.record.sizes.append(self.witness.size())

    def _unlike(self) -> list[str]:
        """Tell of each kubelet that takes other devices for healthy than exist."""
        wanted = set(self._ask("devices"))
        return [
            f"the kubelet of the {service.site.name} has {sorted(healthy ^ wanted)} wrong"
            for service, kubelet in self._kubelets.items()
            if (healthy := _healthy(kubelet)) != wanted
        ]

    def _heal(self) -> None:
        """Begin again, so that one fault does not hide the next."""
        for service in self._active:
            service.kill()
            service.start()

    def _nudge(self) -> None:
        """Wake the agents: udevd, if there was one, has gone, of which no event tells."""
        tell(Path("/sys/class/mem/null"))

    def _ask(self, what: str) -> list[str]:
        sites = [{"directory": str(one.site.spec_dir), "foreign": one.site.foreign(), "pid": one.pid}
                 for one in self._active]  # fmt: skip
        request = {
            "ask": what,
            "directories": [site["directory"] for site in sites],
            "backing": str(self.shared.backing),
            "nodes": str(self.shared.nodes),
            "sites": sites,
        }
        assert self._judge.stdin is not None
        assert self._judge.stdout is not None
        self._judge.stdin.write(json.dumps(request) + "\n")
        self._judge.stdin.flush()
        answer: list[str] = json.loads(self._judge.stdout.readline())
        return answer

    @contextmanager
    def _judging(self) -> Iterator[None]:
        argv = [sys.executable, "-I", "-S", invariants.__file__, "serve"]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as self._judge:
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Have another process read all specs meanwhile."""
        argv: list[str | Path] = [sys.executable, "-I", "-S", invariants.__file__, "read", self.home]
        argv += [service.site.spec_dir for service in self._active]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as reader:
            try:
                yield
            finally:
                (self.home / "stop").touch()
            output, _ = reader.communicate()
        found = json.loads(output)
        self.record.reads += found["reads"]
        self.record.findings += (f"read meanwhile: {fault}" for fault in found["faults"])

    def _end(self) -> None:
        """Stop both agents; their specs stay, and nothing else."""
        for service, active in self._active.items():
            if wrong := service.stop():
                self.fault(f"the {service.site.name} {wrong}")
            self._account(service, active)
            left = [path.name for path in service.site.spec_dir.iterdir() if path.name.startswith(".cdi-sync")]
            if left:
                self.fault(f"the {service.site.name} left {', '.join(left)}")

    def _grown(self) -> Iterator[str]:
        """Tell of what the witness holds more of than it did."""
        sizes = self.record.sizes[_WARM:]
        if len(sizes) < 2 * _WARM:
            return
        early, late = sizes[:_WARM], sizes[-_WARM:]
        for name, slack in (("resident", _SLACK), ("descriptors", 1), ("threads", 1)):
            before, after = (statistics.median(getattr(size, name) for size in part) for part in (early, late))
            if after > _GROWTH * before and after > before + slack:
                yield f"{name} of the witness grew from {before:.0f} to {after:.0f}"


class _Active:
    """One fault of a round, begun and undone once."""

    def __init__(self, campaign: Campaign, name: str, trial: Trial) -> None:
        self._campaign = campaign
        self._name = name
        self._trial = trial
        self._stack = ExitStack()
        self._ended = False

    def begin(self) -> None:
        if not self._ended:
            self._campaign.begun(self._trial.service, self._name)
            self._stack.enter_context(FAULTS[self._name].begin(self._trial))

    def end(self) -> None:
        self._ended = True
        try:
            self._stack.close()
        except FaultError as error:
            self._campaign.fault(f"{self._name}: {error}")


def _healthy(kubelet: Kubelet) -> set[str]:
    """Return the devices that a kubelet hands out, as resource and id; each has one share."""
    resources = (f"campaign.test/{kind}" for kind in KINDS)
    return {
        f"{resource}={name}"
        for resource in resources
        for name, health in kubelet.health(resource).items()
        if health == HEALTHY
    }


def _chosen(rng: random.Random, *, udevd: bool, restarts: bool) -> list[str]:
    """Choose a few faults, of each sort at most one."""
    names = [name for name, fault in FAULTS.items()
             if (udevd or fault.about != "udevd") and (restarts or not fault.restarts)]  # fmt: skip
    chosen: dict[str, str] = {}
    for name in rng.sample(names, rng.randrange(1, 5)):
        chosen.setdefault(FAULTS[name].about, name)
    return list(chosen.values())


def unmounted(home: Path) -> None:
    """Unmount everything below a directory."""
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        place = line.split()[1]
        if place.startswith(f"{home}/"):
            with suppress(subprocess.CalledProcessError):
                subprocess.run(["umount", "--lazy", place], check=True)
