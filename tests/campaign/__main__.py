"""Endless churn and trouble for the real agent: ``python -m tests.campaign [--minutes M] [--rounds N] [--seed S]``.

docs/reliability.md tells what is done and what must hold. Exit code 1: something did not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.campaign.campaign import Campaign, unmounted
from tests.real import parts
from tests.real.scratch import scratch

if TYPE_CHECKING:
    from tests.campaign.campaign import Record

_INSIDE = "CDI_SYNC_CAMPAIGN_INSIDE"
# Mounts and processes of its own: both are gone with the campaign, however it ends. The shell takes in orphans.
_ALONE = ["setpriv", "--pdeathsig", "KILL",
          "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
          "sh", "-c", '"$@"; exit "$?"', "sh"]  # fmt: skip
_EVERY = 10.0  # seconds between two lines of progress


def main() -> int:
    """Run, and print what was done and found."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--minutes", type=float, help="how long to go on; without --rounds, 10")
    parser.add_argument("--rounds", type=int, help="how many rounds to make")
    parser.add_argument("--seed", type=int, default=1, help="which course it takes (1)")
    parser.add_argument("--first", type=int, default=0, help="the round to begin with, to see one again (0)")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="form of the figures")
    options = parser.parse_args()
    try:
        parts.need("root", "devtmpfs", "zram", "loop", "namespaces", "udev", "faketime")
    except parts.MissingPartError as error:
        parser.exit(1, f"error: the campaign needs {error}\n")
    if _INSIDE not in os.environ:
        argv = [*_ALONE, sys.executable, "-m", "tests.campaign", *sys.argv[1:]]
        return subprocess.run(argv, check=False, env={**os.environ, _INSIDE: "1"}).returncode
    minutes = options.minutes if options.minutes or options.rounds else 10.0
    record = _run(options.seed, options.first, minutes, options.rounds)
    write = _write_json if options.output == "json" else _write_text
    write(record)
    return 1 if record.findings else 0


def _run(seed: int, first: int, minutes: float | None, rounds: int | None) -> Record:
    progress = _Progress()
    with scratch() as directory:
        home = directory / "t"
        home.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "campaign", home], check=True)
        campaign = Campaign(home, seed)

        def enough(record: Record) -> bool:
            late = minutes is not None and record.seconds >= 60 * minutes
            return late or (rounds is not None and record.rounds >= rounds)

        try:
            campaign.run(enough, first, progress.tell)
        finally:
            for service in (campaign.victim, campaign.witness):
                service.kill()
            unmounted(directory)
        return campaign.record


class _Progress:
    """Says on standard error how far it is."""

    def __init__(self) -> None:
        self._next = 0.0

    def tell(self, record: Record) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            witness = f"{record.sizes[-1].resident} KiB in the witness, " if record.sizes else ""
            sys.stderr.write(f"{record.seconds:.0f} s: {record.rounds} rounds, {record.events.total()} events, "
                             f"{record.faults.total()} faults, {witness}{len(record.findings)} findings\n")  # fmt: skip


def _write_json(record: Record) -> None:
    sys.stdout.write(json.dumps(record.document(), indent=2) + "\n")


def _write_text(record: Record) -> None:
    document = record.document()
    witness = document.pop("witness")
    for name, value in document.items():
        sys.stdout.write(f"{name}: {json.dumps(value, indent=2) if isinstance(value, (dict, list)) else value}\n")
    for name, series in witness.items():
        shown = series[:: max(1, len(series) // 12)]
        sys.stdout.write(f"{name} of the witness over the rounds: {' '.join(map(str, shown))}\n")


if __name__ == "__main__":
    sys.exit(main())
