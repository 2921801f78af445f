from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.positions import Place, nearest, places

if TYPE_CHECKING:
    from agent.toml import Path

CASES = [
    ("", {}),
    ("# only a comment", {}),
    ("a = 1", {("a",): (1, 1)}),
    ("\n\n  a=1", {("a",): (3, 3)}),
    ("a = 1 # b = 2\nb = 3", {("a",): (1, 1), ("b",): (2, 1)}),
    ('a = "# [x]\\" = "\nb = 1', {("a",): (1, 1), ("b",): (2, 1)}),
    ("a = '\\'\nb = 1", {("a",): (1, 1), ("b",): (2, 1)}),
    ('a = """\nb = 1\n"""\nc = 1', {("a",): (1, 1), ("c",): (4, 1)}),
    ('a = """x\\""" ""y"""""\nc = 1', {("a",): (1, 1), ("c",): (2, 1)}),
    ('a = ""\nb = """"""\nc = \'\'\'\'\'\'\nd = 1', {("a",): (1, 1), ("b",): (2, 1), ("c",): (3, 1), ("d",): (4, 1)}),
    ("a = '''x'''''\nc = 1", {("a",): (1, 1), ("c",): (2, 1)}),
    ("a.b . c = 1", {("a",): (1, 1), ("a", "b"): (1, 1), ("a", "b", "c"): (1, 1)}),
    ('"a b"."c\\u0064" = 1', {("a b",): (1, 1), ("a b", "cd"): (1, 1)}),
    ("'a.b' = 1\n\"\" = 2", {("a.b",): (1, 1), ("",): (2, 1)}),
    (
        "a = [1, [2,\n 3]]",
        {("a",): (1, 1), ("a", 0): (1, 6), ("a", 1): (1, 9), ("a", 1, 0): (1, 10), ("a", 1, 1): (2, 2)},
    ),
    ("a = [ # x ]\n  'y', # z\n]\nb = 1", {("a",): (1, 1), ("a", 0): (2, 3), ("b",): (4, 1)}),
    (
        "a = { b = 1, c.d = [2] }",
        {
            ("a",): (1, 1),
            ("a", "b"): (1, 7),
            ("a", "c"): (1, 14),
            ("a", "c", "d"): (1, 14),
            ("a", "c", "d", 0): (1, 21),
        },
    ),
    ("a = {}\nb = []\nc = [{}]", {("a",): (1, 1), ("b",): (2, 1), ("c",): (3, 1), ("c", 0): (3, 6)}),
    ("a = 1979-05-27 07:32:00\nb = -1.5e3", {("a",): (1, 1), ("b",): (2, 1)}),
    ("[a]\nb = 1", {("a",): (1, 1), ("a", "b"): (2, 1)}),
    ("  [ a . 'b' ] # x\nc = 1", {("a",): (1, 3), ("a", "b"): (1, 3), ("a", "b", "c"): (2, 1)}),
    ("[a.b]\n[a]\nc = 1", {("a",): (1, 1), ("a", "b"): (1, 1), ("a", "c"): (3, 1)}),
    (
        "[[a]]\nb = 1\n[[a]]\nb = 2",
        {("a",): (1, 1), ("a", 0): (1, 1), ("a", 0, "b"): (2, 1), ("a", 1): (3, 1), ("a", 1, "b"): (4, 1)},
    ),
    (
        "[[a]]\n[[a.b]]\nc = 1\n[a.b.d]\n[[a.b]]\n[[a]]\n[[a.b]]",
        {
            ("a",): (1, 1),
            ("a", 0): (1, 1),
            ("a", 0, "b"): (2, 1),
            ("a", 0, "b", 0): (2, 1),
            ("a", 0, "b", 0, "c"): (3, 1),
            ("a", 0, "b", 0, "d"): (4, 1),
            ("a", 0, "b", 1): (5, 1),
            ("a", 1): (6, 1),
            ("a", 1, "b"): (7, 1),
            ("a", 1, "b", 0): (7, 1),
        },
    ),
]


@pytest.mark.parametrize(("text", "found"), CASES)
def test_every_key_and_element_has_its_place(text: str, found: dict[Path, tuple[int, int]]) -> None:
    assert places(text) == {path: Place(*place) for path, place in found.items()}


def test_the_nearest_place_is_that_of_the_innermost_known_part() -> None:
    known = places("[a]\nb = { c = 1 }")
    assert nearest(known, ("a", "b", "c")) == Place(2, 7)
    assert nearest(known, ("a", "b", "x", 3)) == Place(2, 1)
    assert nearest(known, ("a", "y")) == Place(1, 1)
    assert nearest(known, ("z",)) is None
    assert nearest(known, ()) is None


def paths(value: Any, above: Path = ()) -> set[Path]:
    """Every path in a document."""
    match value:
        case dict():
            return {above, *(path for key, one in value.items() for path in paths(one, (*above, key)))}
        case list():
            return {above, *(path for index, one in enumerate(value) for path in paths(one, (*above, index)))}
    return {above}


TEXT = st.text("ab.\"'\\#[]{}=\n\té", max_size=5)
KEY = TEXT | st.sampled_from(["a", "b", "c-d"])
SCALAR = st.one_of(TEXT, st.integers(-9, 9), st.booleans(), st.floats(allow_nan=False), st.dates(), st.datetimes())
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3), max_leaves=8
)


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(KEY, VALUE, max_size=4))
def test_the_places_are_those_of_the_documents_keys(document: dict[str, Any]) -> None:
    text = tomlkit.dumps(document)
    parsed = tomllib.loads(text)
    found = places(text)
    assert found.keys() == paths(parsed) - {()}
    lines = text.split("\n")
    assert all(lines[place.line - 1][place.column - 1 :].strip() for place in found.values())


MULTILINE = st.text("ab\"\\' \n", max_size=8)


@settings(max_examples=250, deadline=None)
@given(st.lists(MULTILINE, min_size=1, max_size=3))
def test_no_string_hides_the_keys_behind_it(strings: list[str]) -> None:
    basic = (text.replace("\\", "\\\\").replace('"""', '""\\"') for text in strings)
    text = "".join(f'a{number} = """{one}"""\n' for number, one in enumerate(basic))
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert places(text).keys() == paths(parsed) - {()}
