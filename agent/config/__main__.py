"""Parse the configuration for another process of ours, which so need not carry the parser.

Writes to standard output, pickled: the `Settings`, or the tuple of `Problem` that keeps it from them.
"""

from __future__ import annotations

import argparse
import contextlib
import pickle
import sys

from agent.config.files import ConfigError
from agent.config.load import load


def main() -> None:
    """Load, and hand over what came of it."""
    parser = argparse.ArgumentParser()
    for option in ("--config", "--spec-dir", "--state-dir"):
        parser.add_argument(option)
    arguments = parser.parse_args()
    try:
        answer: object = load(arguments.config, spec_dir=arguments.spec_dir, state_dir=arguments.state_dir)
    except ConfigError as error:
        answer = error.problems
    with contextlib.suppress(BrokenPipeError):  # whoever asked is gone
        sys.stdout.buffer.write(pickle.dumps(answer))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
