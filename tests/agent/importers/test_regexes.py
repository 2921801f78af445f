from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.importers.globs import UntranslatableError
from agent.importers.regexes import globs, names
from agent.patterns import path_pattern

NAMES = [
    ("^snd$", ("snd",)),
    (r"^net/tun$", ("net/tun",)),
    (r"^net\/tun$", ("net/tun",)),
    (r"^a\.b$", ("a.b",)),
    ("^(video0|snd)$", ("video0", "snd")),
    ("^video0$|^snd$", ("video0", "snd")),
    ("^tty(S|USB)0$", ("ttyS0", "ttyUSB0")),
    ("^video[0-3]$", ("video0", "video1", "video2", "video3")),
    ("^rtc0?$", ("rtc", "rtc0")),
    ("^a{2}$", ("aa",)),
    (r"\Asnd\z", ("snd",)),
    ("^(?:snd)$", ("snd",)),
    (r"^i2c-\d$", tuple(f"i2c-{number}" for number in range(10))),
    ("^a{$", ("a{",)),
    ("^[]]$", ("]",)),
    ("^[a-]$", ("-", "a")),
    ("^//$", ()),
    # many, or no end of them
    ("snd", ()),
    ("^snd", ()),
    ("^video[0-9]*$", ()),
    ("^loop[0-9]{2}$", ()),
    ("^.$", ()),
    ("^[^a]$", ()),
    ("", ()),
]

GLOBS = [
    ("snd", ("**snd**",)),
    ("^snd", ("snd**",)),
    ("snd$", ("**snd",)),
    (".*", ("**",)),
    ("", ("**",)),
    ("^.*$", ("**",)),
    ("^vcsm.*$", ("vcsm**",)),
    ("^dm-.+$", ("dm-?**", "dm-/**")),
    ("^ttyS.$", ("ttyS?",)),
    ("^hci[0-9]*$", ("hci", "hci[0-9]", "hci[0-9][0-9]", "hci[0-9][0-9][0-9]")),
    ("^hci[0-9]+$", ("hci[0-9]", "hci[0-9][0-9]", "hci[0-9][0-9][0-9]")),
    (r"^hci\d{2,}$", ("hci[0-9][0-9]", "hci[0-9][0-9][0-9]")),
    ("^x[0-9]+?$", ("x[0-9]", "x[0-9][0-9]", "x[0-9][0-9][0-9]")),
    ("^loop[0-9]{2}$", ("loop[0-9][0-9]",)),
    ("^sd[a-z][0-9]?$", ("sd[a-z]", "sd[a-z][0-9]")),
    ("^snd/.*$", ("snd/**",)),
    ("^snd/.*/x$", ("snd/?**/x",)),
    ("/x$", ("?**/x",)),
    ("^snd/[^/]*$", ("snd/*",)),
    ("^[^/]*[^/]*$", ("*",)),
    ("^[^/]*.*$", ("**",)),
    ("^.*[^/]*$", ("**",)),
    ("^snd/[^/]+$", ("snd/?*",)),
    ("^a[^b]c$", ("a[!b]c", "a/c")),
    (r"^\w$", ("[0-9A-Za-z_]",)),
    ("^(USB|ACM)x", ("USBx**", "ACMx**")),
    (r"^a\*b$", ("a[*]b",)),
]

REFUSED = [
    ("(", "without a )"),
    (")", "without a ("),
    ("[", "a [ without a ]"),
    ("[a", "a [ without a ]"),
    ("*", "nothing to repeat"),
    ("a**", "repeats a repetition"),
    ("a{3}{2}", "repeats a repetition"),
    ("(?i)snd", "sets flags"),
    ("(?P<x>a)", "names a group"),
    (r"\bsnd", r"\b, which has no equivalent"),
    (r"\pL", r"\p, which has no equivalent"),
    ("[[:digit:]]", "names a class"),
    ("[z-a]", "runs backwards"),
    ("a$b", "anchor in its middle"),
    ("a^", "anchor in its middle"),
    ("^[a-z]*$", "without end"),
    ("^(ab)+$", "without end"),
    ("^a{1000}$", "more than 8 times"),
    ("^a{4,2}$", "at most fewer"),
    ("^(a|b|c){8}$", "more than 64 globs"),
    ("(" * 100, "nested too deeply"),
    ("a" * 1000, "longer than"),
    ("^$", "matches no name"),
    ("^/x", "matches no name"),
    ("^\\", "which has no equivalent"),
]


@pytest.mark.parametrize(("expression", "expected"), NAMES)
def test_few_names_are_told_one_by_one(expression: str, expected: tuple[str, ...]) -> None:
    assert names(expression) == expected


@pytest.mark.parametrize(("expression", "expected"), GLOBS)
def test_many_names_are_told_by_globs(expression: str, expected: tuple[str, ...]) -> None:
    assert globs(expression) == tuple(f"/dev/{glob}" for glob in expected)


@pytest.mark.parametrize(("expression", "reason"), REFUSED)
def test_what_cannot_be_told_is_refused_with_a_reason(expression: str, reason: str) -> None:
    with pytest.raises(UntranslatableError, match=re.escape(reason)):
        globs(expression)


ATOMS = st.sampled_from(["a", "b", "0", "/", r"\.", ".", "[ab]", "[0-9]", "[^a]", "[^/]", r"\d", "(a|b0)", "(?:b|/a)"])
REPEATS = st.sampled_from(["", "", "", "?", "*", "+", "{1,2}"])
EXPRESSIONS = st.builds(
    lambda start, body, end: f"{start}{''.join(body)}{end}",
    st.sampled_from(["", "^"]),
    st.lists(st.builds(str.__add__, ATOMS, REPEATS), max_size=4),
    st.sampled_from(["", "$"]),
)
PATHS = st.lists(st.text("ab01.", min_size=1, max_size=3).filter(lambda part: part not in (".", "..")), min_size=1,
                 max_size=3).map("/".join)  # fmt: skip


@settings(max_examples=1500)
@given(EXPRESSIONS, PATHS)
def test_globs_match_the_names_that_the_expression_does(expression: str, name: str) -> None:
    try:
        patterns = [path_pattern(glob) for glob in globs(expression)]
    except UntranslatableError:
        return
    expected = re.search(expression, name) is not None
    assert any(pattern.matches(f"/dev/{name}") for pattern in patterns) == expected
    if few := names(expression):
        assert (name in few) == expected


@settings(max_examples=500)
@given(st.text("ab0^$.*+?{}[]()|\\-,/:", max_size=12))
def test_any_text_is_told_or_refused(expression: str) -> None:
    with contextlib.suppress(UntranslatableError):
        assert globs(expression)
