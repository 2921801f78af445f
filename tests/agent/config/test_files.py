from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agent.config import files
from agent.config.files import ConfigError, Source
from tests.agent.users import NOBODY, as_nobody
from tests.real import devices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def refusal(path: Path | str) -> str:
    try:
        files.read(str(path))
    except ConfigError as error:
        return str(error)
    return ""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("version = 1\n")
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    return path


def test_a_file_is_its_path_its_text_and_its_document(config: Path) -> None:
    assert files.read(str(config)) == (Source(str(config), "version = 1\n", {"version": 1}),)


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o644, 0o755])
def test_a_file_that_only_its_owner_writes_is_read(config: Path, mode: int) -> None:
    config.chmod(mode)
    assert refusal(config) == ""


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o602, 0o620])
def test_a_file_that_others_write_is_refused(config: Path, mode: int) -> None:
    config.chmod(mode)
    assert refusal(config) == (
        f"{config}: can be written by others (mode {mode:04o}); take that away: chmod go-w {config}"
    )


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_a_directory_that_others_write_is_refused(config: Path, mode: int) -> None:
    config.parent.chmod(mode)
    assert refusal(config) == (
        f"{config.parent}: can be written by others (mode {mode:04o}); take that away: chmod go-w {config.parent}"
    )


def test_of_a_link_the_real_directory_counts(config: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o755)
    target = config.rename(real / "target.toml")
    config.symlink_to(target)
    assert refusal(config) == ""
    real.chmod(0o777)
    assert refusal(config).startswith(f"{real}: can be written by others")


@pytest.mark.root
def test_a_file_of_another_user_is_refused(config: Path) -> None:
    os.chown(config, NOBODY, 0)
    assert refusal(config) == (
        f"{config}: belongs to user {NOBODY}, who could change what containers get; "
        f"give it to the user who runs this: chown 0 {config}"
    )


@pytest.mark.root
def test_a_file_in_a_directory_of_another_user_is_refused(config: Path) -> None:
    os.chown(config.parent, NOBODY, 0)
    assert refusal(config).startswith(f"{config.parent}: belongs to user {NOBODY}")


@pytest.mark.root
def test_an_ordinary_user_reads_roots_file_and_their_own(config: Path) -> None:
    assert as_nobody(lambda: refusal(config), config.parent) == ""
    os.chown(config, NOBODY, NOBODY)
    assert as_nobody(lambda: refusal(config), config.parent) == ""


@pytest.mark.root
def test_an_ordinary_user_is_told_of_a_file_they_may_not_read(config: Path) -> None:
    config.chmod(0o600)
    assert as_nobody(lambda: refusal(config), config.parent) == (
        f"{config}: cannot be read: permission denied; run as a user who may read it"
    )


@pytest.mark.root
def test_on_a_read_only_mount_nobody_writes(tmp_path: Path) -> None:
    with devices.tmpfs(tmp_path / "mount", 64 * 1024) as place:
        path = place / "config.toml"
        path.write_text("version = 1\n")
        path.chmod(0o666)
        place.chmod(0o777)
        os.chown(path, NOBODY, NOBODY)
        assert "belongs to user" in refusal(path)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        assert refusal(path) == ""


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path))


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (os.mkfifo, "is not a regular file; name a file"),
        (os.mkdir, "is not a regular file; name a file"),
        (lambda path: os.symlink("/dev/null", path), "is not a regular file; name a file"),
        (lambda path: os.symlink("/dev/zero", path), "is not a regular file; name a file"),
        (make_socket, "cannot be read: no such device or address; see to the file and its disk"),
        (lambda path: os.symlink(path, path), "cannot be read: too many levels of symbolic links; see to the file"),
        (lambda _: None, "cannot be read: no such file or directory; name a file that exists, or leave --config out"),
    ],
)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: type[object], complaint: str) -> None:
    path = tmp_path / "config.toml"
    make(path)  # type: ignore[call-arg]
    assert refusal(path).startswith(f"{path}: {complaint}")


@pytest.mark.parametrize("path", ["", "/dev/null/x", "x" * 5000])
def test_a_path_that_cannot_be_is_refused(path: str) -> None:
    assert "cannot be read" in refusal(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\xff\xfeversion", ":1: is not UTF-8 text; save it as UTF-8"),
        (b"a = 1\nb = '\xe4'\n", ":2: is not UTF-8 text; save it as UTF-8"),
        (b"#" * (4 * 1024 * 1024 + 1), ": is larger than 4 MiB; this is hardly a configuration; name another file"),
        (b"a = 1\r\nb = \r\n", ":2:5: this is not TOML: invalid value; "),
        (b"\xef\xbb\xbf\xef\xbb\xbfa = 1", ":1:1: this is not TOML: invalid statement; "),
        (b"a = 1\0", ":1:6: this is not TOML: "),
    ],
)
def test_a_content_that_is_no_configuration_is_refused(config: Path, content: bytes, complaint: str) -> None:
    config.write_bytes(content)
    assert refusal(config).startswith(f"{config}{complaint}")


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfversion = 1\n", b"version = 1\r\n", b"#" * (4 * 1024 * 1024 - 12) + b"\nversion = 1"]
)
def test_a_text_of_another_editor_is_read(config: Path, content: bytes) -> None:
    config.write_bytes(content)
    (source,) = files.read(str(config))
    assert source.document == {"version": 1}


@pytest.mark.parametrize("name", ["nothing", "../default", "kvm.toml", ""])
def test_there_is_no_preset_of_another_name(name: str) -> None:
    assert files.preset(name) is None


# The standard places lie in /etc: a child with a mount namespace of its own has another /etc.

STANDARD = """
import os
from agent.config import files
from agent.config.places import directories
os.umask(0o022)
os.makedirs("/etc/cdi-sync/conf.d")
{prepare}
try:
    print([source.path for source in files.read(None)], directories(None))
except files.ConfigError as error:
    print(error)
"""


def with_another_etc(prepare: str) -> str:
    command = 'mount -t tmpfs -o mode=755 tmpfs /etc && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command, "sh", sys.executable, "-c", STANDARD.format(prepare=prepare)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


WATCHED = " ('/etc/cdi-sync', '/etc/cdi-sync/conf.d')"


@pytest.mark.root
@pytest.mark.parametrize(
    ("prepare", "answer"),
    [
        ("", f"['{files.EMBEDDED}']" + WATCHED),
        ("os.rmdir('/etc/cdi-sync/conf.d')", f"['{files.EMBEDDED}']" + WATCHED),
        ("open('/etc/cdi-sync/config.toml', 'w')", "['/etc/cdi-sync/config.toml']" + WATCHED),
        (
            "[open(f'/etc/cdi-sync/conf.d/{x}', 'w') for x in ('b.toml', 'a.toml', '.c.toml', 'd.toml~', 'e')]",
            "['/etc/cdi-sync/conf.d/a.toml', '/etc/cdi-sync/conf.d/b.toml']" + WATCHED,
        ),
        (
            "[open(f'/etc/cdi-sync/{x}', 'w') for x in ('conf.d/10.toml', 'conf.d/9.toml', 'config.toml')]",
            "['/etc/cdi-sync/config.toml', '/etc/cdi-sync/conf.d/10.toml', '/etc/cdi-sync/conf.d/9.toml']" + WATCHED,
        ),
        (
            "os.symlink('/nowhere', '/etc/cdi-sync/config.toml')",
            (
                "/etc/cdi-sync/config.toml: cannot be read: no such file or directory; "
                "name a file that exists, or leave --config out for the standard ones"
            ),
        ),
        (
            "os.mkdir('/etc/cdi-sync/conf.d/a.toml')",
            "/etc/cdi-sync/conf.d/a.toml: is not a regular file; name a file",
        ),
        (
            "os.chmod('/etc/cdi-sync/conf.d', 0o777); open('/etc/cdi-sync/conf.d/a.toml', 'w')",
            (
                "/etc/cdi-sync/conf.d: can be written by others (mode 0777); "
                "take that away: chmod go-w /etc/cdi-sync/conf.d"
            ),
        ),
        (
            "os.chmod('/etc/cdi-sync/conf.d', 0); os.setuid(65534)",
            "/etc/cdi-sync/conf.d: cannot be read: permission denied; run as a user who may read it",
        ),
    ],
)
def test_the_standard_files_are_read_in_order(prepare: str, answer: str) -> None:
    assert with_another_etc(prepare) == answer


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.mkdir(),
        os.mkfifo,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(path),
        lambda path: path.write_bytes(b"#" * (files.SIZE_LIMIT + 1)),
        lambda path: path.write_bytes(b"\xff"),
        lambda path: path.write_text("[" * 100_000),
    ],
    ids=["directory", "pipe", "device", "circle", "large", "bytes", "deep"],
)
def test_what_is_no_configuration_is_no_obstacle_to_a_glance(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "file")
    before = os.listdir("/proc/self/fd")
    with pytest.raises((OSError, ValueError)):
        files.glance(str(tmp_path / "file"))
    assert os.listdir("/proc/self/fd") == before


def test_a_glance_looks_at_files_of_everybody(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbf[agent]\r\nspec_dir = '/x'\r\n")
    path.chmod(0o666)
    assert files.glance(str(path)) == {"agent": {"spec_dir": "/x"}}
