import time

import pytest

from cdi.text.places import position, positions

JSON = b"""\
{
  "a": 1, "b": [2,
    {"c": "x", "d.e": [true]}],
  "Name": null
}
"""
YAML = b"""\
a: &x {p: 1}
b:
- 2
- c: y
  "d.e": [true]
Name: *x
"""


@pytest.mark.parametrize(
    ("path", "json_place", "yaml_place"),
    [
        ("", (1, 1), (1, 1)),
        ("a", (2, 8), (1, 4)),
        ("b", (2, 16), (3, 1)),
        ("b[0]", (2, 17), (3, 3)),
        ("b[1]", (3, 5), (4, 3)),
        ("b[1].c", (3, 11), (4, 6)),
        ('b[1]["d.e"][0]', (3, 24), (5, 11)),
        ("name", (4, 11), (6, 7)),
        ("name.p", (4, 11), (1, 11)),
        ("none", (1, 1), (1, 1)),
        ("b[7]", (2, 16), (3, 1)),
        ("a.b.c", (2, 8), (1, 4)),
    ],
)
def test_places(path: str, json_place: tuple[int, int], yaml_place: tuple[int, int]) -> None:
    assert position(JSON, path) == json_place
    assert position(YAML, path) == yaml_place


@pytest.mark.parametrize(
    ("data", "place"),
    [(b"", (1, 1)), (b"a: b: c", (1, 5)), (b'{"a": \xff', (1, 7)), (b'{"a"; 1}', (1, 5)), (b"[" * 9999, (1, 65))],
)
def test_broken_texts_have_places_too(data: bytes, place: tuple[int, int]) -> None:
    assert position(data, "a") == place


def test_many_places_are_found_at_once() -> None:
    paths = ["b[1].c", "none", "", "name", "b[1]", "b[1].c"]
    for data in (JSON, YAML):
        assert positions(data, paths) == [position(data, path) for path in paths]
    assert positions(JSON, []) == []


def test_many_places_cost_as_much_as_one() -> None:
    data = b"devices:\n" + b"".join(b"- {name: a, containerEdits: {env: [A=1]}}\n" for _ in range(2_000))
    paths = [f"devices[{number}].name" for number in range(0, 2_000, 20)]
    start = time.monotonic()
    one = position(data, paths[-1])
    middle = time.monotonic()
    assert positions(data, paths)[-1] == one == (1_982, 10)
    assert time.monotonic() - middle < 20 * (middle - start)  # a reading for each would be 100


def test_a_place_in_a_large_file_is_found_fast() -> None:
    devices = b",".join(b'{"name": "a", "containerEdits": {}}' for _ in range(100_000))
    assert position(b'{"devices": [\n' + devices + b"]}", "devices[99999].name") == (2, 3_599_974)
