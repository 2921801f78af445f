"""Fuzz one target by the code that its inputs reach: ``python -m tests.fuzz.guided TARGET [libFuzzer's options]``.

It takes atheris, which is not among the dependencies: it exists for few Pythons and machines. The inputs that reached
something new are kept in ``.cache/fuzz/TARGET``, and are where the next run begins. An input that fails is written
there, too, and ends the run with libFuzzer's exit code, 77.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

KEPT = Path(__file__).parents[2] / ".cache" / "fuzz"


def main() -> int:
    """Run until libFuzzer has enough."""
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        sys.stderr.write("error: atheris is not installed; pip install atheris\n")
        return 1
    with atheris.instrument_imports(include=["agent", "cdi"]):
        from tests.fuzz.targets import TARGETS
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in TARGETS:
        sys.stderr.write(f"error: there is no target '{name}'; there are {', '.join(TARGETS)}\n")
        return 2
    target = TARGETS[name]
    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = KEPT / f"{name}.words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.fragments or () if 0 < len(word) < 60))
    own = [f"-dict={words}", f"-artifact_prefix={KEPT}{os.sep}{name}-", "-max_len=8192", "-rss_limit_mb=0"]
    atheris.Setup([sys.argv[0], str(corpus), *own, *sys.argv[2:]], lambda data: target.check(bytes(data)))
    atheris.Fuzz()
    return 0


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
