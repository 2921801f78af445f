"""The units as they are delivered, in a Debian booted with them and stand-ins for containerd and the kubelet."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agent.running import eventually
from tests.systemd.machine import UNITS, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.cell import Result

pytestmark = pytest.mark.real

CLASS = """[[class]]
kind = "acme.com/{0}"
[[class.device]]
name = "{0}"
containerEdits.deviceNodes = [{{ path = "/dev/{0}" }}]
"""
CONFIG = "/etc/cdi-sync/config.toml"
DROP_IN = "/etc/systemd/system/cdi-sync.service.d/test.conf"
RUNTIMES = ("containerd", "kubelet")

# When it starts, it notes what is in the spec directory.
STAND_IN = """
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'mkdir -p /run/saw; ls /etc/cdi > /run/saw/%N'
[Install]
WantedBy=multi-user.target
"""

ALLOWED = "done"
SANDBOX = {
    "open a device": ALLOWED,
    "open a device of another user": ALLOWED,
    "open a character device of a driver to come": "No such device or address",  # no driver, but no ban either
    "open a block device of a driver to come": "No such device or address",
    "make a device": "Operation not permitted",
    "hear uevents": ALLOWED,
    "use a local socket": ALLOWED,
    "use the network": "Address family not supported by protocol",
    "see which program a daemon is": ALLOWED,
    "leave a file to its owner": ALLOWED,
    "restart containerd": ALLOWED,
    "set the clock": "Operation not permitted",
    "read what udev knows": ALLOWED,
}
WRITABLE = ("/etc/cdi", "/run/cdi", "/var/run/cdi", "/var/lib/cdi-sync", "/run/cdi-sync", "/etc/containerd",
            "/var/lib/kubelet/device-plugins", "/var/lib/kubelet/plugins_registry")  # fmt: skip
READ_ONLY = ("/", "/boot", "/etc", "/etc/cdi-sync", "/home", "/opt/cdi-sync", "/root", "/sys/fs/cgroup", "/usr",
             "/var/lib")  # fmt: skip


@pytest.fixture(scope="module")
def node() -> Iterator[Machine]:
    files = {
        CONFIG: CLASS.format("zero"),
        DROP_IN: "[Service]\nWatchdogSec=5s\n",
        "/opt/cdi-sync/attempts.py": Path(__file__).with_name("attempts.py").read_text(),
        **{f"/etc/systemd/system/{name}.service": STAND_IN for name in RUNTIMES},
    }
    with Machine(files, ("cdi-sync.service", *(f"{name}.service" for name in RUNTIMES))) as booted:
        booted.run("systemctl", "is-system-running", "--wait")
        yield booted


def test_the_runtimes_start_when_the_specs_are_there(node: Machine) -> None:
    for name in RUNTIMES:
        assert node.read(f"/run/saw/{name}") == "cdi-sync+acme.com+zero.json\n"
        ready = int(node.property("cdi-sync", "ActiveEnterTimestampMonotonic"))
        assert 0 < ready <= int(node.property(name, "ExecMainStartTimestampMonotonic"))


def test_the_status_is_the_outcome_of_the_last_pass(node: Machine) -> None:
    assert node.property("cdi-sync", "StatusText").startswith("1 device of 1 kind: ")


def test_nothing_is_wrong_in_the_units(node: Machine) -> None:
    assert node.shell("systemd-analyze verify cdi-sync.service cdi-sync-once.service") == ""


@pytest.mark.parametrize(("unit", "drop_in"), [("cdi-sync", ""), ("cdi-sync", "metrics.conf"), ("cdi-sync-once", "")])
def test_the_exposure_is_small(node: Machine, unit: str, drop_in: str) -> None:
    text = (UNITS / f"{unit}.service").read_text()
    text += (UNITS / "cdi-sync.service.d" / drop_in).read_text() if drop_in else ""
    node.write(f"/run/judged/{unit}.service", text)
    answer = node.shell(f"systemd-analyze security --no-pager --offline=true /run/judged/{unit}.service")
    exposure = re.search(rf"Overall exposure level for {unit}.service: ([0-9.]+)", answer)
    assert exposure, answer
    assert float(exposure[1]) <= 2.5


def test_the_sandboxes_of_both_units_are_one() -> None:
    one, other = (
        (UNITS / f"{unit}.service").read_text().partition("# Files\n")[2] for unit in ("cdi-sync", "cdi-sync-once")
    )
    assert one
    assert _settings(one) == _settings(other)


def _settings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_sandbox_lets_do_what_is_needed_and_no_more(node: Machine) -> None:
    node.shell(
        "mknod /dev/late-character c 241 0; mknod /dev/late-block b 241 0; mknod -m 600 /dev/other c 1 5;"
        "chown 1:1 /dev/other; mkdir -p /run/udev /var/lib/kubelet/device-plugins /var/lib/kubelet/plugins_registry"
    )
    unit = (UNITS / "cdi-sync.service").read_text()
    sandbox = unit[unit.index("StateDirectory=") : unit.index("[Install]")]
    command = f"/opt/cdi-sync/bin/python3 /opt/cdi-sync/attempts.py {' '.join((*WRITABLE, *READ_ONLY))}"
    node.write("/run/systemd/system/probe.service", f"[Service]\nType=oneshot\nExecStart={command}\n{sandbox}")
    node.shell("systemctl daemon-reload; systemctl start probe")
    answer = next(line for line in node.journal("-u probe").splitlines() if line.startswith("{"))
    expected = SANDBOX | dict.fromkeys((f"write below {path}" for path in WRITABLE), ALLOWED)
    expected |= dict.fromkeys((f"write below {path}" for path in READ_ONLY), "Read-only file system")
    assert json.loads(answer) == expected


def test_what_the_kubelet_makes_later_can_be_written_to(node: Machine) -> None:
    since = node.property("cdi-sync", "MainPID")
    node.shell("rm -rf /var/lib/kubelet/*; mkdir /var/lib/kubelet/device-plugins /var/lib/kubelet/plugins_registry")
    for directory in ("device-plugins", "plugins_registry"):
        assert within_the_sandbox(node, f"touch /var/lib/kubelet/{directory}/socket").exit_code == 0
    assert "Read-only" in within_the_sandbox(node, "touch /var/lib/elsewhere").output
    assert node.property("cdi-sync", "MainPID") == since


def test_a_spec_directory_made_anew_is_written_to(node: Machine) -> None:
    """Its new place lies outside of the sandbox, which only a restart builds anew."""
    with restart(node):
        node.shell("mv /etc/cdi /etc/cdi.gone; mkdir /etc/cdi")
    assert node.shell("ls /etc/cdi") == "cdi-sync+acme.com+zero.json"


def within_the_sandbox(node: Machine, script: str) -> Result:
    """Run a script of the shell in the agent's own view of the file system."""
    return node.run("nsenter", f"--target={node.property('cdi-sync', 'MainPID')}", "--mount", "sh", "-ec", script)


def test_after_a_kill_it_comes_back(node: Machine) -> None:
    with restart(node):
        node.shell("systemctl kill --kill-whom=main --signal=KILL cdi-sync")
        assert node.read("/etc/cdi/cdi-sync+acme.com+zero.json")


def test_after_a_hang_it_comes_back(node: Machine) -> None:
    with restart(node):
        node.shell("systemctl kill --kill-whom=main --signal=STOP cdi-sync")
    assert "Watchdog timeout (limit 5s)!" in node.journal("-u cdi-sync")


@contextmanager
def restart(node: Machine) -> Iterator[None]:
    """Wait for one restart, and for its first pass."""
    before = int(node.property("cdi-sync", "NRestarts"))
    yield
    eventually(lambda: int(node.property("cdi-sync", "NRestarts")) == before + 1)
    eventually(lambda: node.property("cdi-sync", "ActiveState") == "active")


def test_a_reload_takes_a_new_configuration(node: Machine) -> None:
    node.write(CONFIG, CLASS.format("zero") + CLASS.format("null"))
    node.shell("systemctl reload cdi-sync")
    eventually(lambda: "acme.com+null" in node.shell("ls /etc/cdi"))
    assert node.property("cdi-sync", "StatusText").startswith("2 devices of 2 kinds: ")
    assert "Reloaded cdi-sync.service" in node.journal("-u cdi-sync")


def test_a_broken_configuration_changes_nothing_and_shows(node: Machine) -> None:
    before = node.shell("ls /etc/cdi")
    node.write(CONFIG, "[[clas]]\n")
    node.shell("systemctl reload cdi-sync")
    eventually(lambda: node.property("cdi-sync", "StatusText").startswith("the configuration is refused: "))
    assert node.property("cdi-sync", "ActiveState") == "active"
    assert node.shell("ls /etc/cdi") == before
    node.write(CONFIG, CLASS.format("zero"))
    eventually(lambda: node.property("cdi-sync", "StatusText").startswith("1 device of 1 kind: "))


def test_the_journal_knows_what_is_an_error(node: Machine) -> None:
    """After a configuration was refused."""
    errors = node.journal("-u cdi-sync", "--priority=err", "_COMM=cdi-sync")
    assert "error: the configuration is refused; the last good one stays in force" in errors.splitlines()
    assert "1 spec written" not in errors
    assert "1 device of 1 kind: 1 spec written" in node.journal("-u cdi-sync", "--priority=info..info").splitlines()


def test_json_stays_json_in_the_journal(node: Machine) -> None:
    node.write(CONFIG, '[agent]\nlog = "json"\n' + CLASS.format("zero") + CLASS.format("full"))
    wrote = '"message": "wrote /etc/cdi/cdi-sync+acme.com+full.json"'
    eventually(lambda: wrote in node.journal("-u cdi-sync", "--priority=info..info"))
    line = next(line for line in node.journal("-u cdi-sync").splitlines() if wrote in line)
    assert json.loads(line)["level"] == "info"


def test_it_stops_cleanly_and_the_specs_stay(node: Machine) -> None:
    before = node.shell("ls /etc/cdi")
    node.shell("systemctl stop cdi-sync")
    assert [node.property("cdi-sync", name) for name in ("Result", "ExecMainStatus")] == ["success", "0"]
    assert node.shell("ls /etc/cdi") == before
    node.shell("systemctl start cdi-sync")


def test_one_pass_without_the_agent(node: Machine) -> None:
    node.shell("rm /etc/cdi/*; systemctl start cdi-sync-once")
    assert node.property("cdi-sync", "ActiveState") == "inactive"
    assert "cdi-sync+acme.com+zero.json" in node.shell("ls /etc/cdi")
    node.shell("systemctl start cdi-sync")
    assert node.property("cdi-sync-once", "ActiveState") == "inactive"


def test_a_start_that_is_refused_is_an_error_in_the_journal(node: Machine) -> None:
    node.shell("systemctl stop cdi-sync")
    node.write(CONFIG, "[[clas]]\n")
    assert node.run("systemctl", "start", "cdi-sync").exit_code != 0
    assert "did you mean 'class'?" in node.journal("-u cdi-sync", "--priority=err", "-n 3")
    node.write(CONFIG, CLASS.format("zero"))
    eventually(lambda: node.property("cdi-sync", "ActiveState") == "active")


BOUND = 3.0  # seconds, instead of the unit's
SLACK = 20.0  # seconds, for a machine that is busy


def test_a_hang_in_the_first_pass_does_not_hold_the_boot_up() -> None:
    """The first process stops itself before it becomes the agent, so that nothing ever answers."""
    hang = f"""
[Service]
TimeoutStartSec={BOUND:.0f}s
ExecStart=
ExecStart=/bin/sh -c 'kill -STOP $$$$; exec /opt/cdi-sync/bin/cdi-sync'
"""
    files = {CONFIG: CLASS.format("zero"), DROP_IN: hang, "/etc/systemd/system/kubelet.service": STAND_IN}
    with Machine(files, ("cdi-sync.service", "kubelet.service")) as node:
        eventually(lambda: node.property("kubelet", "ActiveState") == "active", seconds=BOUND + SLACK)
        begun = int(node.property("kubelet", "ExecMainStartTimestampMonotonic"))
        booted = int(node.property("", "UserspaceTimestampMonotonic"))
        assert BOUND <= (begun - booted) / 1e6 < BOUND + SLACK
        assert "start operation timed out" in node.journal("-u cdi-sync")
        node.shell(f"rm {DROP_IN}; systemctl daemon-reload")
        eventually(lambda: node.property("cdi-sync", "ActiveState") == "active")
