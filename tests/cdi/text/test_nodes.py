import pytest

from cdi.text.characters import Characters, TextError
from cdi.text.nodes import DEPTH, Node, Shape, first_document


def shown(node: Node | None) -> object:
    match node:
        case None:
            return None
        case Node(shape=Shape.SCALAR):
            return f"{node.tag} {node.value}" if node.tag else node.value
        case Node(shape=Shape.ALIAS):
            return f"*{node.value}"
        case Node(shape=Shape.SEQUENCE):
            return [shown(child) for child in node.children]
    pairs = iter(node.children)
    return [(shown(key), shown(value)) for key, value in zip(pairs, pairs, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("# nothing\n", None),
        ("---", ""),
        ("---\n---\na", ""),
        ("a", "a"),
        ("a: b\nc:\n- d\n-\ne:", [("a", "b"), ("c", ["d", ""]), ("e", "")]),
        ("- - a\n  - b\n-", [["a", "b"], ""]),
        ("? a\n? b\n: c", [("a", ""), ("b", "c")]),
        ("{a, b: , ? c : d, ? : e,}", [("a", ""), ("b", ""), ("c", "d"), ("", "e")]),
        ("[a: b, ? c : d, e,]", [[("a", "b")], [("c", "d")], "e"]),
        ("&a &b c", ""),
        ("&a !!str b", "tag:yaml.org,2002:str b"),
        ("!!str &a b", "tag:yaml.org,2002:str b"),
        ("%TAG !e! x:\n--- !e!y b", "x:y b"),
        ("a: &b\nc: *b", [("a", ""), ("c", "*b")]),
        ("{a: b} c", [("a", "b")]),
        ("a\n--- {[", "a"),
        ("a\n...\n}", "a"),
    ],
)
def test_documents(text: str, expected: object) -> None:
    assert shown(first_document(Characters(text)).root) == expected


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("...", "no value here"),
        ("[a", "no ',' or ']' here"),
        ("{a: b", "no ',' or '}' here"),
        ("[a}", "no ',' or ']' here"),
        ("[,]", "no value here"),
        ("a: b\n c: d", "no ':' can stand here"),
        ("- a\nb: c", "no item of the list"),
        ("a: b\n- c", "no key of the map"),
        ("*a", "no anchor &a"),
        ("!e!a b", "handle !e! is not declared"),
        ("%YAML 1.2\n--- a", "not YAML 1.1"),
        ("%YAML 1.1\n%YAML 1.1\n--- a", "not YAML 1.1"),
        ("%TAG !a! b\n%TAG !a! c\n--- d", "declared twice"),
        ("%YAML 1.1\na", "no --- behind"),
        ("[? : a]", "no ',' or ']' here"),
        ("{: a}", "no value here"),
        ("? a\n: b\n: c", "no key of the map"),
        ("a\n---\t@", None),
        ("'a'\n@", "no value can begin with '@'"),
        ("[" * (DEPTH + 1), f"more than {DEPTH} deep"),
    ],
)
def test_what_is_wrong(text: str, fact: str | None) -> None:
    if fact is None:
        first_document(Characters(text))
        return
    with pytest.raises(TextError, match=fact):
        first_document(Characters(text))


def test_a_document_has_an_end() -> None:
    assert first_document(Characters("a: b\n--- c")).end == 5
    assert first_document(Characters("a: b\n")).end == 5
