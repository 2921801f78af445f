"""The corpus of specs, read: good and bad ones, and what the reference says of the conformance cases."""

from __future__ import annotations

import base64
import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parents[1] / "data"


@cache
def corpus() -> tuple[dict[str, Any], ...]:
    """Return the cases of ``tests/data/specs/cases.toml``."""
    return tuple(tomllib.loads((_DATA / "specs" / "cases.toml").read_text())["case"])


@cache
def conformance(name: str) -> tuple[dict[str, Any], ...]:
    """Return the rows of one file of conformance cases."""
    lines = (_DATA / "conformance" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(json.loads(line) for line in lines)


def text(row: dict[str, Any]) -> bytes:
    """Return the content of the file that a row of ``validate`` is about."""
    return base64.b64decode(row["doc_b64"]) if "doc_b64" in row else str(row["doc"]).encode()
