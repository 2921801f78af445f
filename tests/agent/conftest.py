from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.site import Site
from tests.agent.trees import Node

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A machine without any device."""
    for name in ("dev", "sys/devices", "sys/dev/char", "sys/dev/block"):
        (tmp_path / name).mkdir(parents=True)
    return Node(tmp_path)


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The directories of a node for an agent and a kubelet; their paths are short."""
    return Site(tmp_path_factory.mktemp("k"))
