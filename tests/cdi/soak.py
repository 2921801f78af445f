"""Mutates texts of specs; for as long as one likes with ``python -m tests.fuzz spec``.

Decoding must return a spec or raise :class:`~cdi.errors.CDIError`, whatever the bytes; a spec that was decoded must
come back unchanged when it is written and read again.
"""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

from cdi import codec, validation
from cdi.errors import CDIError
from cdi.judgement import judge
from tests.cdi.strategies import mutated

if TYPE_CHECKING:
    from collections.abc import Iterable

_CASES = Path(__file__).parents[1] / "data" / "conformance" / "validate.jsonl"
_LONGEST = 4096


def seeds() -> list[bytes]:
    """Return the texts of the conformance cases, short enough to read often."""
    rows = (json.loads(line) for line in _CASES.read_text(encoding="utf-8").splitlines())
    texts = (base64.b64decode(row["doc_b64"]) if "doc_b64" in row else row["doc"].encode() for row in rows)
    return [text for text in texts if len(text) < _LONGEST]


def inputs(count: int, seed: int) -> Iterable[bytes]:
    """Yield so many mutations of the seeds, the same ones for the same number."""
    source = random.Random(seed)
    texts = seeds()
    return (mutated(source.choice(texts), source) for _ in range(count))


def check(data: bytes) -> bool:
    """Decode, judge, write and read again; tell whether runtimes accept the data."""
    judge(data, "a.json")
    try:
        spec = codec.decode(data)
    except CDIError:
        return False
    try:
        written = codec.encode(spec)
    except CDIError:
        return False
    again = codec.decode(written)
    assert codec.to_document(again) == codec.to_document(spec), data
    return not validation.rejected(spec)
