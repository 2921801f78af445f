import pytest

from cdi.text.characters import decoded, line_and_column


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        ("é\U0001f600".encode(), "é\U0001f600"),
        (b"\xef\xbb\xbfa", "a"),
        (b"\xff\xfea\0", "a"),
        (b"\xfe\xff\0a", "a"),
        ("\x85\xa0\u2028".encode(), "\x85\xa0\u2028"),
    ],
)
def test_texts(data: bytes, text: str) -> None:
    found = decoded(data)
    assert (found.text, found.fault) == (text, None)


@pytest.mark.parametrize(
    ("data", "text", "fact"),
    [
        (b"ab\xff", "ab", "not UTF-8: invalid start byte"),
        (b"ab\xed\xa0\x80", "ab", "not UTF-8"),
        (b"ab\x00c", "ab", r"the character U+0000 is not allowed"),
        (b"ab\x7f", "ab", "U+007F"),
        ("ab\uffff".encode(), "ab", "U+FFFF"),
        (b"\xff\xfea\0\x00\xd8a\0", "a", "not UTF-16-LE"),
    ],
)
def test_texts_that_break_off(data: bytes, text: str, fact: str) -> None:
    found = decoded(data)
    assert found.text == text
    assert found.fault is not None
    assert fact in found.fault.message
    assert found.fault.position == len(text)


@pytest.mark.parametrize(
    ("data", "readable"),
    [
        (b"a" * 100 + b"\xff", 0),
        (b"a" * 600 + b"\xff", 512),
        (b"a" * 511 + b"\xff", 0),
        (b"a" * 512 + b"\xff", 512),
        (b"a" * 100 + b"\xc3", 100),  # which may yet go on, until the file is at its end
        (("é" * 512).encode() + b"\xff", 512),
        (b"a" + ("é" * 512).encode() + b"\xff", 512),
        (b"a" * 511 + "\uffff".encode(), 511),
        (b"\xef\xbb\xbf" + b"a" * 600 + b"\xff", 509),
        (b"\xff\xfe" + b"a\0" * 300 + b"\x00\xdc", 255),
    ],
)
def test_faults_are_met_where_runtimes_read_them(data: bytes, readable: int) -> None:
    assert decoded(data).readable == readable


@pytest.mark.parametrize(
    ("text", "position", "place"),
    [
        ("", 0, (1, 1)),
        ("ab", 1, (1, 2)),
        ("a\nb", 2, (2, 1)),
        ("a\r\nb\rc", 5, (3, 1)),
        ("a\u2028bc", 3, (2, 2)),
        ("a\n", 2, (2, 1)),
    ],
)
def test_lines_and_columns(text: str, position: int, place: tuple[int, int]) -> None:
    assert line_and_column(text, position) == place
