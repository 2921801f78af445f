"""A state with something of everything in it, and what the program's schema says of its document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from agent.status.state import (
    BOUNDS,
    Class,
    Configuration,
    Containerd,
    Counts,
    Device,
    Pass,
    Resource,
    SpecFile,
    State,
)
from cdi.errors import Problem

SCHEMA = Path(__file__).parents[3] / "schemas/output/status.json"

COUNTS = Counts(
    passes={"changed": 2, "unchanged": 3, "failed": 1},
    times=(4, 1, *(0 for _ in BOUNDS[2:]), 1),
    seconds=20.5,
    writes={"acme.com/modem": 3},
    removals={"acme.com/modem": 1},
    repairs={"acme.com/modem": 2},
    failures=1,
    events={"device": 5, "file": 6},
    loads={"loaded": 1, "refused": 1},
)
STATE = State(
    version="1.2.3",
    pid=4711,
    started=1_700_000_000.0,
    spec_dir="/etc/cdi",
    state_dir="/var/lib/cdi-sync",
    configuration=Configuration(("/etc/cdi-sync/config.toml",), 1_700_000_001.5, (Problem("a.toml:1", "odd", "mend"),)),
    last=Pass(1_700_000_060.25, 0.0042, "3 devices of 1 kind: nothing to change", succeeded=True),
    age=1.5,
    success=1_700_000_060.25,
    resync=600.0,
    classes=(
        Class(
            "acme.com/modem",
            "cdi-sync+acme.com+modem.json",
            (
                Device("a", ("/dev/ttyUSB0",), "present"),
                Device("b", ("/dev/ttyUSB1",), "unhealthy"),
                Device("c", ("/dev/ttyUSB2",), "kept"),
                Device("d", (), "gone", 1_700_000_050.0),
            ),
        ),
    ),
    specs=(
        SpecFile("cdi-sync+acme.com+modem.json", "acme.com/modem", "0.5.0", 3, 1_700_000_002.0, earlier_boot=False),
        SpecFile("cdi-sync+acme.com+old.json", "acme.com/old", None, 0, 1_600_000_000.0, earlier_boot=True, held=True),
    ),
    resources=(
        Resource(
            "acme.com/modem", "acme.com/modem", "/k/cdi-sync-acme.com+modem.sock", 4, 1, 1_700_000_003.0, 2, None,
            (0.001, 0.01), (7, 2, 1), 0.3, 1,
        ),
        Resource("acme.com/x", "acme.com/x", "", 0, 0, None, 0, "it refuses", (), (), 0.0, 0),
    ),
    kubelet=True,
    containerd=Containerd(1_700_000_004.0, 1, ("it is broken",), ("restart it",)),
    problems=(Problem("acme.com/modem: /dev/ttyUSB9", "has no name", "give it one"),),
    counts=COUNTS,
)  # fmt: skip


def faults(document: Any) -> list[str]:
    """Say where a document is not as the schema of ``status`` wants it."""
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    return [error.message for error in Draft202012Validator(schema).iter_errors(document)]
