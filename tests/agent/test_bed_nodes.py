"""The test bed tells the truth: with real device nodes the same is seen as with files that stand for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.config import files
from tests.agent.bed import Bed, Recording

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.root
@pytest.mark.parametrize("udevd", [True, False], ids=["udevd", "no-udevd"])
@pytest.mark.parametrize("recording", Recording.names())
def test_real_nodes_give_the_same_devices(tmp_path: Path, recording: str, *, udevd: bool) -> None:
    machines = [
        Bed(tmp_path / str(real), udevd=udevd, real=real).machine(Recording.read(recording)) for real in (True, False)
    ]
    for preset in files.preset_names():
        real, stand_in = (machine.seen(preset) for machine in machines)
        assert real == stand_in


def test_no_two_devices_of_a_recording_are_at_one_place() -> None:
    for name in Recording.names():
        devices = Recording.read(name).devices
        assert len({device.path for device in devices}) == len(devices)
        numbered = [(device.kind, device.number) for device in devices if device.node]
        assert len(set(numbered)) == len(numbered)
