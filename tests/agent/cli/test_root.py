"""``--once --root``: the specs of an image, made where it is built."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from agent.cli import main
from tests.agent.running import PROGRAM
from tests.agent.users import NOBODY, as_nobody

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[[class]]
kind = "ihcsim.dev/kvm"
  [[class.device]]
  name = "kvm0"
  containerEdits.deviceNodes = [{ path = "/dev/kvm", permissions = "rw" }]
  [[class.device]]
  name = "never"
  containerEdits.deviceNodes = [{ path = "/dev/is-not-here" }]
  when = "always"

[[class]]
preset = "fuse"
"""
FILE = "cdi-sync+ihcsim.dev+kvm.json"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    root = tmp_path / "image"
    (root / "etc/cdi-sync/conf.d").mkdir(parents=True)
    for directory in (root, root / "etc", root / "etc/cdi-sync", root / "etc/cdi-sync/conf.d"):
        directory.chmod(0o755)
    (root / "etc/cdi-sync/config.toml").write_text(CONFIG)
    return root


def run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, "--once", *arguments], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_declared_devices_are_written_below_the_root_and_nothing_else_is(image: Path) -> None:
    done = run("--root", image)
    assert (done.returncode, done.stderr) == (0, f"2 devices of 1 kind: 1 spec written (in {image}/etc/cdi)\n")
    assert [line.split() for line in done.stdout.splitlines()[1:]] == [
        ["ihcsim.dev/kvm", "kvm0", "/dev/kvm", "declared"],
        ["ihcsim.dev/kvm", "never", "/dev/is-not-here", "declared"],
    ]
    assert os.listdir(image / "etc/cdi") == [FILE]


def test_a_second_run_writes_nothing(image: Path) -> None:
    run("--root", image)
    before = (image / "etc/cdi" / FILE).stat()
    assert run("--root", image, "--check").returncode == 0
    assert "nothing to change" in run("--root", image).stderr
    after = (image / "etc/cdi" / FILE).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_drop_ins_and_links_of_the_image_are_its_own(image: Path) -> None:
    (image / "data/specs").mkdir(parents=True)
    (image / "etc/cdi").symlink_to("/data/specs")
    (image / "data/more.toml").write_text('[agent]\nspec_dir = "/etc/cdi/here"\n')
    (image / "etc/cdi-sync/conf.d/10.toml").symlink_to("../../../../../../../data/more.toml")
    assert run("--root", image).returncode == 0
    assert os.listdir(image / "data/specs/here") == [FILE]


def test_an_image_without_configuration_gets_nothing_of_the_building_machine(tmp_path: Path) -> None:
    done = run("--root", tmp_path)
    assert (done.returncode, done.stdout) == (0, "KIND  DEVICE  NODE  STATE\n")
    assert not list((tmp_path / "etc/cdi").glob("*"))


def test_paths_of_the_command_line_are_the_images_too(image: Path) -> None:
    (image / "etc/other.toml").write_text(CONFIG.replace("kvm0", "kvm1"))
    assert run("--root", image, "--config", "/etc/other.toml", "--spec-dir", "/var/cdi").returncode == 0
    assert "kvm1" in (image / "var/cdi" / FILE).read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--root", "/is/not/here"], "error: /is/not/here: is no directory; name the top of the image's file system"),
        (["--root", "/etc/passwd"], "error: /etc/passwd: is no directory"),
    ],
)
def test_a_root_that_is_no_tree_is_a_usage_error(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(message)


def test_a_link_in_circles_is_an_error(image: Path) -> None:
    (image / "etc/cdi").symlink_to("cdi")
    done = run("--root", image)
    assert done.returncode == 2
    assert done.stderr == (
        "error: /etc/cdi: cannot be followed in the image: too many levels of symbolic links; "
        "see to the links on the way to it\n"
    )
    assert run("--root", image, "--config", "/etc/cdi").returncode == 2


@pytest.mark.root
def test_an_ordinary_user_may_do_it_in_a_tree_of_their_own(image: Path) -> None:
    # No preset: nobody may not be let into the directory that this project, and so its presets, lie in.
    (image / "etc/cdi-sync/config.toml").write_text(CONFIG.partition("[[class]]\npreset")[0])
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", image], check=True)
    said = as_nobody(lambda: str(main(["--once", "--quiet", "--root", str(image)])), image)
    assert said == "0"
    assert os.listdir(image / "etc/cdi") == [FILE]
    assert (image / "etc/cdi" / FILE).stat().st_uid == NOBODY


@pytest.mark.root
def test_the_booted_image_would_write_the_same_bytes(image: Path, tmp_path: Path) -> None:
    """The image's /etc is this machine's, in a mount namespace of its own; its /dev is full of devices."""
    run("--root", image)
    here = tmp_path / "here"
    script = 'mount --bind "$1" /etc && exec "$2" --once --spec-dir "$3"'
    argv = ["unshare", "--mount", "sh", "-ec", script, "sh", image / "etc", PROGRAM, here]
    subprocess.run(argv, check=True, capture_output=True)  # type: ignore[arg-type]
    assert (here / FILE).read_bytes() == (image / "etc/cdi" / FILE).read_bytes()
