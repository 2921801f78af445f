"""What the campaign's judge must notice: each thing that could be wrong is made so."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.campaign.invariants import Judge, Reader, flaws
from tests.shortage import few_descriptors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME = "cdi-sync+campaign.test+loop.json"
WANTED = {"loop": {"a": [("/dev/loop7", "/dev/loop7")]}, "net": {}}


def document(**changes: Any) -> dict[str, Any]:
    device = {"name": "a", "containerEdits": {"deviceNodes": [{"path": "/dev/loop7"}]}}
    return {"cdiVersion": "0.3.0", "kind": "campaign.test/loop", "devices": [device], **changes}


def spec(**changes: Any) -> bytes:
    return json.dumps(document(**changes)).encode() + b"\n"


def with_node(**node: Any) -> bytes:
    return spec(devices=[{"name": "a", "containerEdits": {"deviceNodes": [{"path": "/dev/loop7", **node}]}}])


DEVICE = document()["devices"][0]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "is partial"),
        (spec()[:-2], "is partial"),
        (b"[1}\n", "is no spec"),
        (b'{"kind": "a", "kind": "a"}\n', "is no spec"),
        (b'[{"a": 1}]\n'.replace(b"]", b"") + b"]}\n", "is no spec"),
        (b'{"devices": [{}], "kind": "campaign.test/loop"}\n', "is no spec"),
        (spec(kind="campaign.test/zram"), "is of kind"),
        (spec(more=1), "has other members"),
        (spec(devices=[]), "has no devices"),
        (spec(devices=[DEVICE, DEVICE]), "twice, or in no order"),
        (spec(devices=[{**DEVICE, "name": "b"}, DEVICE]), "twice, or in no order"),
        (spec(devices=[{**DEVICE, "name": "-"}]), "has a device named '-'"),
        (spec(devices=[{**DEVICE, "name": "a" * 57}]), "has a device named"),
        (spec(devices=[{"name": "a", "containerEdits": {}}]), "has a device without edits"),
        (with_node(major=7, minor=7), "has its number in it"),
        (with_node(hostPath="/dev/loop8"), "says version 0.3.0 and needs 0.5.0"),
        (spec(cdiVersion="1.0.0"), "says version 1.0.0 and needs 0.3.0"),
    ],
)
def test_a_spec_that_is_wrong(data: bytes, fault: str) -> None:
    assert fault in " ".join(flaws(NAME, data, 0o100644))


def test_a_spec_that_is_right_but_for_its_mode() -> None:
    assert flaws(NAME, spec(), 0o100644) == []
    assert flaws(NAME, spec(), 0o100600) == ["has mode 0600"]
    assert flaws("cdi-sync+loop.json", spec(), 0o100644) == ["this is no name of a spec of ours"]


class Place:
    """A spec directory that is as it must be."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.judge = Judge()
        self.other = directory / "vendor.json"
        self.other.write_text("{}")
        self.spec = directory / NAME
        self.write(spec())

    def write(self, data: bytes) -> None:
        self.spec.write_bytes(data)
        self.spec.chmod(0o644)

    def faults(self, wanted: dict[str, Any] = WANTED) -> str:
        digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # of {}
        site = {"directory": str(self.directory), "foreign": {str(self.other): digest}, "pid": os.getpid()}
        return " ".join(self.judge.judge(site, wanted))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    with locked(tmp_path):
        assert found.faults() == ""
        yield found


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    with (directory / ".cdi-sync.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


FAULTS: dict[str, tuple[Callable[[Place], object], str]] = {
    "a spec is missing": (lambda place: place.spec.unlink(), "not there, though there are ['a']"),
    "a device is missing": (
        lambda place: place.write(spec(devices=[{**DEVICE, "name": "b"}])),
        "instead of {'a'",
    ),
    "a node is another": (lambda place: place.write(spec().replace(b"loop7", b"loop8")), "/dev/loop8"),
    "the bytes are others": (lambda place: place.write(b" " + spec()), "the same devices gave other bytes before"),
    "a temporary stayed": (
        lambda place: (place.directory / ".cdi-sync+campaign.test+loop.json.tmp").touch(),
        "was left behind",
    ),
    "a file of others is another": (lambda place: place.other.write_text("{ }"), "a file of others was changed"),
    "a file of others is gone": (lambda place: place.other.unlink(), "a file of others was changed"),
    "a spec of no class": (
        lambda place: (place.directory / "cdi-sync+campaign.test+gone.json").write_bytes(spec()),
        "no spec may be there",
    ),
    "the lock is gone": (lambda place: (place.directory / ".cdi-sync.lock").unlink(), "its lock"),
    "the lock is another's": (
        lambda place: (place.directory / "x").rename(place.directory / ".cdi-sync.lock"),
        "its lock is held by []",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_noticed(place: Place, name: str) -> None:
    act, fault = FAULTS[name]
    (place.directory / "x").touch()
    act(place)
    assert fault in place.faults()


def test_a_spec_without_a_device_is_noticed(place: Place) -> None:
    assert "is there, though there is no device" in place.faults({"loop": {}})


def test_a_spec_that_is_written_again_is_noticed(place: Place) -> None:
    request = {"directories": [str(place.directory)]}
    place.judge.answer({"ask": "remember", **request})
    assert place.judge.answer({"ask": "still", **request}) == []
    new = place.directory / "new"
    new.write_bytes(spec())
    new.rename(place.spec)
    assert "were written though nothing changed" in place.judge.answer({"ask": "still", **request})[0]


def test_the_reader_notices_half_a_spec_unless_we_spoilt_it(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(spec()[:20])
    path.chmod(0o644)
    (tmp_path / "spoilt").write_text("")
    reader = Reader(str(tmp_path), [str(tmp_path)])
    reader.sweep(str(tmp_path))
    assert reader.reads == 1
    assert "is partial" in reader.faults[0]
    (tmp_path / "spoilt").write_text(f"1\n{path.stat().st_ino}\n")
    again = Reader(str(tmp_path), [str(tmp_path)])
    again.sweep(str(tmp_path))
    assert again.faults == []


def test_the_reader_passes_over_what_is_no_file_and_keeps_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / f"{NAME}.json").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / f"{NAME}.yaml")
    before = os.listdir("/proc/self/fd")
    reader = Reader(str(tmp_path), [str(tmp_path)])
    reader.sweep(str(tmp_path))
    assert reader.faults == []
    assert os.listdir("/proc/self/fd") == before


def test_a_reader_that_cannot_read_any_more_does_not_go_on_as_if_it_did(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(spec())
    reader = Reader(str(tmp_path), [str(tmp_path)])
    with few_descriptors(), pytest.raises(OSError, match="Too many open files"):
        reader.read(str(tmp_path), NAME)


def test_the_judge_shares_no_code_with_what_it_judges() -> None:
    from tests.campaign import invariants

    lines = Path(invariants.__file__).read_text().splitlines()
    imported = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported == {"__future__", "errno", "hashlib", "json", "os", "re", "stat", "sys", "typing"}
