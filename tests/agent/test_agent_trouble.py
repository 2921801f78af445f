"""The running agent in trouble: mounts, links, editors, limits and signals that come at the wrong moment."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent import signals
from tests.agent.running import PROGRAM, Agent, devices, eventually, spec_file
from tests.real import parts
from tests.real.devices import make_node, tmpfs
from tests.real.udev import without_libudev
from tests.removal import remove
from tests.shortage import few_descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

KIND, OTHER = "acme.com/thing", "acme.com/other"


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    """A directory with one device node, `a`."""
    directory = tmp_path / "dev"
    directory.mkdir()
    make_node(directory / "a", 1, 3)
    return directory


@pytest.fixture
def config(tmp_path: Path, nodes: Path) -> Path:
    directory = tmp_path / "etc"
    directory.mkdir(mode=0o700)
    path = directory / "config.toml"
    path.write_text(class_of(nodes))
    return path


@pytest.fixture
def agent(config: Path, tmp_path: Path) -> Iterator[Agent]:
    with Agent(config, tmp_path / "cdi", tmp_path / "log") as running:
        running.wait_devices(KIND, {"a"})
        yield running


def class_of(nodes: Path, kind: str = KIND, more: str = "", name: str = "{sysname}") -> str:
    return f'[[class]]\nkind = "{kind}"\nname = "{name}"\n[[class.select]]\ndevnode = "{nodes}/*"\n{more}'


def swap(link: Path, target: Path | str) -> None:
    """Let a link point elsewhere, at once."""
    new = link.with_name("new-link")
    new.symlink_to(target)
    new.rename(link)


def test_a_file_system_mounted_over_the_spec_directory_is_filled_at_once_and_so_is_what_is_below_it(
    agent: Agent,
) -> None:
    with tmpfs(agent.spec_dir, 1 << 20):
        agent.wait_devices(KIND, {"a"})
        spec_file(agent.spec_dir, KIND).unlink()
        agent.wait_devices(KIND, {"a"})
        subprocess.run(["umount", "--lazy", agent.spec_dir], check=True)
        spec_file(agent.spec_dir, KIND).unlink()
        agent.wait_devices(KIND, {"a"})
        subprocess.run(["mount", "-t", "tmpfs", "none", agent.spec_dir], check=True)
        agent.wait_devices(KIND, {"a"})


def test_nodes_on_a_file_system_that_is_mounted_and_unmounted_come_and_go(agent: Agent, nodes: Path) -> None:
    with tmpfs(nodes, 1 << 20):
        agent.wait_devices(KIND, set())
        make_node(nodes / "b", 1, 5)
        agent.wait_devices(KIND, {"b"})
    agent.wait_devices(KIND, {"a"})


def test_a_link_in_the_middle_of_the_way_to_the_spec_directory_may_be_swapped(config: Path, tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        (tmp_path / version / "cdi").mkdir(parents=True)
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "current"
    link.symlink_to(tmp_path / "v1")
    with Agent(config, link / "cdi", tmp_path / "log") as agent:
        agent.wait_devices(KIND, {"a"})
        swap(link, tmp_path / "v2")
        eventually(lambda: devices(tmp_path / "v2/cdi", KIND) == {"a"})


def test_a_configuration_behind_two_links_is_followed_wherever_it_changes(
    agent: Agent, config: Path, nodes: Path, tmp_path: Path
) -> None:
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir(mode=0o700)
        (tmp_path / version / "c.toml").write_text(class_of(nodes, f"acme.com/{version}"))
    (tmp_path / "links").mkdir()
    middle = tmp_path / "links" / "middle"
    middle.symlink_to(tmp_path / "v1/c.toml")
    swap(config, middle)
    agent.wait_devices("acme.com/v1", {"a"})
    (tmp_path / "v1/c.toml").write_text(class_of(nodes, OTHER))
    agent.wait_devices(OTHER, {"a"})
    swap(middle, tmp_path / "v2/c.toml")
    agent.wait_devices("acme.com/v2", {"a"})


def test_a_configuration_refused_for_its_directory_is_taken_when_the_directory_is_put_right(
    agent: Agent, config: Path, nodes: Path
) -> None:
    config.parent.chmod(0o777)
    config.write_text(class_of(nodes, OTHER))
    agent.wait_log("can be written by others (mode 0777)")
    assert devices(agent.spec_dir, KIND) == {"a"}
    config.parent.chmod(0o700)
    agent.wait_devices(OTHER, {"a"})


def test_a_configuration_is_not_taken_while_somebody_is_still_writing_it(
    agent: Agent, config: Path, nodes: Path
) -> None:
    removed = f"removed {spec_file(agent.spec_dir, KIND)}"
    text = class_of(nodes)
    with config.open("w") as file:  # empty from here on, which means: no class at all
        for number in range(100):
            file.write(f"# {number}\n")
            file.flush()
            time.sleep(0.01)
        file.write(f"{text}{class_of(nodes, OTHER)}")
    agent.wait_devices(OTHER, {"a"})
    assert removed not in agent.log


def test_an_exclude_by_a_link_applies_when_the_link_comes_later(agent: Agent, config: Path, nodes: Path) -> None:
    links = nodes.with_name("links")
    links.mkdir()
    config.write_text(class_of(nodes, OTHER, f'[[class.exclude]]\ndevnode = "{links}/*"\n'))
    agent.wait_devices(OTHER, {"a"})
    (links / "not-this").symlink_to(nodes / "a")
    agent.wait_devices(OTHER, set())
    (links / "not-this").unlink()
    agent.wait_devices(OTHER, {"a"})


def test_an_agent_without_a_free_descriptor_keeps_what_it_has_and_heals(
    agent: Agent, config: Path, nodes: Path
) -> None:
    with few_descriptors(3, agent.process.pid):
        make_node(nodes / "b", 1, 5)
        agent.wait_log("too many open files")
        config.write_text(class_of(nodes) + class_of(nodes, OTHER))
        agent.process.send_signal(signal.SIGHUP)
        agent.wait_log("configuration: cannot be read now: too many open files")
        assert devices(agent.spec_dir, KIND) == {"a"}
    agent.wait_devices(KIND, {"a", "b"})
    agent.wait_devices(OTHER, {"a", "b"})
    assert agent.end() == 0


def test_a_node_is_not_looked_at_with_the_last_descriptor_which_libudev_would_do_without(
    agent: Agent, nodes: Path
) -> None:
    taken = {int(name) for name in os.listdir(f"/proc/{agent.process.pid}/fd")}
    lowest = next(number for number in range(100) if number not in taken)
    with few_descriptors(lowest + 1, agent.process.pid):
        make_node(nodes / "b", 1, 5)
        agent.wait_log("this node: cannot be looked at: too many open files; see to the limits")
        assert devices(agent.spec_dir, KIND) == {"a"}
    agent.wait_devices(KIND, {"a", "b"})
    assert agent.end() == 0


def test_events_of_devices_while_no_descriptor_is_free_end_nobody(agent: Agent, nodes: Path) -> None:
    with few_descriptors(3, agent.process.pid):
        Path("/sys/class/mem/null/uevent").write_text("change")
        agent.wait_log("too many open files")
        make_node(nodes / "b", 1, 5)
    agent.wait_devices(KIND, {"a", "b"})
    assert agent.end() == 0


def test_the_form_of_the_log_changes_with_the_configuration(agent: Agent, config: Path, nodes: Path) -> None:
    config.write_text(f'[agent]\nlog = "json"\n{class_of(nodes, OTHER)}')
    agent.wait_devices(OTHER, {"a"})
    agent.wait_log('"message": "wrote ')
    config.write_text(class_of(nodes))
    agent.wait_devices(KIND, {"a"})
    agent.wait_log("\nwrote ")


def test_an_agent_short_of_memory_keeps_what_it_has_and_lives(agent: Agent, nodes: Path) -> None:
    used = next(line for line in Path(f"/proc/{agent.process.pid}/status").read_text().splitlines() if "VmSize" in line)
    _, hard = resource.prlimit(agent.process.pid, resource.RLIMIT_AS)
    # Without any room Python itself fails in odd ways, and the service manager has to start it anew.
    room = 1024 * 1024
    resource.prlimit(agent.process.pid, resource.RLIMIT_AS, (int(used.split()[1]) * 1024 + room, hard))
    for number in range(8000):
        make_node(nodes / f"{'n' * 100}{number}", 1, 3)
    agent.wait_log("this node: cannot be looked at: out of memory; see to the limits of this process")
    resource.prlimit(agent.process.pid, resource.RLIMIT_AS, (hard, hard))
    assert agent.process.poll() is None
    assert devices(agent.spec_dir, KIND) >= {"a"}
    assert agent.end() == 0


def limited(limit: str) -> list[str]:
    """Write a command that runs another with one limit of inotify at nothing, in a user namespace of its own."""
    parts.need("namespaces")
    return ["unshare", "--user", "--map-root-user", "sh", "-c", f'echo 0 >/proc/sys/user/{limit} && exec "$@"', "sh"]


def fewest_descriptors(agent: Agent) -> int:
    """Count the open files between two passes; in one there are more."""
    counts = []
    for _ in range(20):
        counts.append(len(os.listdir(f"/proc/{agent.process.pid}/fd")))
        time.sleep(0.02)
    return min(counts)


@pytest.mark.parametrize("limit", ["max_inotify_instances", "max_inotify_watches"])
def test_without_inotify_the_resync_finds_what_changed(config: Path, nodes: Path, tmp_path: Path, limit: str) -> None:
    config.write_text(f'[agent]\nresync = "1s"\n{class_of(nodes)}')
    with Agent(config, tmp_path / "cdi", tmp_path / "log", limited(limit)) as agent:
        agent.wait_devices(KIND, {"a"})
        make_node(nodes / "b", 1, 5)
        agent.wait_devices(KIND, {"a", "b"})
        before = fewest_descriptors(agent)
        time.sleep(3)  # three passes, each of which tries again
        assert fewest_descriptors(agent) <= before
        assert agent.log.count("raise fs.inotify.max_user_instances") <= 6  # once for each directory
        assert "changes there are seen at the next resync" in agent.log
        assert agent.end() == 0


def test_without_libudev_it_says_so_once_and_still_serves(config: Path, nodes: Path, tmp_path: Path) -> None:
    with Agent(config, tmp_path / "cdi", tmp_path / "log", under=without_libudev()) as agent:
        agent.wait_devices(KIND, {"a"})
        agent.wait_log("warning: libudev: cannot be used, so no event tells of devices")
        make_node(nodes / "b", 1, 5)  # that of a directory does
        agent.wait_devices(KIND, {"a", "b"})
        assert agent.log.count("warning: libudev:") == 1
        assert agent.end() == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_agent_that_waits_for_a_burst_to_end_stops_at_once(
    config: Path, nodes: Path, tmp_path: Path, how: signal.Signals
) -> None:
    config.write_text(f'[agent]\nsettle = "5m"\n{class_of(nodes)}')
    with Agent(config, tmp_path / "cdi", tmp_path / "log") as agent:
        agent.wait_devices(KIND, {"a"})
        make_node(nodes / "b", 1, 5)
        time.sleep(0.2)
        assert agent.end(how) == 0


def test_control_c_at_any_moment_ends_it_without_a_word_from_python(config: Path, tmp_path: Path) -> None:
    for delay in (0.1, 0.15, 0.2, 0.25, 0.3, 0.4):
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                [PROGRAM, "--config", config, "--spec-dir", tmp_path / "cdi"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=20) in (0, 130, -signal.SIGINT)
    log_text = (tmp_path / "log").read_text()
    assert "agent/config" not in log_text
    assert "pydantic" not in log_text


def test_storms_of_signals_change_nothing(agent: Agent, nodes: Path) -> None:
    for _ in range(50):
        for number in (signal.SIGHUP, signal.SIGSTOP, signal.SIGCONT):
            agent.process.send_signal(number)
        time.sleep(0.005)
    make_node(nodes / "b", 1, 5)
    agent.wait_devices(KIND, {"a", "b"})
    assert "error" not in agent.log
    agent.process.send_signal(signal.SIGHUP)
    assert agent.end() == 0


def test_a_signal_is_heeded_also_when_the_pipe_of_the_loop_is_full(capfd: pytest.CaptureFixture[str]) -> None:
    async def storm() -> None:
        heard = asyncio.Event()
        signals.heed({signal.SIGUSR1: heard.set})
        loop = asyncio.get_running_loop()
        for _ in range(10_000):  # as many threads that saw something would
            loop.call_soon_threadsafe(int)
        signal.raise_signal(signal.SIGUSR1)
        await heard.wait()

    asyncio.run(asyncio.wait_for(storm(), 20))
    assert capfd.readouterr().err == ""


def test_many_that_start_at_once_leave_one_holder_and_no_strange_word(config: Path, tmp_path: Path) -> None:
    for turn in range(3):
        spec_dir = tmp_path / f"cdi{turn}" / "deep"
        argv: list[str | Path] = [PROGRAM, "--once", "--config", config, "--spec-dir", spec_dir]
        started = [
            subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(6)
        ]
        for process in started:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0 or "is kept by" in errors, errors
        assert devices(spec_dir, KIND) == {"a"}
        assert [path.name for path in spec_dir.iterdir()] == [spec_file(spec_dir, KIND).name]
        remove(spec_dir.parent)
