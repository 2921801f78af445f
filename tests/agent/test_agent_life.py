"""The running agent through an ordinary life: start, drift, configuration changes, trouble with the disk, end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from agent.store import LOCK_NAME
from tests.agent.nested import nested
from tests.agent.running import PROGRAM, Agent, context_switches, devices, eventually, once, reading, spec, spec_file
from tests.real.devices import machine, make_node, tmpfs
from tests.removal import remove

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.root

KIND = "acme.com/thing"


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
def spec_dir(tmp_path: Path) -> Path:
    return tmp_path / "cdi"


@pytest.fixture
def agent(config: Path, spec_dir: Path, tmp_path: Path) -> Iterator[Agent]:
    with Agent(config, spec_dir, tmp_path / "log") as running:
        running.wait_ready()
        yield running


def class_of(nodes: Path, kind: str = KIND, more: str = "") -> str:
    return f'[[class]]\nkind = "{kind}"\nname = "{{sysname}}"\n{more}[[class.select]]\ndevnode = "{nodes}/*"\n'


def test_nodes_that_come_and_go_without_a_uevent_are_followed(agent: Agent, nodes: Path) -> None:
    agent.wait_devices(KIND, {"a"})
    make_node(nodes / "b", 1, 5)
    agent.wait_devices(KIND, {"a", "b"})
    (nodes / "a").unlink()
    agent.wait_devices(KIND, {"b"})
    (nodes / "b").unlink()
    eventually(lambda: not spec_file(agent.spec_dir, KIND).exists())


def test_the_directory_of_a_pattern_may_come_later_and_be_replaced(agent: Agent, nodes: Path) -> None:
    agent.wait_devices(KIND, {"a"})
    nodes.rename(nodes.with_name("away"))
    agent.wait_devices(KIND, set())
    nodes.mkdir()
    make_node(nodes / "c", 1, 3)
    agent.wait_devices(KIND, {"c"})
    make_node(nodes / "d", 1, 3)
    agent.wait_devices(KIND, {"c", "d"})


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_text("junk"),
        lambda path: path.unlink(),
        lambda path: path.chmod(0o600),
        lambda path: path.rename(path.with_name("other.txt")),
        lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
    ],
    ids=["edited", "deleted", "mode changed", "renamed", "replaced by a link"],
)
def test_a_spec_of_ours_that_is_harmed_is_put_back(agent: Agent, harm: object) -> None:
    path = spec_file(agent.spec_dir, KIND)
    good = path.read_bytes()
    harm(path)  # type: ignore[operator]
    eventually(lambda: path.is_file() and not path.is_symlink() and path.read_bytes() == good)
    eventually(lambda: path.stat().st_mode & 0o777 == 0o644)


def test_files_of_others_are_left_alone(agent: Agent, nodes: Path) -> None:
    foreign = {"vendor.json": "{}", "cdi-sync.json": "x", "acme.yaml": "kind: [", ".hidden.json": ""}
    for name, text in foreign.items():
        (agent.spec_dir / name).write_text(text)
    make_node(nodes / "b", 1, 5)
    agent.wait_devices(KIND, {"a", "b"})
    assert {name: (agent.spec_dir / name).read_text() for name in foreign} == foreign


def test_a_name_that_another_spec_of_the_directory_defines_is_left_to_it(agent: Agent, nodes: Path) -> None:
    theirs = {"cdiVersion": "0.5.0", "kind": KIND, "devices": [{"name": "b", "containerEdits": {"env": ["A=1"]}}]}
    (agent.spec_dir / "theirs.json").write_text(json.dumps(theirs))
    make_node(nodes / "b", 1, 5)
    agent.wait_log("theirs.json defines acme.com/thing=b")
    assert devices(agent.spec_dir, KIND) == {"a"}
    (agent.spec_dir / "theirs.json").unlink()
    agent.wait_devices(KIND, {"a", "b"})


def test_a_changed_configuration_is_picked_up(agent: Agent, config: Path, nodes: Path) -> None:
    config.write_text(class_of(nodes, "acme.com/other"))
    agent.wait_devices("acme.com/other", {"a"})
    eventually(lambda: not spec_file(agent.spec_dir, KIND).exists())


def test_a_node_that_comes_while_a_new_class_is_taken_up(agent: Agent, config: Path, nodes: Path) -> None:
    place, written = nodes.parent / "more", nodes.parent / "written.toml"
    place.mkdir()
    make_node(place / "first", 1, 3)
    written.write_text(config.read_text() + class_of(place, "acme.com/more"))
    time.sleep(1)  # the passes of the start are over
    written.rename(config)  # one event, and one pass
    while not spec_file(agent.spec_dir, "acme.com/more").exists():  # to look now and then would be too late
        pass
    make_node(place / "second", 1, 3)
    agent.wait_devices("acme.com/more", {"first", "second"})


def test_a_pattern_below_the_configuration_s_own_directory(agent: Agent, config: Path) -> None:
    """That directory matters for two reasons, and what is below it for one of them."""
    place = config.parent / "more"
    place.mkdir()
    config.write_text(class_of(config.parent / "*", "acme.com/more"))
    names: set[str] = set()
    for name in ("one", "two", "three"):  # the first ones may be seen by the pass that the configuration causes
        names.add(make_node(place / name, 1, 3).name)
        agent.wait_devices("acme.com/more", names)


def test_directories_deeper_than_python_recurses(agent: Agent, config: Path, nodes: Path) -> None:
    deep = nodes.parent / "deep"
    deep.mkdir()
    with nested(deep, 1500):
        config.write_text(class_of(deep / "**", "acme.com/more"))
        agent.wait_log("configuration loaded")
        make_node(deep / "a" / "a" / "one", 1, 3)
        agent.wait_devices("acme.com/more", {"one"})
    assert agent.process.poll() is None


def test_a_broken_configuration_is_refused_whole_and_the_last_good_one_stays(
    agent: Agent, config: Path, nodes: Path
) -> None:
    config.write_text(class_of(nodes, "acme.com/other") + '[agent]\nspec_dri = "/x"\n')
    agent.wait_log(f"{config}:7:1: agent.spec_dri: unknown key; did you mean 'spec_dir'?")
    agent.wait_log("the last good one stays in force")
    make_node(nodes / "b", 1, 5)
    agent.wait_devices(KIND, {"a", "b"})
    config.write_text(class_of(nodes, "acme.com/other"))
    agent.wait_devices("acme.com/other", {"a", "b"})


def test_a_configuration_behind_links_is_followed_when_the_directory_is_swapped(
    tmp_path: Path, nodes: Path, spec_dir: Path
) -> None:
    mount = tmp_path / "mount"
    mount.mkdir(mode=0o700)
    for version, kind in (("..v1", KIND), ("..v2", "acme.com/other")):
        (mount / version).mkdir()
        (mount / version / "config.toml").write_text(class_of(nodes, kind))
    (mount / "..data").symlink_to("..v1")
    (mount / "config.toml").symlink_to("..data/config.toml")
    with Agent(mount / "config.toml", spec_dir, tmp_path / "log") as agent:
        agent.wait_devices(KIND, {"a"})
        (mount / "..new").symlink_to("..v2")
        (mount / "..new").rename(mount / "..data")
        agent.wait_devices("acme.com/other", {"a"})


def test_sighup_reads_the_configuration_again_and_keeps_running(agent: Agent) -> None:
    agent.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert agent.process.poll() is None
    assert devices(agent.spec_dir, KIND) == {"a"}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_agent_leaves_its_specs(agent: Agent, how: signal.Signals) -> None:
    assert agent.end(how) == 0
    assert devices(agent.spec_dir, KIND) == {"a"}
    assert "Traceback" not in agent.log


def test_a_second_writer_is_refused_and_told_of_the_first(agent: Agent, config: Path, tmp_path: Path) -> None:
    refused = once(config, agent.spec_dir)
    assert refused.returncode == 1
    assert f"is kept by process {agent.process.pid} (" in refused.stderr
    second = Agent(config, agent.spec_dir, tmp_path / "second")
    with second:
        assert second.process.wait(timeout=20) == 1
    assert f"is kept by process {agent.process.pid} (" in second.log
    assert once(config, agent.spec_dir, "--check").returncode == 0
    assert once(config, agent.spec_dir, "--dry-run").returncode == 0


def test_a_start_with_a_broken_configuration_ends_with_2_and_writes_nothing(
    config: Path, spec_dir: Path, tmp_path: Path
) -> None:
    config.write_text("[agent\n")
    with Agent(config, spec_dir, tmp_path / "log") as agent:
        assert agent.process.wait(timeout=20) == 2
    assert f"{config}:1:7: this is not TOML" in agent.log
    assert not spec_dir.exists()


def test_a_full_disk_is_one_error_leaves_old_specs_whole_and_heals_by_itself(
    config: Path, nodes: Path, tmp_path: Path
) -> None:
    with tmpfs(tmp_path / "small", 64 * 1024) as small, Agent(config, small / "cdi", tmp_path / "log") as agent:
        agent.wait_devices(KIND, {"a"})
        old = spec_file(agent.spec_dir, KIND).read_bytes()
        ballast = fill(small)
        for number in range(100):
            make_node(nodes / f"n{number}", 1, 3)
        agent.wait_log("cannot be written: no space left on device; free some space")
        time.sleep(1.5)  # a retry or two
        assert agent.log.count("no space left") == 1
        assert spec_file(agent.spec_dir, KIND).read_bytes() == old
        eventually(lambda: not list(agent.spec_dir.glob(".cdi-sync+*")))  # but while it tries
        ballast.unlink()
        agent.wait_devices(KIND, {"a", *(f"n{number}" for number in range(100))})
        agent.wait_log("recovered")


def fill(directory: Path) -> Path:
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 512)
        except OSError:
            return ballast


def test_events_while_the_disk_is_full_do_not_put_off_the_next_try(config: Path, nodes: Path, tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", 64 * 1024) as small, Agent(config, small / "cdi", tmp_path / "log") as agent:
        agent.wait_devices(KIND, {"a"})
        ballast = fill(small)
        for number in range(12):  # twelve tries in vain, of which the clock called for few
            make_node(nodes / f"b{number}", 1, 5)
            time.sleep(0.25)
        agent.wait_log("no space left on device")
        ballast.unlink()  # nothing tells of it
        agent.wait_devices(KIND, {"a", *(f"b{number}" for number in range(12))})  # within 20 s, not a minute


def test_declared_nodes_that_come_and_go_without_a_uevent_are_followed(nodes: Path, tmp_path: Path) -> None:
    config = tmp_path / "declared.toml"
    config.write_text(f"""
[agent]
state_dir = "{tmp_path}/state"
[[class]]
kind = "{KIND}"
[[class.device]]
name = "b"
containerEdits.deviceNodes = [{{ path = "{nodes}/b" }}]
""")
    with Agent(config, tmp_path / "cdi", tmp_path / "log") as agent:
        agent.wait_devices(KIND, {"b"})
        for _ in range(2):
            make_node(nodes / "b", 1, 5)
            eventually(lambda: healthy(config) == {"b": True})
            (nodes / "b").unlink()
            eventually(lambda: healthy(config) == {"b": False})


def healthy(config: Path) -> dict[str, bool]:
    argv: list[str | Path] = [PROGRAM, "--config", config, "status", "--output", "json"]
    answer = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=20).stdout)
    return {device["name"]: device["condition"] == "present" for device in answer["classes"][0]["devices"]}


def test_an_agent_that_starts_on_a_full_disk_waits_for_room(config: Path, tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", 64 * 1024) as small:
        (small / "cdi").mkdir()
        ballast = fill(small)
        with Agent(config, small / "cdi", tmp_path / "log") as agent:
            agent.wait_log("no space left on device")
            ballast.unlink()
            agent.wait_devices(KIND, {"a"})


def test_a_directory_that_turns_read_only_is_one_error_and_heals_by_itself(
    config: Path, nodes: Path, tmp_path: Path
) -> None:
    with tmpfs(tmp_path / "disk", 1 << 20) as disk, Agent(config, disk, tmp_path / "log") as agent:
        agent.wait_devices(KIND, {"a"})
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        make_node(nodes / "b", 1, 5)
        agent.wait_log("read-only file system; mount it writable")
        assert devices(disk, KIND) == {"a"}
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        agent.wait_devices(KIND, {"a", "b"})
        assert agent.log.count("read-only file system; mount it writable") == 1


def test_a_spec_directory_that_vanishes_is_one_error_and_is_taken_up_when_it_is_back(agent: Agent, nodes: Path) -> None:
    away = agent.spec_dir.with_name("away")
    agent.spec_dir.rename(away)
    agent.wait_log(f"{agent.spec_dir}: cannot be written: no such file or directory")
    make_node(nodes / "b", 1, 5)
    assert devices(away, KIND) == {"a"}
    time.sleep(0.5)
    assert not agent.spec_dir.exists()
    away.rename(agent.spec_dir)
    agent.wait_devices(KIND, {"a", "b"})
    remove(agent.spec_dir)
    agent.wait_log("no such file or directory", times=3)
    agent.spec_dir.mkdir()
    agent.wait_devices(KIND, {"a", "b"})


def test_a_spec_directory_that_vanishes_while_the_agent_starts_does_not_end_it(
    config: Path, spec_dir: Path, tmp_path: Path
) -> None:
    for number in range(10):
        with Agent(config, spec_dir, tmp_path / f"log{number}") as agent:
            while not (spec_dir / LOCK_NAME).exists():  # to look now and then would be too late
                assert agent.process.poll() is None, agent.log
            spec_dir.rename(tmp_path / f"gone{number}")
            # Before it has the lock it makes the directory anew, and later it does not.
            eventually(lambda: spec_dir.exists() or f"error: {spec_dir}: " in agent.log, lambda: agent.log)
            spec_dir.mkdir(exist_ok=True)
            agent.wait_devices(KIND, {"a"})
            assert agent.end() == 0
        remove(spec_dir)


def test_two_agents_never_hold_one_directory_also_after_it_was_replaced(
    agent: Agent, config: Path, tmp_path: Path
) -> None:
    remove(agent.spec_dir)
    agent.spec_dir.mkdir()
    agent.wait_devices(KIND, {"a"})
    assert once(config, agent.spec_dir).returncode == 1


def test_readers_never_see_a_partial_file_while_hundreds_of_nodes_come_and_go(
    agent: Agent, nodes: Path, tmp_path: Path
) -> None:
    with reading(agent.spec_dir, tmp_path):
        for turn in range(8):
            for number in range(60):
                make_node(nodes / f"n{turn}-{number}", 1, 3)
            for number in range(0, 60, 2):
                (nodes / f"n{turn}-{number}").unlink()
        expected = {"a", *(f"n{turn}-{number}" for turn in range(8) for number in range(1, 60, 2))}
        agent.wait_devices(KIND, expected)


def test_an_agent_at_rest_is_never_woken(config: Path, tmp_path: Path) -> None:
    # In a directory of its own below one that nobody uses, and with nobody else making devices.
    with (
        tmpfs(tmp_path / "quiet", 1 << 20) as quiet,
        machine(),
        Agent(config, quiet / "cdi", tmp_path / "log") as agent,
    ):
        agent.wait_devices(KIND, {"a"})
        eventually(lambda: settled(agent.process.pid))
        # Others may mount something or make a device meanwhile, which is no fault of the agent: what polls is woken
        # every time.
        assert 0 in (woken(agent.process.pid, seconds=5) for _ in range(3))


def woken(pid: int, *, seconds: float) -> int:
    before = context_switches(pid)
    time.sleep(seconds)
    return context_switches(pid) - before


def settled(pid: int) -> bool:
    before = context_switches(pid)
    time.sleep(0.5)
    return context_switches(pid) == before


def test_hostile_names_of_nodes_end_up_harmless(agent: Agent, nodes: Path) -> None:
    for name in ("-..", "new\nline", "esc\x1b[31m", "x" * 255, "ünïcode", "a:::b"):
        make_node(nodes / name, 1, 3)
    os.mknod(os.fsencode(nodes) + b"/\xff\xfe", 0o20600, os.makedev(1, 3))
    eventually(lambda: len(devices(agent.spec_dir, KIND)) >= 5)
    document = spec(agent.spec_dir, KIND)
    assert document is not None
    for device in document["devices"]:
        assert device["name"].isascii()
        assert device["name"].isprintable()
        assert len(device["name"]) <= 56
        assert "::" not in device["name"]
        (node,) = device["containerEdits"]["deviceNodes"]
        assert node["path"].isprintable()
    assert "\x1b" not in agent.log
