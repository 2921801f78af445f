import pytest

from cdi.errors import CDIError
from cdi.text import tree
from cdi.wire import Tree


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("a: [1, b, {c: ~}]", {"a": [1, "b", {"c": None}]}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("<<: [{a: 1}, {b: 2}]", {"a": 1, "b": 2}),
        ("'<<': {a: 1}", {"<<": {"a": 1}}),
        ("!!merge x: {a: 1}", {"x": {"a": 1}}),
        ("!!merge <<: {a: 1}", {"a": 1}),
        ("{1: a, 1.5: b, true: c, .inf: d, 1e39: e}", {"1": "a", "1.5": "b", "true": "c", ".inf": "e"}),
        ("{1: a, 1.0: b}", {"1": "b"}),
        ("!!set {a, b}", {"a": None, "b": None}),
        ("!!str [a]", ["a"]),
    ],
)
def test_trees(text: str, expected: Tree) -> None:
    assert tree.read(text.encode()).tree == expected


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("a: 1\na: 2", "a.yaml:2:1: the key 'a' stands here already"),
        ("a: 1\n<<: {a: 2}", "the key 'a' stands here already"),
        ("y: 1\nyes: 2", "the key True stands here already"),
        ("<<: [{a: 1}, {a: 2}]", "the key 'a' stands here already"),
        ("<<: 5", "only maps can be merged"),
        ("a: &x 5\n<<: *x", "only maps can be merged"),
        ("[a]: b", "a map or list cannot be a key"),
        ("~: b", "null or an integer of more than 63 bits cannot be a key"),
        ("18446744073709551615: b", "cannot be a key"),
        ("a: &x [*x]", "contains itself"),
        ("a: &x {<<: *x}", "contains itself"),
        ("a: b\x7f", "U\\+007F is not allowed"),
    ],
)
def test_what_is_wrong(text: str, fact: str) -> None:
    with pytest.raises(CDIError, match=fact):
        tree.read(text.encode(), "a.yaml")


@pytest.mark.parametrize(
    ("aliases", "is_read"),
    # A list of ten thousand, read again and again: up to 99 in 100 may come of it, and less in larger texts.
    [(10, True), (39, True), (200, False)],
)
def test_aliases_may_make_a_part_of_the_text(aliases: int, is_read: bool) -> None:
    text = f"- &x [{', '.join('a' * 10_000)}]\n" + "- *x\n" * aliases
    if is_read:
        assert len(tree.read(text.encode()).tree) == aliases + 1
    else:
        with pytest.raises(CDIError, match="aliases make too much of this text"):
            tree.read(text.encode())


def test_a_large_text_is_refused_unread() -> None:
    with pytest.raises(CDIError, match=r"a.yaml: the file has 2097153 bytes; at most 2097152 are read"):
        tree.read(b"#" * (tree.MAX_SIZE + 1), "a.yaml")
