"""What the agent's child does: one look at containerd, the answer as JSON on standard output."""

from __future__ import annotations

import argparse
import json
import os
import sys

from agent.setup import containerd, procedure
from agent.setup.files import FileError
from agent.setup.targets import Options, SetupError


def answer(options: Options) -> dict[str, list[str]]:
    """Switch CDI on if that is needed; returns what changed, what is wrong or left to do, and what to watch."""
    try:
        target = containerd.target(options)
        report = procedure.apply(target, options)
        files = containerd.loaded(options)
    except (SetupError, FileError) as error:
        return {"problems": [str(error.problem)]}
    directories = [os.path.dirname(path) for path in files]
    return {
        "changes": [path for path, _, _ in report.changes],
        "problems": [str(problem) for problem in report.problems],
        "notes": [note for note in report.notes if note != "nothing to do"],
        "files": files,
        "directories": directories + [os.path.dirname(os.path.realpath(path)) for path in files],
    }


def main() -> None:
    """Read the command line and print the answer."""
    parser = argparse.ArgumentParser(prog="agent.setup")
    for name in ("--spec-dir", "--state-dir", "--runtime-config"):
        parser.add_argument(name)
    parser.add_argument("--restart", action="store_true")
    given = parser.parse_args()
    options = Options(
        runtime="containerd",
        spec_dir=given.spec_dir,
        state_dir=given.state_dir,
        restart=given.restart,
        runtime_config=given.runtime_config,
        overrule=False,
    )
    json.dump(answer(options), sys.stdout)


if __name__ == "__main__":
    main()
