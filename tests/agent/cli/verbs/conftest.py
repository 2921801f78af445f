"""A node with two vendors' specs, and one without any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.cli.verbs.node import GPUS, MODEMS, Node, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bare(tmp_path: Path) -> Node:
    """A node without specs."""
    return Node(tmp_path)


@pytest.fixture
def node(bare: Node) -> Node:
    """A node with two modems and a GPU."""
    write(bare.low / "acme.json", MODEMS)
    write(bare.high / "gpus.yaml", GPUS)
    return bare
