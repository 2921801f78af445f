from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.kubelet.plugin import SmallPlugin, device
from tests.real.parts import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("mode", "code"), [(0o600, 0), (0o644, 1)])
def test_it_runs_in_the_foreground_and_prints_its_journal(tmp_path: Path, mode: int, code: int) -> None:
    command: list[str | Path] = [sys.executable, "-m", "tests.kubelet", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        assert process.stdout is not None
        lines = map(json.loads, process.stdout)

        def await_(what: str) -> dict[str, object]:
            return next(line for line in lines if line["what"] == what)

        await_("start")
        with SmallPlugin(tmp_path, [device("m0")], mode=mode) as plugin:
            plugin.register()
            assert await_("list")["healthy"] == 1
            process.send_signal(signal.SIGHUP)
            await_("stop")
            await_("start")
            process.send_signal(signal.SIGTERM)
            await_("stop")
        assert process.wait(30) == code
