from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.discovery.globs import Tree, expand, watched_directory
from agent.host import Blind, Unseen
from agent.patterns import path_pattern
from tests.agent.nested import nested
from tests.agent.users import as_nobody

FILES = ["a1", "a2", "b", ".hidden", "dir/a1", "dir/c", "dir/deep/a3", "other/a1", "[x]"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "link").symlink_to("dir")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


def found(tree: Path, glob: str) -> list[str]:
    return [os.path.relpath(path, tree) for path in expand(path_pattern(f"{tree}/{glob}"), Tree()).paths]


@pytest.mark.parametrize(
    ("glob", "paths"),
    [
        ("a1", ["a1"]),
        ("nothing", ["nothing"]),
        ("nothing/at/all", ["nothing/at/all"]),
        ("a*", ["a1", "a2"]),
        ("a?", ["a1", "a2"]),
        ("[ab]*", ["a1", "a2", "b"]),
        ("[[]x]", ["[x]"]),
        ("nothing*", []),
        ("nothing*/x", []),
        ("a1/*", []),
        ("[adl]*/a1", ["a1/a1", "a2/a1", "dangling/a1", "dir/a1", "link/a1", "loop/a1"]),
        ("*/a*", ["dir/a1", "link/a1", "other/a1"]),
        ("dir/*/a3", ["dir/a1/a3", "dir/c/a3", "dir/deep/a3"]),
        ("**/a3", ["dir/deep/a3"]),
        ("**/a1", ["a1", "dir/a1", "other/a1"]),
        ("dir/**", ["dir/a1", "dir/c", "dir/deep", "dir/deep/a3"]),
        ("d**3", ["dir/deep/a3"]),
        ("loop/*", []),
        ("dangling/*", []),
    ],
)  # fmt: skip
def test_the_paths_that_a_glob_matches(tree: Path, glob: str, paths: list[str]) -> None:
    assert found(tree, glob) == sorted(paths, key=lambda path: str(tree / path))
    assert expand(path_pattern(f"{tree}/{glob}"), Tree()).blind == ()


def test_a_directory_is_listed_once(tree: Path) -> None:
    listings = Tree()
    assert len(listings.names(str(tree / "dir"))) == 3
    (tree / "dir/new").touch()
    assert len(listings.names(str(tree / "dir"))) == 3
    assert len(Tree().names(str(tree / "dir"))) == 4


@pytest.mark.parametrize(
    ("glob", "deepest"), [("**", 1499), ("/".join("*" * 1100), 1100), ("/".join("a" * 1100), 1100)]
)
def test_directories_deeper_than_python_recurses(tmp_path: Path, glob: str, deepest: int) -> None:
    with nested(tmp_path, 1500):
        assert "/".join("a" * deepest) in found(tmp_path, glob)


def test_names_that_are_no_text_are_found(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).touch()
    (tmp_path / "new\nline").touch()
    assert found(tmp_path, "*") == ["new\nline", "\udcff"]


@pytest.mark.root
def test_a_directory_that_may_not_be_listed_is_blind(tree: Path) -> None:
    closed = tree / "dir"
    closed.chmod(0o711)

    def attempt() -> str:
        one, two = (expand(path_pattern(f"{tree}/{glob}"), Tree()) for glob in ("*/a*", "**/a1"))
        assert expand(path_pattern(f"{tree}/dir/a1"), Tree()).blind == ()
        assert (
            set(one.blind) == set(two.blind) == {Blind(str(closed), "cannot be listed: permission denied", below=True)}
        )
        return str([os.path.relpath(path, tree) for path in (*one.paths, *two.paths)])

    assert as_nobody(attempt, tree) == "['other/a1', 'a1', 'other/a1']"


@pytest.mark.root
def test_a_directory_whose_files_may_not_be_looked_at_is_blind(tree: Path) -> None:
    (tree / "dir").chmod(0o744)

    def attempt() -> str:
        expansion = expand(path_pattern(f"{tree}/**/a*"), Tree())
        return str(Unseen(expansion.blind).covers(f"{tree}/dir/deep/a3"))

    assert as_nobody(attempt, tree) == "True"


@pytest.mark.parametrize(
    ("glob", "directory"),
    [
        ("/dev/kvm", "/dev"),
        ("/dev/net/tun", "/dev/net"),
        ("/dev/dm-*", "/dev"),
        ("/dev/*/by-id/x", "/dev"),
        ("/dev/disk/by-id/*", "/dev/disk/by-id"),
        ("/dev/**", "/dev"),
        ("/dev/**/x", "/dev"),
        ("/*", "/"),
        ("/x", "/"),
        ("/opt/[ab]/x", "/opt"),
    ],
)
def test_the_directory_to_watch_is_the_deepest_that_is_sure(glob: str, directory: str) -> None:
    assert watched_directory(path_pattern(glob)) == directory
