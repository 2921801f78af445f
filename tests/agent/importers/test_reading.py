from __future__ import annotations

import pytest

from agent.config.files import ConfigError
from agent.importers.reading import SIZE_LIMIT, Item, documents, unwrapped

MAP = """\
kind: ConfigMap
data:
  conf.yaml: |
    - a: 1
      b: [x,
        y]
"""


def first(text: str) -> Item:
    return documents("f", text.encode())[0]


def reached(item: Item, *steps: str | int) -> Item:
    for step in steps:
        item = item.items()[step] if isinstance(step, int) else item.child(step)
    return item


@pytest.mark.parametrize(
    ("text", "steps", "place"),
    [
        ("a: 1\nb:\n  - x\n  - y: 2\n", ("b", 1, "y"), "f:4:8"),
        ("a: 1\nb:\n  - x\n  - y: 2\n", ("b", 1, "z"), "f:4:5"),
        ('{"a": [1,\n {"b": 2}]}', ("a", 1, "b"), "f:2:8"),
        ("a: &x {b: 1}\nc: *x\n", ("c", "b"), "f:1:11"),
        ("\n\na: 1", (), "f:3:1"),
    ],
)
def test_a_value_knows_its_place(text: str, steps: tuple[str | int, ...], place: str) -> None:
    assert reached(first(text), *steps).place == place


def test_a_text_in_a_config_map_keeps_the_lines_of_the_file() -> None:
    item = unwrapped(first(MAP), "conf.yaml")
    assert reached(item, 0, "b", 1).place == "f:6:5"
    assert unwrapped(first("a: 1"), "conf.yaml").value == {"a": 1}


def test_a_quoted_text_has_the_place_of_the_whole() -> None:
    item = unwrapped(first('kind: ConfigMap\ndata: {conf.yaml: "[1, 2]"}\n'), "conf.yaml")
    assert reached(item, 1).place == "f:2:19: data.conf.yaml"


def test_each_document_of_a_file_keeps_its_lines() -> None:
    one, other = documents("f", b"---\na: 1\n--- # more\n\nb: 2\n---\n")
    assert (one.value, other.value) == ({"a": 1}, {"b": 2})
    assert reached(other, "b").place == "f:5:4"


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ('{"A-B": 1}', "a-b", 1),
        ('{"a-b": 1, "A-B": 2}', "a-b", 1),
        ('{"a-b": null}', "a-b", None),
        ("{}", "a-b", None),
    ],
)
def test_members_are_found_as_gos_decoders_find_them(text: str, name: str, value: object) -> None:
    member = first(text).member(name)
    assert (member.value if member else None) == value


@pytest.mark.parametrize(
    ("text", "call", "message"),
    [
        ("a: 1", "items", "f:1:1: must be a list, not a table; write one item a line, each behind a dash"),
        ("[1]", "table", "f:1:1: must be a table, not a list; write keys and values"),
        ("[1]", "text", "f:1:1: must be a text, not a list; write it in quotes"),
        ("x", "truth", "f:1:1: must be true or false, not a text; write it without quotes"),
        ("1.5", "whole", "f:1:1: must be a whole number, not 1.5; write it without quotes"),
        ("yes", "whole", "f:1:1: must be a whole number, not True; write it without quotes"),
        ("-1", "count", "f:1:1: must be a number from 0 on, not -1; write a smaller or a greater one"),
        (
            "99999999999",
            "count",
            "f:1:1: must be a number from 0 on, not 99999999999; write a smaller or a greater one",
        ),
    ],
)
def test_another_type_is_a_fault_with_its_place(text: str, call: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        getattr(first(text), call)()
    assert str(raised.value) == message


@pytest.mark.parametrize(("text", "shown"), [("0403", "259"), ("yes", "true"), ("1.5", "1.5"), ('"0403"', "0403")])
def test_scalars_are_taken_for_text_as_json_would_have_them(text: str, shown: str) -> None:
    assert first(text).text() == shown


BROKEN = [
    (b"a: [", "f:1:5: this is not YAML: "),
    (b"\na: b: c", "f:2:5: this is not YAML: "),
    (b"\xff\xfe\xfa", "f:1:1: this is not YAML: "),
    (b"\x80", "f:1:1: this is not YAML: "),
    (b"a: \x00", "f:1:4: this is not YAML: "),
    (b"a: 1\na: 2", "f:2:1: this is not YAML: the key 'a' stands here already"),
    (b"[" * 5000, "f:1:65: this is not YAML: "),
    (b"a: &a [*a]", "f:1:8: this is not YAML: "),
    (b"{" + b"a: " * 5000, "f:1:"),
    (b"x" * (SIZE_LIMIT + 1), "f: is larger than 256 KiB; this is hardly a configuration"),
    (b"---\na\n" * 100, "f: has more than 64 documents"),
]


@pytest.mark.parametrize(("data", "message"), BROKEN, ids=range(len(BROKEN)))
def test_hostile_text_is_refused_in_a_sentence(data: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        documents("f", data)
    assert str(raised.value).startswith(message)


def test_a_bomb_of_aliases_is_refused() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    with pytest.raises(ConfigError, match="aliases make too much"):
        documents("f", text.encode())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: ConfigMap", "f:1:1: this ConfigMap has no data; "),
        ("kind: ConfigMap\ndata: {}", "f:1:1: this ConfigMap has no data; "),
        ("kind: ConfigMap\ndata: {a: x, b: y}", "f:2:7: data: none of these is called conf.yaml; "),
        ("kind: ConfigMap\ndata: {a: null}", "f:2:7: data: a is empty; "),
        ("kind: ConfigMap\ndata: {a: '['}", "f:2:11: data.a: this is not YAML: "),
    ],
)
def test_a_config_map_without_the_configuration_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        unwrapped(first(text), "conf.yaml")
    assert str(raised.value).startswith(message)
