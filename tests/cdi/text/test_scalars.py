import math

import pytest

from cdi.text.characters import TextError
from cdi.text.nodes import Node, Shape
from cdi.text.scalars import Scalar, value


def plain(text: str, tag: str = "") -> Scalar:
    full = f"tag:yaml.org,2002:{tag}" if tag and not tag.startswith("!") else tag
    return value(Node(Shape.SCALAR, 0, text, full, is_plain=not tag))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "a"),
        ("", None),
        ("~", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("y", True),
        ("On", True),
        ("tRUE", "tRUE"),
        ("no", False),
        ("<<", "<<"),
        ("5", 5),
        ("+5", 5),
        ("-0", 0),
        ("1_000", 1000),
        ("_1", "_1"),
        ("0777", 0o777),
        ("0o17", 0o17),
        ("08", 8.0),
        ("0x1F", 31),
        ("-0X1f", -31),
        ("0b11", 3),
        ("-0b11", -3),
        ("0x", "0x"),
        ("0b2", "0b2"),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 2.0**64),
        ("+18446744073709551615", 2.0**64),
        ("-9223372036854775808", -(2**63)),
        ("0x10000000000000000", "0x10000000000000000"),
        ("0" * 5000 + "7", 7),
        ("9" * 5000, "9" * 5000),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        (".5_0", 0.5),
        (".5_", ".5_"),
        ("1e3", 1000.0),
        ("1e400", "1e400"),
        (".", "."),
        ("-", "-"),
        ("1e", "1e"),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("inf", "inf"),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("٣", "٣"),
        ("1\u0663", "1\u0663"),
    ],
)
def test_untagged(text: str, expected: Scalar) -> None:
    found = plain(text)
    assert (type(found), found) == (type(expected), expected)


def test_not_a_number() -> None:
    found = plain(".nan")
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize(
    ("text", "tag", "expected"),
    [
        ("5", "str", "5"),
        ("null", "str", "null"),
        ("5", "int", 5),
        ("5", "float", 5.0),
        ("yes", "bool", True),
        ("", "null", None),
        ("2001-1-2", "timestamp", "2001-1-2"),
        ("2001-01-02 3:4:5.6", "timestamp", "2001-01-02 3:4:5.6"),
        ("2001-01-02T03:04:05Z", "timestamp", "2001-01-02T03:04:05Z"),
        ("YQ==", "binary", "a"),
        ("gIA\n=", "binary", "\ufffd\ufffd"),
        ("4oKi4oI=", "binary", "\u20a2\ufffd\ufffd"),
        ("5", "!x", "5"),
        ("5", "!", "5"),
        ("5", "set", "5"),
    ],
)
def test_tagged(text: str, tag: str, expected: Scalar) -> None:
    found = plain(text, tag)
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("a", "int"),
        ("5.0", "int"),
        ("", "float"),
        ("5", "bool"),
        ("a", "null"),
        ("18446744073709551615", "float"),
        ("a", "timestamp"),
        ("2001-02-30", "timestamp"),
        ("2001-01-02 25:00:00", "timestamp"),
        ("Y", "binary"),
        ("YQ=a", "binary"),
    ],
)
def test_texts_that_do_not_fit_their_tag(text: str, tag: str) -> None:
    with pytest.raises(TextError):
        plain(text, tag)


def test_quoted_text_is_text() -> None:
    assert value(Node(Shape.SCALAR, 0, "5")) == "5"
