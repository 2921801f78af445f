"""``cdi-sync setup`` on files that make it hard: what is kept, what is refused, what a kill leaves behind."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from agent.cli import main
from agent.setup import procedure, runtimes
from agent.setup.targets import Options
from tests.agent.users import NOBODY, as_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(sys.executable).with_name("cdi-sync")
BEFORE = '# mine\r\nversion = 2\r\n[plugins."io.containerd.grpc.v1.cri"] # here\r\n  sandbox_image = "x"'
LINE = "\r\n  enable_cdi = true"
"""What is added below the header; CRLF, as the file has it."""
AFTER = BEFORE.replace(" # here", " # here" + LINE)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    directory = tmp_path / "etc"
    directory.mkdir()
    (directory / "config.toml").write_bytes(BEFORE.encode())
    return directory


def setup(
    config: Path, state: Path, *more: str | Path, runtime: str = "containerd", version: str = "1.7"
) -> subprocess.CompletedProcess[str]:
    argv = command(config, state, *more, runtime=runtime, version=version)
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, env=environment(state))


def command(
    config: Path, state: Path, *more: str | Path, runtime: str = "containerd", version: str = "1.7"
) -> list[str | Path]:
    argv: list[str | Path] = [PROGRAM, "setup", runtime, "--config", config, "--runtime-version", version]
    return [*argv, "--state-dir", state, *more]


def environment(state: Path) -> dict[str, str]:
    """Leave no containerd in the path, so that nothing is asked but the files."""
    return {**os.environ, "PATH": "/nonexistent"}


def content(path: Path) -> str:
    return path.read_bytes().decode()


def test_owner_mode_and_labels_are_kept(etc: Path, tmp_path: Path) -> None:
    config = etc / "config.toml"
    config.chmod(0o640)
    os.setxattr(config, "user.note", b"kept")
    if os.geteuid() == 0:
        os.chown(config, 1234, 4321)
    before = config.stat()
    assert setup(config, tmp_path / "state").returncode == 0
    after = config.stat()
    assert content(config) == AFTER
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert os.getxattr(config, "user.note") == b"kept"
    assert os.listdir(etc) == ["config.toml"]
    assert setup(config, tmp_path / "state", "--revert").returncode == 0
    assert (content(config), stat.S_IMODE(config.stat().st_mode)) == (BEFORE, 0o640)
    assert os.getxattr(config, "user.note") == b"kept"


def test_an_selinux_label_is_kept(etc: Path, tmp_path: Path) -> None:
    config = etc / "config.toml"
    try:
        os.setxattr(config, "security.selinux", b"system_u:object_r:container_config_t:s0\0")
    except OSError as error:
        pytest.skip(f"no label can be set here: {error.strerror}")
    assert setup(config, tmp_path / "state").returncode == 0
    assert content(config) == AFTER
    assert os.getxattr(config, "security.selinux") == b"system_u:object_r:container_config_t:s0\0"


def test_the_originals_are_kept_for_root_alone(etc: Path, tmp_path: Path) -> None:
    setup(etc / "config.toml", tmp_path / "state")
    kept = tmp_path / "state" / "setup" / "containerd"
    assert content(kept / "0000.config.toml.before") == BEFORE
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.iterdir()} == {0o600}


def test_a_link_stays_a_link(etc: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "real.toml"
    target.parent.mkdir()
    (etc / "config.toml").rename(target)
    (etc / "config.toml").symlink_to("../elsewhere/real.toml")
    assert setup(etc / "config.toml", tmp_path / "state").returncode == 0
    assert os.readlink(etc / "config.toml") == "../elsewhere/real.toml"
    assert content(target) == AFTER
    assert setup(etc / "config.toml", tmp_path / "state", "--revert").returncode == 0
    assert content(target) == BEFORE


def test_a_second_name_is_not_parted(etc: Path, tmp_path: Path) -> None:
    os.link(etc / "config.toml", etc / "other.toml")
    result = setup(etc / "config.toml", tmp_path / "state")
    assert (result.returncode, content(etc / "config.toml")) == (1, BEFORE)
    assert "2 names" in result.stderr


@pytest.mark.parametrize("kind", ["directory", "fifo", "dangling link", "loop"])
def test_what_is_no_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere/x" if kind == "dangling link" else "config.toml")
    result = setup(path, tmp_path / "state")
    assert "Traceback" not in result.stderr
    if kind == "dangling link":
        assert (result.returncode, path.is_symlink(), path.exists()) == (0, True, True)
    else:
        assert (result.returncode, result.stderr[:6]) == (1, "error:")


def test_others_edits_survive_a_revert(etc: Path, tmp_path: Path) -> None:
    config = etc / "config.toml"
    setup(config, tmp_path / "state")
    config.write_bytes(AFTER.replace('"x"', '"y"').encode() + b"\r\n[debug]\r\n  level = 'warn'\r\n")
    result = setup(config, tmp_path / "state", "--revert")
    assert result.returncode == 0, result.stderr
    assert content(config) == BEFORE.replace('"x"', '"y"') + "\r\n[debug]\r\n  level = 'warn'\r\n"


def test_a_revert_says_what_it_cannot_take_back(etc: Path, tmp_path: Path) -> None:
    config = etc / "config.toml"
    setup(config, tmp_path / "state")
    others = AFTER.replace("enable_cdi = true", "enable_cdi = false")
    config.write_bytes(others.encode())
    result = setup(config, tmp_path / "state", "--revert")
    assert (result.returncode, content(config)) == (1, others)
    assert "changed by others" in result.stderr
    assert content(tmp_path / "state/setup/containerd/0000.config.toml.before") == BEFORE


def test_dry_runs_change_nothing(etc: Path, tmp_path: Path) -> None:
    config = etc / "config.toml"
    result = setup(config, tmp_path / "state", "--dry-run")
    assert "+  enable_cdi = true" in result.stdout
    assert (content(config), (tmp_path / "state").exists()) == (BEFORE, False)
    setup(config, tmp_path / "state")
    result = setup(config, tmp_path / "state", "--revert", "--dry-run")
    assert "-  enable_cdi = true" in result.stdout
    assert content(config) == AFTER


def test_json(etc: Path, tmp_path: Path) -> None:
    config = etc / "config.toml"
    document = json.loads(setup(config, tmp_path / "state", "--output", "json").stdout)
    schema = json.loads((Path(__file__).parents[2] / "schemas/output/setup.json").read_bytes())
    Draft202012Validator(schema).validate(document)
    assert document["changes"] == [{"path": str(config), "change": "edit"}]
    assert (document["applied"], document["restarted"], document["problems"]) == (True, False, [])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["setup", "containerd", "--runtime-version", "new"], 2, "no version"),
        (["setup", "containerd", "--root", "/", "--restart"], 2, "no daemon"),
        (["setup", "nothing"], 2, "invalid choice"),
    ],
)
def test_wrong_calls(arguments: list[str], code: int, words: str, tmp_path: Path) -> None:
    result = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, words in result.stderr) == (code, True), result.stderr


@pytest.mark.root
@pytest.mark.parametrize("lacks", ["the state directory", "the file"])
def test_an_ordinary_user_is_told_so(lacks: str, etc: Path, tmp_path: Path) -> None:
    config, state = etc / "config.toml", tmp_path / "state"
    if lacks == "the file":
        state.mkdir()
        os.chown(state, NOBODY, NOBODY)

    options = Options(
        runtime="containerd",
        spec_dir="/etc/cdi",
        state_dir=str(state),
        runtime_config=str(config),
        runtime_version="1.7",
    )
    target = runtimes.target(options)  # imports what nobody may not

    def action() -> str:
        report = procedure.apply(target, options)
        return f"{report.permitted} {report.problems[0]}"

    said = as_nobody(action, etc)
    assert said.startswith("False ")
    assert "run it as root" in said
    assert (content(config), os.listdir(etc)) == (BEFORE, ["config.toml"])


@contextmanager
def mounted(directory: Path, *options: str) -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("not root")
    done = subprocess.run(["mount", *options, str(directory)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


@pytest.mark.root
def test_another_file_system_and_a_full_one(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    with mounted(etc, "-t", "tmpfs", "-o", "size=16k", "tmpfs"):
        config = etc / "config.toml"
        config.write_bytes(BEFORE.encode())
        assert setup(config, tmp_path / "state").returncode == 0
        assert setup(config, tmp_path / "state", "--revert").returncode == 0
        (etc / "filler").write_bytes(b"x" * 4096)
        with pytest.raises(OSError, match="No space"):
            (etc / "more").write_bytes(b"x" * 65536)
        result = setup(config, tmp_path / "state")
        assert (result.returncode, content(config)) == (1, BEFORE)
        assert "no space" in result.stderr
        assert sorted(os.listdir(etc)) == ["config.toml", "filler", "more"]
        (etc / "more").unlink()
        assert setup(config, tmp_path / "state").returncode == 0
        assert content(config) == AFTER


@pytest.mark.root
def test_a_full_state_directory_changes_nothing(etc: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with mounted(state, "-t", "tmpfs", "-o", "size=4k,nr_inodes=3", "tmpfs"):
        result = setup(etc / "config.toml", state)
        assert (result.returncode, content(etc / "config.toml")) == (1, BEFORE)
        assert "no space" in result.stderr


@pytest.mark.root
def test_a_read_only_file_system(etc: Path, tmp_path: Path) -> None:
    with mounted(etc, "--bind", str(etc)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(etc)], check=True)
        result = setup(etc / "config.toml", tmp_path / "state")
        assert (result.returncode, content(etc / "config.toml")) == (1, BEFORE)
        assert "read-only file system" in result.stderr
    assert setup(etc / "config.toml", tmp_path / "state").returncode == 0


@pytest.mark.root
def test_a_file_that_is_a_mount_of_its_own(etc: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(BEFORE.encode())
    with mounted(etc / "config.toml", "--bind", str(source)):
        result = setup(etc / "config.toml", tmp_path / "state")
        assert (result.returncode, content(etc / "config.toml")) == (1, BEFORE)
        assert "mount of its own" in result.stderr


@pytest.mark.root
def test_an_immutable_file(etc: Path, tmp_path: Path) -> None:
    config = etc / "config.toml"
    if os.geteuid() != 0 or subprocess.run(["chattr", "+i", str(config)], capture_output=True, check=False).returncode:
        pytest.skip("no file can be made immutable here")
    try:
        result = setup(config, tmp_path / "state")
        assert (result.returncode, content(config)) == (4, BEFORE)
        assert "chattr -i" in result.stderr
        assert os.listdir(etc) == ["config.toml"]
    finally:
        subprocess.run(["chattr", "-i", str(config)], check=True)
    assert setup(config, tmp_path / "state").returncode == 0


_CHANGING = {"os.rename", "os.mkdir", "os.remove", "os.chmod", "os.chown", "os.setxattr", "os.rmdir", "os.truncate"}


def here(config: Path, state: Path, *more: str) -> int:
    """Run setup in this process."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        return main([str(word) for word in command(config, state, *more)[1:]])


def killed_at(moment: int, config: Path, state: Path, *more: str) -> int:
    """Run setup in a child that is killed with SIGKILL just before its n-th call that changes a file system."""
    child = os.fork()
    if child == 0:
        calls = itertools.count(1)

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if (writes or event in _CHANGING) and next(calls) == moment:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(hook)
            os._exit(here(config, state, *more))
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("more", [(), ("--revert",)], ids=["apply", "revert"])
def test_killed_before_every_single_call(more: tuple[str, ...], tmp_path: Path) -> None:
    for moment in range(1, 60):
        etc, state = tmp_path / str(moment) / "etc", tmp_path / str(moment) / "state"
        etc.mkdir(parents=True)
        config = etc / "config.toml"
        config.write_bytes(BEFORE.encode())
        if more:
            assert here(config, state) == 0
        code = killed_at(moment, config, state, *more)
        assert content(config) in (BEFORE, AFTER)
        if moment % 2:  # what a kill left is either finished or taken back
            assert here(config, state) == 0
            assert content(config) == AFTER
        assert (here(config, state, "--revert"), content(config)) == (0, BEFORE), moment
        if code == 0:
            assert moment > (1 if more else 10)
            return
        assert code == -signal.SIGKILL
    pytest.fail("it never got to its end")


OFF = "version = 3\n[plugins.'io.containerd.cri.v1.runtime']\n  enable_cdi = false # no\n"


def tree(directory: Path) -> dict[str, bytes | None]:
    """Return every file and directory below one."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in directory.rglob("*")}


@pytest.mark.parametrize("more", [(), ("--revert",)], ids=["apply", "revert"])
def test_killed_between_several_files(more: tuple[str, ...], tmp_path: Path) -> None:
    """Containerd 2 gets a drop-in and an import: whatever was done of that, it can be finished and taken back."""
    for moment in range(1, 80):
        etc, state = tmp_path / str(moment) / "etc", tmp_path / str(moment) / "state"
        etc.mkdir(parents=True)
        config = etc / "config.toml"
        config.write_text(OFF)
        before, version = tree(etc), ("--runtime-version", "2.1")
        if more:
            assert here(config, state, *version) == 0
        code = killed_at(moment, config, state, *version, *more)
        assert content(config) in (OFF, f'version = 3\nimports = ["{etc}/conf.d/*-cdi-sync.toml"]{OFF[11:]}')
        if moment % 2:
            assert here(config, state, *version) == 0
            assert (etc / "conf.d" / "99-cdi-sync.toml").exists()
        assert here(config, state, *version, "--revert") == 0
        assert tree(etc) == before, moment
        if code == 0:
            return
    pytest.fail("it never got to its end")


def test_killed_at_any_time(etc: Path, tmp_path: Path) -> None:
    config, state = etc / "config.toml", tmp_path / "state"
    for attempt in range(8):
        with subprocess.Popen(command(config, state), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(0.2 + attempt * 0.03)
            process.kill()
        assert content(config) in (BEFORE, AFTER)
        assert setup(config, state, "--revert").returncode == 0
        assert content(config) == BEFORE


def test_two_at_once_do_not_mix(etc: Path, tmp_path: Path) -> None:
    config, state = etc / "config.toml", tmp_path / "state"
    running = [
        subprocess.Popen(command(config, state), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    ends = [(one.communicate()[1], one.returncode) for one in running]
    assert any(code == 0 for _, code in ends)
    assert all(code == 0 or "another cdi-sync" in said or "at this moment" in said for said, code in ends)
    assert content(config) == AFTER
    assert setup(config, state, "--revert").returncode == 0
    assert content(config) == BEFORE


def test_a_configuration_of_ours_is_told_from_the_runtimes(etc: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(f'[agent]\nspec_dir = "{tmp_path}/specs"\n')
    config = etc / "config.toml"
    argv: list[str | Path] = [PROGRAM, "--config", ours, "setup", "containerd", "--config", config]
    argv += ["--runtime-version", "1.7"]
    argv += ["--state-dir", tmp_path / "state"]
    subprocess.run(argv, check=True, capture_output=True, env=environment(tmp_path))
    assert f'cdi_spec_dirs = ["/etc/cdi", "/var/run/cdi", "{tmp_path}/specs"]' in content(config)

    image = tmp_path / "image"
    image.mkdir()
    (image / "ours.toml").write_text('[agent]\nspec_dir = "/srv/specs"\n')
    done = setup(Path("/ours.toml"), Path("/state"), "--root", image, "--dry-run")
    assert "/srv/specs" in done.stdout
