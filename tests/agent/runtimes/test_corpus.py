"""Configurations as they are found in the wild: applied, applied again, reverted, for several versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.runtimes import tomltext
from agent.runtimes.answers import Wish, lists
from agent.runtimes.containerd import V1, V2, V3, effect
from tests.agent.runtimes.machine import CONFIG, Machine

if TYPE_CHECKING:
    from agent.runtimes.answers import Version

CORPUS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parents[2] / "data/containerd").glob("*"))}
VERSIONS: tuple[Version, ...] = ((1, 7), (2, 0), (2, 1), (2, 3))
SPEC_DIRS = ("/etc/cdi", "/srv/acme cdi")

BROKEN = {"broken", "merge-conflict", "twice-the-same-table", "latin-1", "k3s-template", "k3s-template-conditional"}
DISABLED = {"docker-package", "disabled-by-full-name"}
SHAPELESS = {"plugins-is-no-table", "array-of-cri"}
TOO_NEW = {
    "version-3": (2, 0), "version-3-minimal": (2, 0), "version-3-off-on-purpose": (2, 0),
    "version-3-migrated": (2, 0), "imports-site": (2, 0), "version-4": (2, 3),
}  # fmt: skip


def test_there_are_enough() -> None:
    assert len(CORPUS) >= 40


def rest(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without our keys, and without tables that hold nothing else."""
    document.pop("imports", None)
    plugins = document.get("plugins")
    for table in (V1, V2, V3):
        found = tomltext.lookup(document, table)
        if not isinstance(found, dict) or not isinstance(plugins, dict):
            continue
        for key in ("enable_cdi", "cdi_spec_dirs"):
            found.pop(key, None)
        if not found:
            del plugins[table[1]]
    if plugins == {}:
        del document["plugins"]
    return document


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("spec_dir", SPEC_DIRS)
@pytest.mark.parametrize("name", CORPUS)
def test_apply_apply_again_revert(name: str, spec_dir: str, version: Version) -> None:
    original = CORPUS[name]
    machine = Machine(version, original, Wish(spec_dir))
    answer = machine.apply()
    if refused(name, version):
        assert answer.blocked is not None
        assert machine.files == {CONFIG: original}
        return
    if name in SHAPELESS and (version < (2, 0) or answer.blocked):
        assert answer.blocked is not None
        return
    assert answer.blocked is None, answer.blocked
    documents = [tomltext.document(source.data.decode()) for source in machine.sources()]
    then = effect(version, documents)
    assert then.enabled is True or (version >= (2, 0) and then.enabled is None)
    assert then.spec_dirs is None or lists(then.spec_dirs, spec_dir)
    before, after = rest(tomltext.document(original.decode())), rest(documents[0])
    if before == {}:
        after.pop("version", None)
    assert tomltext.same(before, after)
    applied = dict(machine.files)
    again = machine.apply()
    assert (again.blocked, again.changes, machine.files) == (None, (), applied)
    assert machine.revert() == ()
    assert machine.files == {CONFIG: original}


def refused(name: str, version: Version) -> bool:
    return name in BROKEN or name in DISABLED or version < TOO_NEW.get(name, (0, 0))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CORPUS)
def test_every_byte_that_was_there_is_still_there_in_order(name: str, version: Version) -> None:
    machine = Machine(version, CORPUS[name], Wish("/srv/acme cdi"))
    for change in machine.plan().changes:
        kept = change.write.before or b""
        for key in change.keys:
            if key.before is not None:
                assert kept.count(key.before.encode()) >= 1
        if all(key.before is None for key in change.keys):
            left = iter(change.write.data)
            assert all(byte in left for byte in kept)
        added = sum(len(key.text.encode()) for key in change.keys)
        replaced = sum(len(key.after.encode()) - len(key.before.encode()) for key in change.keys if key.before)
        assert change.write.before is None or len(change.write.data) == len(kept) + added + replaced


@pytest.mark.parametrize("name", sorted(CORPUS.keys() - BROKEN - DISABLED - SHAPELESS))
def test_revert_after_others_have_edited_keeps_what_they_wrote(name: str) -> None:
    version = (2, 3) if name in TOO_NEW else (1, 7)
    machine = Machine(version, CORPUS[name], Wish("/srv/acme cdi"))
    if machine.apply().blocked or not machine.done[0].changes:
        return
    machine.files[CONFIG] = (
        b"# somebody else was here\n" + machine.files[CONFIG].removeprefix(b"\xef\xbb\xbf") + b"\n[theirs]\nkey = 1\n"
    )
    reasons = machine.revert()
    left = tomltext.document(machine.files[CONFIG].decode())
    assert left["theirs"] == {"key": 1}
    assert machine.files[CONFIG].startswith(b"# somebody else was here\n")
    wanted = tomltext.document(CORPUS[name].decode()) | {"theirs": {"key": 1}}
    if CORPUS[name].strip() and "version" in wanted:
        assert reasons == ()
        assert tomltext.same(left, wanted)
        assert set(machine.files) == {CONFIG}


def test_the_agent_does_not_overrule_what_was_switched_off_on_purpose() -> None:
    machine = Machine((1, 7), CORPUS["off-on-purpose"], Wish("/etc/cdi", overrule=False))
    answer = machine.apply()
    assert answer.changes == ()
    assert "on purpose" in str(answer.blocked)
