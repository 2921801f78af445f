from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agent.site import Site
from tests.agent.trees import Node

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A machine without any device."""
    for name in ("dev", "sys/devices", "sys/dev/char", "sys/dev/block"):
        (tmp_path / name).mkdir(parents=True)
    return Node(tmp_path)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for sockets: pytest's own are too deep for them."""
    with tempfile.TemporaryDirectory(prefix="cdi-") as one:
        yield Path(one)


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The directories of a node for an agent and a kubelet; their paths are short."""
    return Site(tmp_path_factory.mktemp("k"))
