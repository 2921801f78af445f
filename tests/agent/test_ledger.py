from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from agent.config.checking import settings_of
from agent.config.files import parse
from agent.config.settings import Resource
from agent.inventory import Inventory, Listed, Listing
from agent.ledger import Ledger
from tests.agent.users import as_nobody
from tests.real.devices import tmpfs

if TYPE_CHECKING:
    from pathlib import Path

    from agent.config.settings import Settings

KIND = "acme.com/modem"
UP, GONE = Listed(healthy=True, numa=(1,)), Listed(healthy=False, gone=12.5)


def settings(*kinds: str) -> Settings:
    text = "".join(f"[[class]]\nkind = '{kind}'\nselect = [{{ devnode = '/dev/x*' }}]\n[class.kubernetes]\n"
                   for kind in kinds or (KIND,))  # fmt: skip
    return settings_of((parse("c.toml", text),))


def inventory(kind: str = KIND, **devices: Listed) -> Inventory:
    return {kind: Listing(kind, Resource(name=kind), devices)}


def names(found: Inventory) -> dict[str, dict[str, float | None]]:
    return {kind: {name: one.gone for name, one in listing.devices.items()} for kind, listing in found.items()}


def read(directory: Path, *kinds: str) -> dict[str, dict[str, float | None]]:
    found, problem = Ledger(str(directory)).read(settings(*kinds))
    assert problem is None
    return names(found)


def test_what_was_offered_comes_back_and_nothing_of_it_is_healthy(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "new" / "state"))
    assert ledger.read(settings()) == ({}, None)
    assert ledger.write(inventory(a=UP, b=GONE)) is None
    found, problem = Ledger(str(tmp_path / "new" / "state")).read(settings())
    assert problem is None
    assert found[KIND].devices == {"a": Listed(healthy=False), "b": GONE}
    assert found[KIND].resource == settings().classes[0].resource
    assert stat.S_IMODE(os.stat(ledger.path).st_mode) == 0o600
    assert os.listdir(os.path.dirname(ledger.path)) == ["devices.json"]


def test_only_what_is_still_a_resource_comes_back(tmp_path: Path) -> None:
    Ledger(str(tmp_path)).write({**inventory(a=UP), **inventory("acme.com/gone", b=GONE)})
    assert read(tmp_path) == {KIND: {"a": None}}
    assert read(tmp_path, "acme.com/other") == {}
    assert Ledger(str(tmp_path)).read(settings_of((parse("c.toml", ""),)))[0] == {}


def test_it_is_written_only_when_something_changed(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.write(inventory(a=UP))
    before = os.stat(ledger.path)
    for same in (inventory(a=UP), inventory(a=Listed(healthy=False))):
        assert ledger.write(same) is None
        assert os.stat(ledger.path) == before
    ledger.write(inventory(a=GONE))
    assert os.stat(ledger.path).st_ino != before.st_ino
    again = Ledger(str(tmp_path))
    again.read(settings())
    before = os.stat(ledger.path)
    again.write(inventory(a=GONE))
    assert os.stat(ledger.path) == before


def document(**devices: Any) -> dict[str, Any]:
    return {"version": 1, "kinds": {KIND: devices}}


DAMAGED: dict[str, Any] = {
    "empty": "",
    "cut": json.dumps(document(a=None))[:-5],
    "NUL bytes": "\0" * 50,
    "not UTF-8": b'{"version": 1, "kinds": {"\xff": {}}}',
    "very deep": "[" * 100_000,
    "a list": [],
    "null": None,
    "of another version": {"version": 2, "kinds": {}},
    "of no version": {"kinds": {}},
    "without kinds": {"version": 1},
    "kinds that are a list": {"version": 1, "kinds": []},
    "devices that are a list": {"version": 1, "kinds": {KIND: ["a"]}},
    "a time that is text": document(a="yesterday"),
    "a time that is true": document(a=True),
    "a time that is no number": document(a=float("nan")),
    "a time without end": document(a=float("inf")),
    "a time that no float holds": f'{{"version": 1, "kinds": {{"{KIND}": {{"a": 1{"0" * 400}}}}}}}',
    "a number too long to read": f'{{"version": 1, "kinds": {{"{KIND}": {{"a": 1{"0" * 5000}}}}}}}',
    "a name that is empty": {"version": 1, "kinds": {KIND: {"": None}}},
    "a name that is no text": {"version": 1, "kinds": {KIND: {"\ud800": None}}},
    "a name that is no device's": {"version": 1, "kinds": {KIND: {"../x": None}}},
}


@pytest.mark.parametrize("what", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_record_is_told_of_and_made_anew(tmp_path: Path, what: Any) -> None:
    path = tmp_path / "devices.json"
    path.write_bytes(
        what if isinstance(what, bytes) else (what if isinstance(what, str) else json.dumps(what)).encode()
    )
    ledger = Ledger(str(tmp_path))
    found, problem = ledger.read(settings())
    assert found == {}
    assert str(problem) == (
        f"{path}: cannot be read: it is damaged; devices that vanished before now are forgotten; nothing else is lost"
    )
    assert ledger.write(inventory(a=GONE)) is None
    assert read(tmp_path) == {KIND: {"a": 12.5}}


def test_any_document_is_read_or_told_of(tmp_path: Path) -> None:
    values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)

    @hypothesis(deadline=None)
    @given(st.dictionaries(st.text(max_size=3) | st.just("a"), values, max_size=3))
    def fuzz(devices: dict[str, Any]) -> None:
        (tmp_path / "devices.json").write_text(json.dumps(document(**devices)))
        found, problem = Ledger(str(tmp_path)).read(settings())
        assert (problem is None) is bool(found)
        for listing in found.values():
            "".join(listing.devices).encode()

    fuzz()


def test_a_directory_in_its_place_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "devices.json").mkdir()
    ledger = Ledger(str(tmp_path))
    assert "is a directory" in str(ledger.read(settings())[1])
    assert "cannot be written: is a directory" in str(ledger.write(inventory(a=UP)))


@pytest.mark.root
def test_a_full_disk_is_told_of_until_there_is_room(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", 64 * 1024) as place:
        ledger = Ledger(str(place))
        assert ledger.write(inventory(a=UP)) is None
        ballast = place / "ballast"
        with pytest.raises(OSError, match="No space"):
            ballast.write_bytes(bytes(100_000))
        for _ in range(2):
            assert str(ledger.write(inventory(a=GONE))) == (
                f"{place}/devices.json: cannot be written: no space left on device; "
                "see to the state directory; until then a restart forgets devices that vanished"
            )
        assert read(place) == {KIND: {"a": None}}
        ballast.unlink()
        assert ledger.write(inventory(a=GONE)) is None
        assert read(place) == {KIND: {"a": 12.5}}


@pytest.mark.root
def test_a_record_that_may_not_be_read_or_written_is_told_of(tmp_path: Path) -> None:
    Ledger(str(tmp_path)).write(inventory(a=UP))

    def attempt() -> str:
        ledger = Ledger(str(tmp_path))
        return f"{ledger.read(settings())[1]}\n{ledger.write(inventory(a=GONE))}"

    read_word, write_word = as_nobody(attempt, tmp_path).splitlines()
    assert "cannot be read: permission denied" in read_word
    assert "cannot be written: permission denied" in write_word
