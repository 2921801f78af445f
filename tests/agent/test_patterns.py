from __future__ import annotations

import time
import warnings
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.patterns import Pattern, PatternError, component_pattern, path_pattern, value_pattern

VALUES = [
    # pattern, what it matches, what it does not
    ("a", ["a"], ["A", "aa", "", "ba"]),
    ("*", ["", "a", "a/b", "\n", "é", "a\nb"], []),
    ("**", ["", "a/b"], []),
    ("?", ["a", "/", "\n"], ["", "ab"]),
    ("a*c", ["ac", "abc", "a/c", "a\nc"], ["acd", "bac"]),
    ("*a*", ["a", "bab"], ["", "b"]),
    ("mpath-*", ["mpath-", "mpath-360"], ["xmpath-1", "mpath"]),
    ("**/b", ["/b", "a/b", "a/a/b"], ["b", "ab"]),
    ("a**/b", ["a/b", "ax/b"], ["ab"]),
    ("[abc]", ["a", "c"], ["d", "", "ab"]),
    ("[a-c]x", ["ax", "cx"], ["dx", "-x"]),
    ("[a-c-e]", ["b", "-", "e"], ["d"]),
    ("[!a]", ["b", "/", "\n", "!"], ["a", "", "bb"]),
    ("[^a]", ["b", "^"], ["a"]),
    ("[!!a]", ["b", "^"], ["!", "a"]),
    ("[!^]", ["a", "!"], ["^"]),
    ("[^!^]", ["a"], ["^", "!"]),
    ("[]]", ["]"], ["[", ""]),
    ("[]a]", ["]", "a"], ["b"]),
    ("[!]]", ["a"], ["]"]),
    ("[!]a]b", ["cb"], ["]b", "ab"]),
    ("[[]", ["["], ["]"]),
    ("[-a]", ["-", "a"], ["b"]),
    ("[a-]", ["-", "a"], ["b"]),
    ("[--0]", ["-", ".", "/", "0"], ["1"]),
    ("[a&&b||c~~d]", ["a", "&", "b", "|", "c", "~", "d"], ["e"]),
    (r"[\d]", ["\\", "d"], ["1"]),
    (r"[\]", ["\\"], ["]"]),
    ("a.b", ["a.b"], ["axb"]),
    ("a+(b)|c{2}^$", ["a+(b)|c{2}^$"], ["aa"]),
    (r"a\*", ["a\\", "a\\x"], ["a*"]),
    ("]", ["]"], []),
    ("a]", ["a]"], []),
    ("0x1002", ["0x1002"], ["0x10021"]),
]

PATHS = [
    ("/dev/kvm", ["/dev/kvm"], ["/dev/kvm2", "/dev/kvm/x", "dev/kvm"]),
    ("/dev/*", ["/dev/kvm", "/dev/a\nb"], ["/dev/net/tun", "/dev"]),
    ("/dev/dm-?", ["/dev/dm-0"], ["/dev/dm-10", "/dev/dm-", "/dev/dm-/"]),
    ("/dev/dm-*", ["/dev/dm-10", "/dev/dm-"], ["/dev/dm-1/x"]),
    ("/dev/*/by-id/*", ["/dev/disk/by-id/x"], ["/dev/by-id/x", "/dev/a/b/by-id/x"]),
    ("/dev/**", ["/dev/kvm", "/dev/net/tun", "/dev/a/b/c"], ["/dev", "/devx/y"]),
    ("/dev/**/tun", ["/dev/tun", "/dev/net/tun", "/dev/a/b/tun"], ["/dev/xtun", "/dev/net/tun/x"]),
    ("/**/tun", ["/tun", "/dev/net/tun"], ["/dev/xtun"]),
    ("/dev/a**b", ["/dev/ab", "/dev/axb", "/dev/a/b", "/dev/a/x/b"], ["/dev/b"]),
    ("/dev/a**/b", ["/dev/a/b", "/dev/ax/b", "/dev/a/x/b"], ["/dev/ab"]),
    ("/dev/**/a*/**/b", ["/dev/a/b", "/dev/x/ay/z/b"], ["/dev/b", "/dev/xa/b"]),
    ("/dev/**a*b", ["/dev/ab", "/dev/a/ab", "/dev/x/aab"], ["/dev/a/b"]),
    ("/dev/x[!a]y", ["/dev/xby"], ["/dev/x/y", "/dev/xay"]),
    ("/dev/x[+-9]y", ["/dev/x+y", "/dev/x9y"], ["/dev/x/y"]),
    ("/dev/sd[a-c]", ["/dev/sda"], ["/dev/sdd", "/dev/sda1"]),
    ("/dev/serial/by-id/usb-*-if0[!1]*", ["/dev/serial/by-id/usb-a-if00-port0"], ["/dev/serial/by-id/usb-a-if01"]),
]


@pytest.mark.parametrize(("glob", "good", "bad"), VALUES)
def test_a_glob_for_values(glob: str, good: list[str], bad: list[str]) -> None:
    pattern = value_pattern(glob)
    assert [value for value in good if not pattern.matches(value)] == []
    assert [value for value in bad if pattern.matches(value)] == []


@pytest.mark.parametrize(("glob", "good", "bad"), PATHS)
def test_a_glob_for_paths(glob: str, good: list[str], bad: list[str]) -> None:
    pattern = path_pattern(glob)
    assert [path for path in good if not pattern.matches(path)] == []
    assert [path for path in bad if pattern.matches(path)] == []


@pytest.mark.parametrize(
    ("glob", "complaint"),
    [
        ("", "empty"),
        ("a[b", "unclosed"),
        ("[", "unclosed"),
        ("[]", "unclosed"),
        ("[!]", "unclosed"),
        ("[!", "unclosed"),
        ("[z-a]", "backwards, z-a"),
        ("[a--]", "backwards"),
        ("a\0b", "NUL"),
    ],
)
def test_a_glob_that_cannot_be_understood(glob: str, complaint: str) -> None:
    with pytest.raises(PatternError, match=complaint):
        value_pattern(glob)


@pytest.mark.parametrize(
    ("glob", "complaint"),
    [
        ("dev/kvm", "not an absolute path"),
        ("*", "not an absolute path"),
        ("", "not an absolute path"),
        ("/", "component"),
        ("/dev/", "component"),
        ("//dev", "component"),
        ("/dev/../kvm", "component"),
        ("/dev/./kvm", "component"),
        ("/dev/[a/b]", "inside a set"),
        ("/dev/[]/]x", "inside a set"),
        ("/dev/[!]/]x", "inside a set"),
        ("/dev/[a", "unclosed"),
        ("/dev/[b-a]", "backwards"),
        ("/dev/\0", "NUL"),
    ],
)
def test_a_path_glob_that_cannot_be_understood(glob: str, complaint: str) -> None:
    with pytest.raises(PatternError, match=complaint):
        path_pattern(glob)


@pytest.mark.parametrize(
    ("glob", "literal"),
    [("/dev/kvm", True), ("/dev/*", False), ("/dev/?", False), ("/dev/[a]", False), ("/dev/a]", True)],
)
def test_only_a_glob_without_wildcards_is_literal(glob: str, *, literal: bool) -> None:
    assert path_pattern(glob).literal is literal


def test_patterns_of_the_same_text_are_equal() -> None:
    assert value_pattern("a*") == value_pattern("a*") != value_pattern("b*")


HOSTILE = [
    (value_pattern, "*a*a*a*a*b", "a" * 10_000),
    (value_pattern, "*a*a*a*a*b", "a" * 10_000 + "c"),
    (value_pattern, "**/**/**/**/b", "/" * 10_000),
    (value_pattern, "*?*?*?*?b", "a" * 10_000),
    (value_pattern, "*[!b]*[!c]*[!d]*b", "a" * 10_000),
    (path_pattern, "/dev/*a*a*a*a*b", "/dev/" + "a" * 10_000),
    (path_pattern, "/dev/**/*a*a*a*a*b", "/dev/" + "a" * 4_000),
    (path_pattern, "/dev/**a**a**a**a**b", "/dev/" + "a" * 4_000),
    (path_pattern, "/**/*a*/**/*a*/**/*a*/**/*a*/b", "/a" * 2_000),
]


@pytest.mark.parametrize(("compile_glob", "glob", "value"), HOSTILE)
def test_no_value_makes_matching_slow(compile_glob: type[Pattern], glob: str, value: str) -> None:
    pattern = compile_glob(glob)  # type: ignore[call-arg]
    start = time.process_time()
    assert not pattern.matches(value)
    assert time.process_time() - start < 1.0


# A matcher too simple to be wrong, and too slow to be used.


def matches(glob: str, value: str, *, in_path: bool) -> bool:
    @cache
    def at(here: int, there: int) -> bool:
        if here == len(glob):
            return there == len(value)
        if glob.startswith("**/", here) and not glob.startswith("*", here - 1) and in_path and glob[here - 1] == "/":
            return at(here + 3, there) or any(
                value[end] == "/" and at(here + 3, end + 1) for end in range(there, len(value))
            )
        if glob[here] == "*":
            stars = len(glob[here:]) - len(glob[here:].lstrip("*"))
            crosses = stars > 1 or not in_path
            return any(
                at(here + stars, end) for end in range(there, len(value) + 1) if crosses or "/" not in value[there:end]
            )
        if there == len(value) or (in_path and glob[here] in "?[" and value[there] == "/"):
            return False
        if glob[here] == "?":
            return at(here + 1, there + 1)
        if glob[here] == "[":
            negated = glob[here + 1] in "!^"
            end = glob.index("]", here + 2 + negated)
            return (value[there] in members(glob[here + 1 + negated : end])) is not negated and at(end + 1, there + 1)
        return glob[here] == value[there] and at(here + 1, there + 1)

    return at(0, 0)


def members(text: str) -> set[str]:
    if len(text) > 2 and text[1] == "-":
        return {chr(code) for code in range(ord(text[0]), ord(text[2]) + 1)} | members(text[3:])
    return {text[0]} | members(text[1:]) if text else set()


GLOBS = st.lists(st.sampled_from([*"aabb/**?", "**", "/**/", "[ab]", "[!a]", "[]a]", "[+-9]", "[!!]"]))
VALUE = st.text("aaabbb///!]+", max_size=10)


@settings(max_examples=500, deadline=None)
@given(GLOBS.map("".join).filter(bool), VALUE)
def test_a_value_matches_exactly_when_it_should(glob: str, value: str) -> None:
    assert value_pattern(glob).matches(value) is matches(glob, value, in_path=False)


@settings(max_examples=500, deadline=None)
@given(GLOBS.map(lambda parts: "/a" + "".join(parts)), VALUE.map(lambda text: "/a" + text))
def test_a_path_matches_exactly_when_it_should(glob: str, path: str) -> None:
    try:
        pattern = path_pattern(glob)
    except PatternError:
        return
    assert pattern.matches(path) is matches(glob, path, in_path=True)


@settings(max_examples=500, deadline=None)
@given(st.text("[]!^-/*?.\\az&|~\n", max_size=8))
def test_every_text_is_a_glob_or_an_error_and_no_warning(text: str) -> None:
    with warnings.catch_warnings(action="error"):
        for compile_glob, glob in ((value_pattern, text), (path_pattern, f"/{text}")):
            try:
                pattern = compile_glob(glob)
            except PatternError:
                continue
            pattern.matches(glob)
            if compile_glob is path_pattern:
                assert [component_pattern(part).text for part in glob[1:].split("/")] == glob[1:].split("/")
