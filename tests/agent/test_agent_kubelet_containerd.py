"""The whole chain: a real device, its spec, the kubelet's admission, and a real containerd that opens it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.agent.running import eventually
from tests.agent.site import KIND, PATIENT, wait_health
from tests.agent.test_agent_containerd import OPENS
from tests.agent.test_agent_kernel import name_of
from tests.real.containerd import Containerd
from tests.real.cri import CRIError
from tests.real.devices import kernel

if TYPE_CHECKING:
    from tests.agent.site import Site
    from tests.kubelet.kubelet import Kubelet
    from tests.real.containerd import Version
    from tests.real.devices import Zram

pytestmark = [pytest.mark.root, pytest.mark.real]

WITHIN = 0.2  # seconds from the device's end to a kubelet that knows of it
TRIES = 5


def zram_class(site: Site) -> str:
    return site.a_class().replace(f"{site.nodes}/*", "/dev/zram*")


@pytest.mark.parametrize("version", ["1.7", "2"])
def test_a_device_appears_is_admitted_opens_in_the_container_and_is_unhealthy_when_pulled(
    version: Version, site: Site
) -> None:
    site.configure(zram_class(site))
    with Containerd(version) as runtime, kernel() as machine:
        site.spec_dir = runtime.spec_dir
        with site.running() as (kubelet, _):
            disk = machine.zram()
            wait_health(kubelet, {disk.name: True})
            kubelet.admit("pod", "main", KIND)
            names = kubelet.replay("pod", "main")
            inside = runtime.run(devices=names, command=["sh", "-c", OPENS.format(node=disk.node)])
            assert inside.exit_code == 0, inside.output

            disk.remove()
            wait_health(kubelet, {disk.name: False})
            eventually(lambda: disk.name not in site.specified())  # the kubelet is told before its spec goes
            with pytest.raises(CRIError, match=names[0]):
                runtime.run(devices=kubelet.replay("pod", "main"), command=["true"])


def test_the_kubelet_knows_at_once_that_a_device_was_pulled(site: Site) -> None:
    """Once is enough: a machine may be busy with other things, and what takes long always takes long."""
    site.configure(zram_class(site))
    with kernel() as machine, site.running() as (kubelet, agent):
        agent.wait_ready()
        times = []
        for _ in range(TRIES):
            disk = machine.zram(size=0)
            eventually(lambda disk=disk: kubelet.health(KIND).get(disk.name) == "Healthy", seconds=PATIENT)  # type: ignore[misc]
            time.sleep(0.3)
            times.append(pulled(kubelet, disk))
        assert min(times) < WITHIN, times


def pulled(kubelet: Kubelet, disk: Zram) -> float:
    since = len(kubelet.journal)
    start = time.monotonic()
    disk.remove()
    kubelet.until(lambda: kubelet.health(KIND)[disk.name] == "Unhealthy", PATIENT)
    return kubelet.next("list", KIND, since=since).at - start


@pytest.mark.parametrize("version", ["1.7", "2"])
def test_a_container_restarts_with_the_answer_of_old_when_its_device_returns_under_another_number(
    version: Version, site: Site
) -> None:
    select = f'subsystem = "block"\nattributes = {{ "loop/backing_file" = "{site.place}/*" }}'
    site.configure(f'[[class]]\nkind = "{KIND}"\nname = "{{attr:loop/backing_file}}"\n[[class.select]]\n{select}\n')
    backing = site.place / "disk"
    name = name_of(backing)
    with Containerd(version) as runtime, kernel() as machine:
        site.spec_dir = runtime.spec_dir
        with site.running() as (kubelet, agent):
            first = machine.loop(backing)
            wait_health(kubelet, {name: True})
            kubelet.admit("pod", "main", KIND)
            answer = kubelet.replay("pod", "main")
            container = runtime.create(devices=answer)
            container.start()
            assert container.execute("sh", "-c", OPENS.format(node=first.node)).exit_code == 0

            first.remove()
            wait_health(kubelet, {name: False})
            agent.kill()  # and neither it nor the kubelet has to remember anything
            second = machine.loop(backing, first.number + 50)
            agent.start()
            kubelet.restart()
            wait_health(kubelet, {name: True})

            assert kubelet.replay("pod", "main") == answer
            container.restart()
            opened = container.execute("sh", "-c", OPENS.format(node=second.node))
            assert opened.exit_code == 0, opened.output
            assert container.execute("test", "-e", str(first.node)).exit_code == 1
            assert kubelet.admit("pod", "main", KIND) == {name}  # the same, not anew
            assert len(kubelet.journal.events("allocate", KIND)) == 1
            container.remove()
