"""A node's directories, with an agent and a kubelet on them, for tests of what the kubelet is offered."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.agent.running import Agent, devices, eventually
from tests.kubelet.kubelet import Kubelet
from tests.real.devices import make_node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIND = "acme.com/thing"
PATIENT = 60.0  # seconds for what takes milliseconds on a machine that has nothing else to do
NO_DRIVER = (300, 77)  # between the numbers that are assigned and those handed out at run time
HEALTHY, UNHEALTHY = "Healthy", "Unhealthy"


class Site:
    """Directories below one with a short path, since sockets lie there."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.nodes = place / "dev"
        self.spec_dir = place / "cdi"
        self.plugins = place / "device-plugins"
        self.registry = place / "plugins_registry"
        self.state_dir = place / "state"
        self.config = place / "etc" / "config.toml"
        self.nodes.mkdir()
        self.under: tuple[str, ...] = ()  # the command that the agent runs under
        self.config.parent.mkdir(mode=0o700)
        self.configure(self.a_class())

    def configure(self, *classes: str, kubelet: str = "", agent: str = "") -> None:
        """Write the configuration: classes, and more lines for the tables of the kubelet and of the agent."""
        self.config.write_text(
            f'[agent]\nstate_dir = "{self.state_dir}"\n{agent}\n'
            f'[kubelet]\ndirectory = "{self.plugins}"\n{kubelet}\n' + "".join(classes)
        )

    def a_class(self, kind: str = KIND, glob: str = "*", kubernetes: str = "", more: str = "") -> str:
        """A class of the nodes that the glob matches, by their names."""
        return (
            f'[[class]]\nkind = "{kind}"\nname = "{{sysname}}"\n{more}\n'
            f'[[class.select]]\ndevnode = "{self.nodes}/{glob}"\n[class.kubernetes]\n{kubernetes}\n'
        )

    def node(self, *names: str) -> None:
        """Make nodes of a device that every kernel has."""
        for name in names:
            make_node(self.nodes / name, 1, 3)

    def dead_node(self, name: str) -> None:
        """Make a node of a number that no driver has: it is there, and does not open."""
        make_node(self.nodes / name, *NO_DRIVER)

    def gone(self, *names: str) -> None:
        for name in names:
            (self.nodes / name).unlink()

    def kubelet(self, **more: Any) -> Kubelet:
        """A kubelet that is not yet running, strict as tests can be on a busy machine."""
        return Kubelet(self.plugins, **{"patience": 20.0, **more})

    def agent(self) -> Agent:
        """An agent that is not yet running."""
        return Agent(self.config, self.spec_dir, self.place / "log", self.under)

    @contextmanager
    def running(self, **more: Any) -> Iterator[tuple[Kubelet, Agent]]:
        """A kubelet and an agent, which have both done no wrong at the end."""
        with self.kubelet(**more) as kubelet, self.agent() as agent:
            yield kubelet, agent
            assert not kubelet.breaches, kubelet.breaches[:5]
            assert agent.process.poll() is None, agent.log
            assert "Traceback" not in agent.log

    def specified(self, kind: str = KIND) -> set[str]:
        """The devices of the spec as it stands on disk."""
        return devices(self.spec_dir, kind)


def wait_health(kubelet: Kubelet, expected: dict[str, bool], resource: str = KIND) -> None:
    """Wait until these are the devices that the kubelet knows of, healthy or not, from a plugin that lives."""
    health = {one: HEALTHY if healthy else UNHEALTHY for one, healthy in expected.items()}

    def told() -> bool:
        able = kubelet.allocatable(resource)
        return able == sum(expected.values()) and kubelet.health(resource) == health

    eventually(
        told,
        lambda: (
            f"{resource}: {kubelet.allocatable(resource)} allocatable of {kubelet.health(resource)}, not {expected}; "
            f"the journal ends: {[event.line() for event in kubelet.journal.events()[-15:]]}"
        ),
        PATIENT,
    )
