from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agent.doctor.patient import Patient

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def patient() -> Iterator[Patient]:
    """A node that is well, in a directory of a name so short that a socket fits in it."""
    with tempfile.TemporaryDirectory(prefix="d-") as directory:
        Path(directory).chmod(0o755)
        yield Patient(Path(directory))
