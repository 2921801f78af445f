from __future__ import annotations

import base64
import errno
import gc
import json
import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from agent import checkpoint, durable
from agent.config.checking import settings_of
from agent.config.files import parse
from agent.plan import Remove, Write
from agent.reconcile import Outcome, Reconciler
from agent.rpc import protobuf
from agent.store import LOCK_NAME, SpecDirectory, StoreError, Writer
from cdi import codec
from tests.agent.users import as_nobody
from tests.real.devices import tmpfs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.config.settings import Settings
    from agent.render import Rendered
    from tests.agent.trees import Node

FILE = "cdi-sync+acme.com+modem.json"
DECLARED = """
[[class]]
kind = "acme.com/modem"
[[class.device]]
name = "one"
containerEdits.deviceNodes = [{ path = "/dev/null" }]
"""


def settings(text: str) -> Settings:
    return settings_of((parse("config.toml", text),))


def discovered(node: Node, name: str = "{sysname}", glob: str = "tty*") -> Settings:
    return settings(
        f"[[class]]\nkind = 'acme.com/modem'\nname = '{name}'\nselect = [{{ devnode = '{node.path(glob)}' }}]\n"
    )


class Bench:
    """A reconciler of a spec directory, which it may write to."""

    def __init__(self, directory: Path, node: Node | None = None) -> None:
        self.path = directory
        self.directory = SpecDirectory(str(directory))
        self.reconciler = Reconciler(self.directory, None, node.roots if node else None)

    def run(self, wanted: Settings, *, dry: bool = False) -> Outcome:
        if dry:
            return self.reconciler.run(wanted, None)
        with Writer(self.directory, create=True) as writer:
            return self.reconciler.run(wanted, writer)

    def devices(self) -> dict[str, str]:
        """Each device's node, by name, as the file says."""
        path = self.path / FILE
        if not path.exists():
            return {}
        spec = codec.decode(path.read_bytes())
        return {one.name: node.path for one in spec.devices for node in one.container_edits.device_nodes}

    def changes(self, outcome: Outcome) -> list[str]:
        return [f"{type(change).__name__} {change.name}" for change in outcome.changes]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "cdi")


def test_a_pass_writes_what_should_be_and_the_next_nothing(bench: Bench) -> None:
    first = bench.run(settings(DECLARED))
    assert bench.changes(first) == [f"Write {FILE}"]
    assert first.sentence == "1 device of 1 kind: 1 spec written"
    before = (bench.path / FILE).stat()
    second = bench.run(settings(DECLARED))
    assert second.changes == ()
    assert second.sentence == "1 device of 1 kind: nothing to change"
    after = (bench.path / FILE).stat()
    assert (before.st_ino, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_ino,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )


def test_a_new_reconciler_changes_nothing_either(bench: Bench) -> None:
    bench.run(settings(DECLARED))
    assert Bench(bench.path).run(settings(DECLARED)).changes == ()


def test_a_pass_without_a_writer_only_tells(bench: Bench) -> None:
    outcome = bench.run(settings(DECLARED), dry=True)
    assert bench.changes(outcome) == [f"Write {FILE}"]
    assert not bench.path.exists()


@pytest.mark.parametrize("drift", ["edited", "deleted", "mode", "link", "broken"])
def test_drift_is_put_back(bench: Bench, drift: str) -> None:
    bench.run(settings(DECLARED))
    path = bench.path / FILE
    good = path.read_bytes()
    match drift:
        case "edited":
            path.write_bytes(good.replace(b"/dev/null", b"/dev/full"))
        case "deleted":
            path.unlink()
        case "mode":
            path.chmod(0o666)
        case "link":
            path.rename(bench.path / "elsewhere")
            path.symlink_to("elsewhere")
        case "broken":
            path.write_bytes(b"{")
    for again in (bench, Bench(bench.path)):
        again.run(settings(DECLARED))
        assert path.read_bytes() == good
        assert not path.is_symlink()
        assert path.stat().st_mode & 0o777 == 0o644


def test_what_others_did_to_a_spec_and_was_undone_is_told_once(bench: Bench) -> None:
    path = bench.path / FILE
    assert bench.run(settings(DECLARED)).repaired == set()
    path.write_text("{}")
    assert bench.run(settings(DECLARED)).repaired == {FILE}
    assert bench.run(settings(DECLARED)).repaired == set()
    path.unlink()
    assert bench.run(settings(DECLARED)).repaired == {FILE}
    path.chmod(0o600)
    assert bench.run(settings(DECLARED)).repaired == {FILE}


def test_changes_of_our_own_and_of_what_is_no_class_are_no_repairs(bench: Bench) -> None:
    bench.run(settings(DECLARED))
    assert bench.run(settings(DECLARED.replace("/dev/null", "/dev/full"))).repaired == set()
    (bench.path / FILE.replace("modem", "planted")).write_text("{}")
    assert bench.run(settings(DECLARED.replace("/dev/null", "/dev/full"))).repaired == set()
    (bench.path / FILE).write_text("{}")
    assert bench.run(settings("")).repaired == set()
    assert not (bench.path / FILE).exists()


def test_a_spec_that_another_put_back_as_it_was_needs_no_repair(bench: Bench) -> None:
    bench.run(settings(DECLARED))
    path = bench.path / FILE
    good = path.read_bytes()
    path.write_text("{}")
    assert bench.run(settings(DECLARED), dry=True).repaired == set()
    path.write_bytes(good)
    assert bench.run(settings(DECLARED)).repaired == set()
    assert bench.run(settings(DECLARED)).repaired == set()


def test_a_repair_that_could_not_be_made_at_first_counts_when_it_was(bench: Bench) -> None:
    bench.run(settings(DECLARED))
    path = bench.path / FILE
    path.unlink()
    path.mkdir()
    (path / "in-the-way").touch()
    assert bench.run(settings(DECLARED)).failures
    (path / "in-the-way").unlink()
    path.rmdir()
    outcome = bench.run(settings(DECLARED))
    assert not outcome.failures
    assert outcome.repaired == {FILE}


def test_a_class_that_is_gone_takes_its_file_along_and_no_other(bench: Bench) -> None:
    bench.path.mkdir()
    (bench.path / "theirs.json").write_text("{}")
    bench.run(settings(DECLARED + DECLARED.replace("modem", "other")))
    outcome = bench.run(settings(DECLARED.replace("modem", "other")))
    assert bench.changes(outcome) == [f"Remove {FILE}"]
    assert {path.name for path in bench.path.iterdir()} - {LOCK_NAME} == {
        "cdi-sync+acme.com+other.json", "theirs.json",
    }  # fmt: skip


def test_a_name_that_anothers_spec_defines_is_left_to_it(bench: Bench) -> None:
    bench.run(settings(DECLARED))
    theirs = bench.path / "theirs.yaml"
    theirs.write_text("cdiVersion: 0.5.0\nkind: acme.com/modem\ndevices: [{name: one, containerEdits: {env: [A=1]}}]\n")
    outcome = bench.run(settings(DECLARED))
    assert bench.changes(outcome) == [f"Remove {FILE}"]
    assert str(theirs) in str(outcome.problems[0])
    theirs.write_text("cdiVersion: 0.5.0\nkind: acme.com/modem\ndevices: []\n")
    assert bench.changes(bench.run(settings(DECLARED))) == [f"Write {FILE}"]
    theirs.write_text("broken: [")
    assert bench.run(settings(DECLARED)).problems == ()


def test_a_spec_that_may_not_be_written_is_held(bench: Bench) -> None:
    bench.run(settings(DECLARED))
    good = (bench.path / FILE).read_bytes()
    newer = '[agent]\nmax_cdi_version = "0.3.0"\n' + DECLARED + "annotations = { a = 'b' }\n"
    outcome = bench.run(settings(newer))
    assert outcome.changes == ()
    assert "needs cdiVersion 0.6.0" in str(outcome.problems[0])
    assert (bench.path / FILE).read_bytes() == good


def test_what_fails_is_no_change(bench: Bench) -> None:
    (bench.path / FILE).mkdir(parents=True)
    outcome = bench.run(settings(DECLARED + DECLARED.replace("modem", "other")))
    assert bench.changes(outcome) == ["Write cdi-sync+acme.com+other.json"]
    assert [failure.problem.where for failure in outcome.failures] == [str(bench.path / FILE)]
    assert outcome.sentence == "2 devices of 2 kinds: 1 spec written, 1 failure"


def test_changes_hold_what_was_there_before(bench: Bench) -> None:
    bench.run(settings(DECLARED))
    good = (bench.path / FILE).read_bytes()
    (write,) = bench.run(settings(DECLARED.replace("/dev/null", "/dev/full")), dry=True).changes
    (remove,) = bench.run(settings(""), dry=True).changes
    assert isinstance(write, Write)
    assert write.before == good
    assert remove == Remove(FILE, good)


@pytest.mark.root
def test_the_file_follows_the_devices(bench: Bench, node: Node) -> None:
    bench = Bench(bench.path, node)
    wanted = discovered(node)
    assert bench.run(wanted).sentence == "0 devices of 0 kinds: nothing to change"
    node.null("ttyA")
    node.null("ttyB")
    bench.run(wanted)
    assert bench.devices() == {"ttyA": node.path("ttyA"), "ttyB": node.path("ttyB")}
    (node.dev / "ttyA").unlink()
    bench.run(wanted)
    assert bench.devices() == {"ttyB": node.path("ttyB")}
    (node.dev / "ttyB").unlink()
    assert bench.changes(bench.run(wanted)) == [f"Remove {FILE}"]


@pytest.mark.root
def test_the_holder_of_a_name_keeps_it_across_restarts(bench: Bench, node: Node) -> None:
    wanted = discovered(node, "{major}")
    node.null("ttyB")
    Bench(bench.path, node).run(wanted)
    node.null("ttyA")
    for again in (Bench(bench.path, node), Bench(bench.path, node)):
        outcome = again.run(wanted)
        assert again.devices() == {"1": node.path("ttyB")}
        assert outcome.changes == ()
        assert "ttyB keeps it" in str(outcome.problems[0])


@pytest.mark.root
def test_a_deleted_file_does_not_make_the_holder_forgotten(bench: Bench, node: Node) -> None:
    bench = Bench(bench.path, node)
    wanted = discovered(node, "{major}")
    node.null("ttyB")
    bench.run(wanted)
    node.null("ttyA")
    (bench.path / FILE).unlink()
    bench.run(wanted)
    assert bench.devices() == {"1": node.path("ttyB")}


@pytest.mark.root
def test_a_name_that_nobody_holds_any_more_is_free(bench: Bench, node: Node) -> None:
    bench = Bench(bench.path, node)
    wanted = discovered(node, "{major}")
    node.null("ttyB")
    bench.run(wanted)
    (node.dev / "ttyB").unlink()
    bench.run(wanted)
    node.null("ttyA")
    node.null("ttyB")
    bench.run(wanted)
    assert bench.devices() == {}


@pytest.mark.root
def test_a_directory_that_may_no_longer_be_listed_keeps_its_devices_and_brings_none_back(
    bench: Bench, node: Node
) -> None:
    wanted = discovered(node, glob="closed/tty*")
    node.null("closed/ttyA")
    bench.path.mkdir(mode=0o777)
    bench.path.chmod(0o777)

    def attempt() -> str:
        one = Bench(bench.path, node)
        one.run(wanted)
        steps = [sorted(one.devices())]
        os.rename(node.path("closed/ttyA"), node.path("away"))
        one.run(wanted)
        steps.append(sorted(one.devices()))
        os.rename(node.path("away"), node.path("closed/ttyA"))
        one.run(wanted)
        steps.append(sorted(one.devices()))
        os.chmod(node.path("closed"), 0o300)
        outcome = one.run(wanted)
        steps.append([*sorted(one.devices()), *("kept" for offer in outcome.classes[0].offers if offer.kept)])
        os.rename(node.path("closed/ttyA"), node.path("away"))
        os.chmod(node.path("closed"), 0o700)
        one.run(wanted)
        steps.append(sorted(one.devices()))
        os.chmod(node.path("closed"), 0o300)
        one.run(wanted)
        steps.append(sorted(one.devices()))
        return json.dumps(steps)

    for path in (node.dev, node.dev / "closed"):
        os.chown(path, 65534, 65534)
    assert json.loads(as_nobody(attempt, node.top)) == [["ttyA"], [], ["ttyA"], ["ttyA", "kept"], [], []]


@pytest.mark.root
def test_a_spec_directory_that_may_not_be_read_is_an_error(bench: Bench) -> None:
    bench.path.mkdir(mode=0o700)

    def attempt() -> str:
        try:
            return f"passed {bench.run(settings(DECLARED), dry=True)}"
        except StoreError as error:
            return str(error)

    assert as_nobody(attempt, bench.path.parent).startswith(f"{bench.path}: cannot be listed: permission denied")


def test_devices_of_one_class_that_fail_leave_the_others_alone(bench: Bench) -> None:
    text = DECLARED + DECLARED.replace("modem", "other").replace("/dev/null", "/dev/\\u202e")
    outcome = bench.run(settings(text))
    assert f"Write {FILE}" in bench.changes(outcome)


TWO = DECLARED + '[[class.device]]\nname = "two"\ncontainerEdits.deviceNodes = [{ path = "/dev/zero" }]\n'


def ready(outcome: Outcome) -> list[str]:
    return sorted(outcome.ready["acme.com/modem"])


def test_a_device_is_ready_when_its_spec_is_on_disk(bench: Bench) -> None:
    assert ready(bench.run(settings(TWO))) == ["one", "two"]
    assert ready(bench.run(settings(TWO))) == ["one", "two"]
    assert ready(Bench(bench.path).run(settings(TWO))) == ["one", "two"]
    assert bench.run(settings("")).ready == {}


def test_what_pods_may_have_is_taken_back_before_anything_is_written(bench: Bench) -> None:
    told: list[tuple[list[str], bool]] = []

    def withdraw(rendered: Sequence[Rendered]) -> None:
        names = [offer.name for one in rendered for offer in one.offers]
        told.append((names, b"two" in (bench.path / FILE).read_bytes() if (bench.path / FILE).exists() else False))

    for text in (TWO, DECLARED, ""):
        with Writer(bench.directory, create=True) as writer:
            bench.reconciler.run(settings(text), writer, withdraw)
    assert told == [(["one", "two"], False), (["one"], True), ([], False)]
    bench.reconciler.run(settings(TWO), None, withdraw)
    assert len(told) == 3, "nothing is written, so nothing is taken back"


CHANGED = TWO.replace("/dev/zero", "/dev/full") + (
    '[[class.device]]\nname = "three"\ncontainerEdits.deviceNodes = [{ path = "/dev/random" }]\n'
)


@pytest.mark.root
@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_after_a_write_that_failed_only_what_did_not_change_is_ready(tmp_path: Path, trouble: str) -> None:
    with tmpfs(tmp_path / "small", 64 * 1024) as place:
        bench = Bench(place)
        bench.run(settings(TWO))
        with Writer(bench.directory, create=False) as writer:
            _make_trouble(place, trouble)
            outcome = bench.reconciler.run(settings(CHANGED), writer)
            assert [failure.problem.where for failure in outcome.failures] == [str(place / FILE)]
            assert ready(outcome) == ["one"], "the others are not on disk as they should be"
            outcome = bench.reconciler.run(settings(CHANGED), writer)
            assert ready(outcome) == ["one"]
            _mend(place, trouble)
            assert ready(bench.reconciler.run(settings(CHANGED), writer)) == ["one", "three", "two"]


def _make_trouble(place: Path, trouble: str) -> None:
    if trouble == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        return
    with pytest.raises(OSError, match="No space"):
        (place / "ballast").write_bytes(bytes(100_000))


def _mend(place: Path, trouble: str) -> None:
    if trouble == "read-only":
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)
    else:
        (place / "ballast").unlink()


def test_what_may_not_last_is_not_ready(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run(settings(TWO))

    def sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", sync)
        outcome = bench.run(settings(CHANGED))
        assert [failure.problem.where for failure in outcome.failures] == [str(bench.path)]
        assert ready(outcome) == ["one"]


def test_what_does_not_last_is_synced_again_until_it_does(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def sync(_directory: str) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(durable, "sync", sync)
        for _ in range(2):  # the second time the bytes are there, and may not last
            outcome = bench.run(settings(TWO))
            assert [failure.problem.where for failure in outcome.failures] == [str(bench.path)]
            assert ready(outcome) == []
    healed = bench.run(settings(TWO))
    assert (healed.failures, ready(healed)) == ((), ["one", "two"])


def test_a_spec_that_may_not_be_written_leaves_ready_what_stands_on_disk(bench: Bench) -> None:
    too_new = settings('[agent]\nmax_cdi_version = "0.3.0"\n' + DECLARED + "annotations = { a = 'b' }\n")
    outcome = bench.run(too_new)
    assert (outcome.classes[0].held, ready(outcome)) == (True, [])
    bench.run(settings(DECLARED))
    outcome = bench.run(too_new)
    assert (outcome.classes[0].held, ready(outcome)) == (True, ["one"])


def kubelet(place: Path, *names: str) -> str:
    """A kubelet's directory whose checkpoint says that a pod holds these; its place in a configuration."""
    answer = b"".join(protobuf.block(5, protobuf.text(1, name)) for name in names)
    entry = {"PodUID": "p", "ContainerName": "c", "ResourceName": "r", "DeviceIDs": {"-1": ["one"]},
             "AllocResp": base64.b64encode(answer).decode()}  # fmt: skip
    (place / checkpoint.NAME).write_text(json.dumps({"Data": {"PodDeviceEntries": [entry] if names else None}}))
    return f"[kubelet]\ndirectory = '{place}'\n"


def test_the_spec_of_a_class_that_is_gone_stays_while_pods_hold_its_devices(bench: Bench, place: Path) -> None:
    other = DECLARED.replace("modem", "other")
    bench.run(settings(DECLARED + other))
    outcome = bench.run(settings(kubelet(place, "acme.com/modem=one", "acme.com/nothing=x")))
    assert bench.changes(outcome) == ["Remove cdi-sync+acme.com+other.json"]
    assert outcome.holding == {FILE}
    assert outcome.problems == ()
    assert bench.devices() == {"one": "/dev/null"}
    assert bench.run(settings(kubelet(place, "acme.com/modem=one"))).changes == ()
    back = bench.run(settings(kubelet(place, "acme.com/modem=one") + DECLARED))
    assert (back.changes, back.holding) == ((), frozenset())
    outcome = bench.run(settings(kubelet(place)))
    assert bench.changes(outcome) == [f"Remove {FILE}"]
    assert outcome.holding == frozenset()


def test_while_the_checkpoint_cannot_be_read_no_spec_goes(bench: Bench, place: Path) -> None:
    bench.run(settings(DECLARED))
    text = kubelet(place, "acme.com/modem=one")
    (place / checkpoint.NAME).write_text("{")
    outcome = bench.run(settings(text))
    assert outcome.changes == ()
    assert outcome.holding == {FILE}
    assert str(outcome.problems[0]) == (
        f"{place / checkpoint.NAME}: cannot be read: it is damaged, or of a kubelet that is not known yet; "
        "until it is, specs of classes that are gone stay, in case pods hold their devices"
    )
    assert bench.run(settings(text + DECLARED)).problems == (), "nothing is left, so nobody asks"
    (place / checkpoint.NAME).unlink()
    assert bench.changes(bench.run(settings(text))) == [f"Remove {FILE}"]


def test_a_device_that_is_gone_from_a_class_that_is_not_goes_whoever_holds_it(bench: Bench, place: Path) -> None:
    bench.run(settings(TWO))
    bench.run(settings(kubelet(place, "acme.com/modem=two") + DECLARED))
    assert bench.devices() == {"one": "/dev/null"}


@pytest.mark.root
def test_a_pass_leaves_nothing_to_the_garbage_collector(bench: Bench, node: Node) -> None:
    """What waits for it takes room meanwhile, and the heap frays around it."""
    bench = Bench(bench.path, node)
    wanted = discovered(node, "{major}")
    node.null("ttyA")
    bench.run(wanted)
    gc.collect()
    gc.disable()
    try:
        bench.run(wanted)
        assert gc.collect() == 0
    finally:
        gc.enable()
