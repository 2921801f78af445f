import os
import socket
import time
from pathlib import Path

import pytest

from cdi import codec, specdirs, validation
from cdi.errors import CDIError
from cdi.hostnode import HostNode
from cdi.model import ContainerEdits, Device, Spec
from cdi.registry import Changes
from cdi.specdirs import SpecDirs


def text(*names: str, kind: str = "acme.com/modem", env: str = "A=1") -> bytes:
    devices = tuple(Device(name=name, container_edits=ContainerEdits(env=(env,))) for name in names)
    return codec.encode(Spec(version="0.5.0", kind=kind, devices=devices))


def settled(path: Path, data: bytes) -> None:
    """Write a file that looks old enough to be trusted to be still the same next time."""
    path.write_bytes(data)
    time.sleep(0.06)  # the time of change cannot be set


def test_a_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text("a"))
    assert specdirs.load_file(str(path)).kind == "acme.com/modem"


@pytest.mark.parametrize(
    ("data", "fact"),
    [
        (b"{", "a.json:1:2: there is no value here"),
        (b"", "there is no spec in it"),
        (text("-"), r"a.json: devices\[0\].name: device name '-' does not begin"),
        (text("a", kind="acme.com/m"), "crashes containerd"),
    ],
)
def test_a_file_that_runtimes_reject_or_die_of(tmp_path: Path, data: bytes, fact: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(CDIError, match=fact):
        specdirs.load_file(str(path))


def test_which_files_are_read(tmp_path: Path) -> None:
    for number, name in enumerate(["b.json", "a.yaml", ".c.json", ".json", "d.yml", "e.JSON", "f.json.tmp", "g"]):
        (tmp_path / name).write_bytes(text("a", kind=f"acme.com/m{number}"))
    (tmp_path / "h.json").symlink_to("g")
    (tmp_path / "sub.json").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "i.json").write_bytes(text("a", kind="acme.com/sub"))
    files = specdirs.load([str(tmp_path)]).files
    assert [Path(file.path).name for file in files] == [".c.json", ".json", "a.yaml", "b.json", "h.json"]
    assert all(file.spec for file in files)


def test_directories_that_are_not_there_are_empty(tmp_path: Path) -> None:
    dirs = SpecDirs([str(tmp_path / "none")])
    assert not dirs.refresh()
    assert dirs.problems == {}


def test_directories_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    paths = [str(tmp_path / "file"), str(tmp_path / "a\0b")]
    dirs = SpecDirs(paths)
    dirs.refresh()
    assert sorted(dirs.problems) == sorted(paths)


def test_what_would_hold_a_reader_up_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "gone.json").symlink_to("nowhere")
    (tmp_path / "dir.json").symlink_to("/etc")
    with open(tmp_path / "huge.json", "wb") as file:
        file.truncate(1 << 40)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.json"))
        begin = time.monotonic()
        found = specdirs.load([str(tmp_path)])
    assert time.monotonic() - begin < 5
    assert len(found.problems) == len(found.files) == 7
    assert found.devices == {}


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "dir.json").symlink_to("/etc")
    (tmp_path / "a.json").write_bytes(text("a"))
    before = len(os.listdir("/proc/self/fd"))
    specdirs.load([str(tmp_path)])
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_refresh_tells_what_is_other(tmp_path: Path) -> None:
    dirs = SpecDirs([str(tmp_path)])
    (tmp_path / "a.json").write_bytes(text("a", "b"))
    assert dirs.refresh() == Changes(added=("acme.com/modem=a", "acme.com/modem=b"))
    assert not dirs.refresh()
    (tmp_path / "a.json").write_bytes(text("b", "c", env="A=2"))
    assert dirs.refresh() == Changes(
        added=("acme.com/modem=c",), removed=("acme.com/modem=a",), changed=("acme.com/modem=b",)
    )
    (tmp_path / "b.json").write_bytes(b"{")
    assert dirs.refresh() == Changes(problems=(str(tmp_path / "b.json"),))
    (tmp_path / "a.json").unlink()
    assert dirs.refresh().removed == ("acme.com/modem=b", "acme.com/modem=c")


def test_a_refresh_reads_only_what_has_changed(tmp_path: Path) -> None:
    judged: list[str] = []

    def check(spec: Spec) -> tuple[()]:
        judged.append(spec.kind)
        return ()

    (tmp_path / "bad.json").write_bytes(b"{")
    (tmp_path / "a.json").write_bytes(text("a"))
    settled(tmp_path / "b.json", text("a", kind="acme.com/gpu"))
    dirs = SpecDirs([str(tmp_path)], check=check)
    dirs.refresh()
    first = dirs.registry.files
    settled(tmp_path / "b.json", text("b", kind="acme.com/gpu"))
    dirs.refresh()
    assert judged == ["acme.com/modem", "acme.com/gpu", "acme.com/gpu"]
    assert [old is new for old, new in zip(first, dirs.registry.files, strict=True)] == [True, False, True]


def test_a_change_that_leaves_size_and_time_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text("a"))
    dirs = SpecDirs([str(tmp_path)])
    dirs.refresh()
    stamp = path.stat()
    path.write_bytes(text("b"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert dirs.refresh().added == ("acme.com/modem=b",)


def test_the_verdict_of_runtimes_can_be_had(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(text("a", kind="acme.com/m"))
    dirs = SpecDirs([str(tmp_path)], check=validation.rejected)
    dirs.refresh()
    assert list(dirs.registry.devices) == ["acme.com/m=a"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/dev/null", HostNode("c", 1, 3, 0o666)),
        ("/proc/self", "link"),
        ("/etc/passwd", "other"),
        ("/dev/none/such", None),
        ("/dev/\0", None),
    ],
)
def test_what_the_host_has(path: str, expected: HostNode | str | None) -> None:
    found = specdirs.host_node(path)
    assert (found.type if found and isinstance(expected, str) else found) == expected
