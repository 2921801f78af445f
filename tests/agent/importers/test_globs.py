from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.importers.globs import UntranslatableError, common_start, from_go, is_literal, literal
from agent.patterns import path_pattern

SAME = ["/dev/dm-*", "/dev/ttyUSB?", "/dev/sd[a-c]", "/dev/crypto/nx-gzip", "/dev/a b", "/dev/{x}", "/dev/!", "/dev/a]"]

OTHER = [
    ("/dev/**", "/dev/*"),
    ("/dev/**/x", "/dev/*/x"),
    ("/dev//dm-*", "/dev/dm-*"),
    ("/dev/./dm-*", "/dev/dm-*"),
    ("/dev/dm-*/", "/dev/dm-*"),
    ("/dev/[^a]x", "/dev/[!a]x"),
    ("/dev/[!a]x", "/dev/[a!]x"),
    ("/dev/[^!a]x", "/dev/[!a!]x"),
    ("/dev/[a]x", "/dev/ax"),
    (r"/dev/\*", "/dev/[*]"),
    (r"/dev/\x", "/dev/x"),
    (r"/dev/\[x", "/dev/[[]x"),
    (r"/dev/a\\b", "/dev/a\\b"),
    (r"/dev/[\]a]", "/dev/[]a]"),
    (r"/dev/[a\-c]", "/dev/[ac-]"),
    (r"/dev/[\*]", "/dev/[*]"),
    (r"/dev/[\^b]", "/dev/[b^]"),
    ("/dev/[z-ab]", "/dev/b"),
    ("/dev/[a-cx-z_]", "/dev/[a-cx-z_]"),
]

REFUSED = [
    ("dm-*", "it is not an absolute path"),
    ("", "it is not an absolute path"),
    ("/", "it leads nowhere below a directory"),
    ("/dev/../etc", "it leads nowhere below a directory"),
    ("/dev/[", "its set of characters is not closed"),
    ("/dev/[a", "its set of characters is not closed"),
    ("/dev/[]a]", "its set of characters is malformed"),
    ("/dev/[a-]", "its set of characters is malformed"),
    ("/dev/[-a]", "its set of characters is malformed"),
    ("/dev/[a/b]", "its set of characters is not closed"),
    ("/dev/[z-a]", "its set of characters is empty"),
    ("/dev/a\\", "it ends in a backslash"),
    (r"/dev/[\^!]", "its set of characters cannot be written here"),
    ("/dev/\0", "a glob cannot hold a NUL character"),
]


@pytest.mark.parametrize(("go", "ours"), [*((one, one) for one in SAME), *OTHER])
def test_a_glob_of_go_is_told_in_ours(go: str, ours: str) -> None:
    assert from_go(go) == ours


@pytest.mark.parametrize(("go", "reason"), REFUSED)
def test_what_go_refuses_or_we_cannot_tell_is_refused_with_a_reason(go: str, reason: str) -> None:
    with pytest.raises(UntranslatableError, match=reason):
        from_go(go)


@given(st.text(min_size=1, max_size=12).filter(lambda text: "\0" not in text and "/" not in text))
def test_a_literal_matches_itself_alone(text: str) -> None:
    pattern = path_pattern(f"/dev/x{literal(text)}")
    assert pattern.matches(f"/dev/x{text}")
    assert not pattern.matches(f"/dev/x{text}y")


def go_matches(pattern: str, name: str) -> bool:
    """Go's ``path.Match`` as its documentation puts it, for one component, by trying everything."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(go_matches(pattern[1:], name[start:]) for start in range(len(name) + 1))
    if not name:
        return False
    if pattern[0] == "?":
        return go_matches(pattern[1:], name[1:])
    if pattern[0] == "[":
        end = pattern.index("]")
        content = pattern[1:end]
        negated = content[0] == "^"
        members = content[1:] if negated else content
        return (name[0] in members) is not negated and go_matches(pattern[end + 1 :], name[1:])
    return pattern[0] == name[0] and go_matches(pattern[1:], name[1:])


PIECES = st.sampled_from(["a", "b", "!", "*", "?", "[ab]", "[^a]", "[!a]", "[^!b]", "1"])


@given(st.lists(PIECES, min_size=1, max_size=6).map("".join), st.text("ab1!", min_size=1, max_size=5))
def test_both_match_the_same_names(go: str, name: str) -> None:
    assert path_pattern(from_go(f"/dev/{go}")).matches(f"/dev/{name}") == go_matches(go, name)


@pytest.mark.parametrize(
    ("go", "plain"), [("/dev/kvm", True), ("/dev/*", False), ("/dev/[a]", False), ("/a\\b", False)]
)
def test_a_pattern_is_told_from_a_path(go: str, plain: bool) -> None:
    assert is_literal(go) == plain


@pytest.mark.parametrize(
    ("globs", "start"),
    [
        (("/dev/ttyUSB*",), "/dev/ttyUSB"),
        (("/dev/ttyUSB*", "/dev/ttyACM?"), "/dev/tty"),
        (("/dev/a", "/dev/a[0-9]"), "/dev/a"),
        (("/dev/**", "/dev/a"), "/dev/"),
        ((), ""),
    ],
)
def test_what_all_matches_begin_with(globs: tuple[str, ...], start: str) -> None:
    assert common_start(globs) == start
