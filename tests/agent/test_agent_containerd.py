"""First light: a real device appears, the agent writes its spec, a real containerd starts a container that opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.running import Agent, devices, eventually
from tests.agent.test_agent_kernel import name_of
from tests.real.containerd import Containerd
from tests.real.cri import CRIError
from tests.real.devices import kernel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.containerd import Version

pytestmark = [pytest.mark.root, pytest.mark.real]

# A shell's redirection would make a plain file where the node is missing; dd must be told not to.
OPENS = (
    "test -b {node} && dd if={node} of=/dev/null bs=512 count=1 && "
    "dd if=/dev/zero of={node} bs=512 count=1 conv=notrunc"
)


def config_of(path: Path, kind: str, name: str, select: str) -> Path:
    path.write_text(f"""
[[class]]
kind = "{kind}"
name = "{name}"
[[class.select]]
{select}
[class.containerEdits]
env = ["ACME_CLASS={kind}"]
""")
    return path


@pytest.mark.parametrize("version", ["1.7", "2"])
def test_a_device_that_appears_opens_in_a_container_and_is_refused_when_it_is_gone(
    version: Version, tmp_path: Path
) -> None:
    config = config_of(tmp_path / "config.toml", "acme.com/zram", "{sysname}", 'devnode = "/dev/zram*"')
    with (
        Containerd(version) as runtime,
        kernel() as machine,
        Agent(config, runtime.spec_dir, tmp_path / "log") as agent,
    ):
        agent.wait_ready()
        disk = machine.zram()
        eventually(lambda: disk.name in devices(agent.spec_dir, "acme.com/zram"))
        name = f"acme.com/zram={disk.name}"

        script = f"echo class=$ACME_CLASS; {OPENS.format(node=disk.node)}"
        inside = runtime.run(devices=[name], command=["sh", "-c", script])
        assert inside.exit_code == 0, inside.output
        assert "class=acme.com/zram" in inside.output

        without = runtime.run(command=["sh", "-c", f"test -e {disk.node}"])
        assert without.exit_code == 1

        disk.remove()
        eventually(lambda: disk.name not in devices(agent.spec_dir, "acme.com/zram"))
        with pytest.raises(CRIError, match=name):
            runtime.run(devices=[name], command=["true"])


@pytest.mark.parametrize("version", ["1.7", "2"])
def test_a_device_that_returns_under_another_number_opens_under_its_old_name(version: Version, tmp_path: Path) -> None:
    select = f'attributes = {{ "loop/backing_file" = "{tmp_path}/*" }}\nsubsystem = "block"'
    config = config_of(tmp_path / "config.toml", "acme.com/disk", "{attr:loop/backing_file}", select)
    name = name_of(tmp_path / "disk")
    with (
        Containerd(version) as runtime,
        kernel() as machine,
        Agent(config, runtime.spec_dir, tmp_path / "log") as agent,
    ):
        agent.wait_ready()
        first = machine.loop(tmp_path / "disk")
        agent.wait_devices("acme.com/disk", {name})
        container = runtime.create(devices=[f"acme.com/disk={name}"])
        container.start()
        assert container.execute("sh", "-c", OPENS.format(node=first.node)).exit_code == 0

        first.remove()
        agent.wait_devices("acme.com/disk", set())
        second = machine.loop(tmp_path / "disk", first.number + 50)
        agent.wait_devices("acme.com/disk", {name})

        container.restart()  # as the kubelet does: with the names that it was given long ago
        opened = container.execute("sh", "-c", OPENS.format(node=second.node))
        assert opened.exit_code == 0, opened.output
        assert container.execute("test", "-e", str(first.node)).exit_code == 1
        container.remove()
