from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from agent.image import inside

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("links", "path", "expected"),
    [
        ({}, "/etc/cdi", "etc/cdi"),
        ({}, "etc//./cdi/", "etc/cdi"),
        ({}, "/../../etc/../etc/cdi", "etc/cdi"),
        ({"etc/cdi": "/data/cdi"}, "/etc/cdi/a.json", "data/cdi/a.json"),
        ({"etc/cdi": "../data"}, "/etc/cdi", "data"),
        ({"etc/cdi": "../../../../../data"}, "/etc/cdi", "data"),
        ({"etc/cdi": "/../../data/.."}, "/etc/cdi", "."),
        ({"etc": "usr/etc", "usr/etc/cdi": "/data"}, "/etc/cdi/x", "data/x"),
        ({"etc/a": "b", "etc/b": "/c"}, "/etc/a", "c"),
    ],
)
def test_links_of_an_image_are_followed_inside_it(
    tmp_path: Path, links: dict[str, str], path: str, expected: str
) -> None:
    for link, target in links.items():
        (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / link).symlink_to(target)
    assert inside(str(tmp_path), path) == os.path.normpath(tmp_path / expected)


def test_the_root_itself_may_be_this_machine(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    assert inside("/", str(tmp_path / "link")) == str(tmp_path / "target")


def test_links_that_lead_in_circles_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many") as caught:
        inside(str(tmp_path), "/a/x")
    assert caught.value.errno == errno.ELOOP
