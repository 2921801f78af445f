from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agent.runtimes.answers import KeyChange
from agent.setup import journal
from agent.setup.files import FileError
from agent.setup.journal import Journal, Step

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STEPS = [
    Step("/etc/x.toml", b"a = 1\n", b"a = 2\n", (KeyChange(("a",), "2", "1"),), ["/etc"]),
    Step("/etc/y.toml", None, b"new"),
]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A journal of two steps."""
    with Journal(str(tmp_path), "containerd") as opened:
        opened.record(STEPS)
    return tmp_path / "setup/containerd/journal.json"


def test_the_steps_come_back(book: Path) -> None:
    assert journal.read(str(book.parent)) == STEPS


def test_without_a_journal_there_are_no_steps(tmp_path: Path) -> None:
    assert journal.read(str(tmp_path)) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("steps"),
        lambda document: document.update(steps=5),
        lambda document: document["steps"].append("a step"),
        lambda document: document["steps"][0].pop("path"),
        lambda document: document["steps"][0].update(path=5),
        lambda document: document["steps"][0].update(before="../../../etc/passwd"),
        lambda document: document["steps"][0].update(after=None),
        lambda document: document["steps"][0].update(directories="etc"),
        lambda document: document["steps"][0].update(directories=[5]),
        lambda document: document["steps"][0].update(keys={}),
        lambda document: document["steps"][0]["keys"][0].update(path=[5]),
        lambda document: document["steps"][0]["keys"][0].update(after=5),
        lambda document: document["steps"][0]["keys"][0].update(before=[]),
        lambda document: document["steps"][0]["keys"][0].update(strange="x"),
    ],
)
def test_what_is_damaged_is_said_to_be(book: Path, spoil: Callable[[Any], object]) -> None:
    document = json.loads(book.read_text())
    spoil(document)
    book.write_text(json.dumps(document))
    assert_damaged(book)


@pytest.mark.parametrize("data", [b"", b"\xff", b"null", b"[" * 100_000, b'{"steps": [' + b"[" * 100_000])
def test_what_is_no_document_is_damaged(book: Path, data: bytes) -> None:
    book.write_bytes(data)
    assert_damaged(book)


def assert_damaged(book: Path) -> None:
    with pytest.raises(FileError, match=r"journal\.json: is damaged; the originals lie beside it \(\*\.before\)"):
        journal.read(str(book.parent))
