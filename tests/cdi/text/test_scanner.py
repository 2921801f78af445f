import pytest

from cdi.text.characters import Characters, TextError
from cdi.text.scanner import Scanner
from cdi.text.tokens import Kind


def tokens(text: str) -> list[str]:
    scanner = Scanner(Characters(text))
    found = []
    while (token := scanner.take()).kind is not Kind.STREAM_END:
        shown = {Kind.PLAIN: repr(token.value), Kind.QUOTED: repr(token.value)}
        found.append(shown.get(token.kind, f"{token.kind.name} {token.value}{token.suffix}".strip()))
    return found


def scalar(text: str) -> str:
    scanner = Scanner(Characters(text))
    while (token := scanner.take()).kind not in {Kind.PLAIN, Kind.QUOTED}:
        pass
    return token.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a: b", ["BLOCK_MAPPING_START", "KEY", "'a'", "VALUE", "'b'", "BLOCK_END"]),
        ("- a", ["BLOCK_SEQUENCE_START", "BLOCK_ENTRY", "'a'", "BLOCK_END"]),
        ("[a, b]", ["FLOW_SEQUENCE_START", "'a'", "FLOW_ENTRY", "'b'", "FLOW_SEQUENCE_END"]),
        ('{"a":1}', ["FLOW_MAPPING_START", "KEY", "'a'", "VALUE", "'1'", "FLOW_MAPPING_END"]),
        ("--- a\n...", ["DOCUMENT_START", "'a'", "DOCUMENT_END"]),
        ("%YAML 1.1\n---", ["VERSION 1.1", "DOCUMENT_START"]),
        ("%TAG !e! tag:x,2000:\n---", ["TAG_HANDLE !e!tag:x,2000:", "DOCUMENT_START"]),
        ("&a !!b *c", ["ANCHOR a", "TAG !!b", "ALIAS c"]),
        ("!<x> !a !e!%41", ["TAG x", "TAG !a", "TAG !e!A"]),
        ("? a\n: b", ["BLOCK_MAPPING_START", "KEY", "'a'", "VALUE", "'b'", "BLOCK_END"]),
        # An empty flow collection is forgotten as a key, so that its tokens come in this odd order.
        (
            "[]: a",
            ["FLOW_SEQUENCE_START", "FLOW_SEQUENCE_END", "KEY", "BLOCK_MAPPING_START", "VALUE", "'a'", "BLOCK_END"],
        ),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b  c ", "a b  c"),
        ("a#b #c", "a#b"),
        ("a\n  b", "a b"),
        ("a\n\n\n  b", "a\n\nb"),
        ("a\u2028b", "a\u2028b"),
        ("a:b", "a:b"),
        ("-a", "-a"),
        ("[a?b]", "a"),
        ("'it''s'", "it's"),
        ("'a\n\n b'", "a\nb"),
        ("'a  b'", "a  b"),
        ('"a\\tb\\x41\\u0042\\U00000043"', "a\tbABC"),
        ('"a \\\n  b"', "a b"),
        ('"a\\\n\n b"', "a\nb"),
        ('"a\r\n b"', "a b"),
        ('"a\x85 b"', "a b"),
        ('"a\u2028\u2028b"', "a\u2028\u2028b"),
        ("|\n a\n  b\n\n", "a\n b\n"),
        ("|-\n a\n", "a"),
        ("|+\n a\n\n", "a\n\n"),
        ("|2-\n   a", " a"),
        ("|-2\n   a", " a"),
        (">\n a\n b\n\n c\n", "a b\nc\n"),
        (">\n a\n  b\n c\n", "a\n  b\nc\n".replace("  b", " b")),
        ("| # comment\n a", "a"),
    ],
)
def test_scalars(text: str, expected: str) -> None:
    assert scalar(text) == expected


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("\ta", "no value can begin with '\\\\t'"),
        ("@a", "no value can begin with '@'"),
        ("'a", "never closed"),
        ("'a\n---\n'", "a document ends inside of quotes"),
        ('"\\/"', "no escape"),
        ('"\\x4"', "too few hexadecimal digits"),
        ('"\\ud83d\\ude00"', "no surrogate pairs"),
        ("|0\n a", "indented by 0"),
        ("|x\n a", "only a comment can stand behind"),
        ("a: |\n\ta", "a tab stands where spaces indent"),
        ("a: b\n\tc", "a tab indents a line"),
        ("a: b: c", "no ':' can stand here"),
        ("a\nb: c", "no ':' can stand here"),
        ("a: - b", "no item of a list can stand here"),
        ("a: ? b", "no key can stand here"),
        ("a: b\nc\n", "no ':' behind this key"),
        ("&", "the name of an anchor"),
        ("*a!", "the name of an anchor"),
        ("!<a", "no '>'"),
        ("!a|", "the tag has no end"),
        ("!%4", "not like %20"),
        ("!%ff", "not UTF-8"),
        ("%FOO\n", "no such directive"),
        ("%YAML 1", "not two numbers"),
        ("%YAML 123.1", "not two"),
        ("%YAML 1.1 x\n", "only a comment"),
        ("%TAG !a b", "not like !name!"),
        ("%TAG a b", "does not begin with '!'"),
        ("%TAG ! ", "the tag is empty"),
    ],
)
def test_what_is_wrong(text: str, fact: str) -> None:
    with pytest.raises(TextError, match=fact):
        tokens(text)


@pytest.mark.parametrize(("length", "is_key"), [(1022, True), (1023, False)])
def test_a_key_has_at_most_so_many_characters(length: int, is_key: bool) -> None:
    assert ("KEY" in tokens(f'{{"{"k" * length}": 1}}')) is is_key


def test_only_what_is_asked_for_is_scanned() -> None:
    scanner = Scanner(Characters("a\n--- @"))
    assert [scanner.take().kind for _ in range(2)] == [Kind.PLAIN, Kind.DOCUMENT_START]


def test_a_fault_behind_what_was_scanned_is_not_met() -> None:
    fault = TextError("broken", 600)
    text = "a\n---\n" + " " * 594
    scanner = Scanner(Characters(text, fault, 512))
    scanner.take()
    scanner.peek()
    scanner.finish()
    scanner.take()
    scanner.peek()
    with pytest.raises(TextError, match="broken"):
        scanner.finish()
