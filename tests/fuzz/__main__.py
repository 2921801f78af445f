"""Fuzz the parsers: ``python -m tests.fuzz [TARGET...] [--count N] [--seed S]``; without a target, all of them.

docs/reliability.md tells what each must hold. Exit code 1: one did not.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import traceback
from dataclasses import asdict, dataclass

from tests.cdi.strategies import mutated
from tests.fuzz.targets import TARGETS

_FINDINGS = 10  # after so many of one target, more would hardly tell anything new


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one target."""

    target: str
    inputs: int
    accepted: int
    findings: int
    seconds: float


def main() -> int:
    """Run, and print the counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(TARGETS)}")
    parser.add_argument("--count", type=int, default=10_000, help="inputs for each target (10000)")
    parser.add_argument("--seed", type=int, default=0, help="which inputs (0)")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="form of the counts")
    options = parser.parse_args()
    if unknown := sorted(set(options.targets) - TARGETS.keys()):
        parser.error(f"there is no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    results = []
    for name in options.targets or TARGETS:
        results.append(run(name, options.count, options.seed))
        if options.output == "text":
            sys.stdout.write(_line(results[-1]))
            sys.stdout.flush()
    if options.output == "json":
        sys.stdout.write(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    else:
        sys.stdout.write(f"{sum(result.inputs for result in results)} inputs in all\n")
    return 1 if any(result.findings for result in results) else 0


def run(name: str, count: int, seed: int) -> Result:
    """Give a target so many inputs; what it finds goes to standard error, with what is needed to see it again."""
    target = TARGETS[name]
    source, seeds = random.Random(f"{name}:{seed}"), target.seeds()
    begin, done, accepted, findings = time.monotonic(), 0, 0, 0
    while done < count and findings < _FINDINGS:
        data = mutated(source.choice(seeds), source, target.fragments)
        done += 1
        try:
            accepted += target.check(data)
        except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
            findings += 1
            sys.stderr.write(f"{name}, input {done} of seed {seed}: {data!r}\n{traceback.format_exc()}\n")
    return Result(name, done, accepted, findings, round(time.monotonic() - begin, 1))


def _line(result: Result) -> str:
    return (f"{result.target}: {result.inputs} inputs, {result.accepted} accepted, {result.findings} findings, "
            f"{result.seconds:.0f} s\n")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
