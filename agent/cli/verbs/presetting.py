"""``presets``: the built-in classes, as configuration to copy."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from agent.cli.terminal import say, table
from agent.cli.verbs import documents
from agent.config import files

if TYPE_CHECKING:
    import argparse

DONE, USAGE = 0, 2


def presets(options: argparse.Namespace) -> int:
    """List the presets, or print one as it stands."""
    known = files.preset_names()
    if options.name is None:
        found = [(name, summary(name)) for name in known]
        if options.output == "json":
            documents.show({"presets": [{"name": name, "summary": text} for name, text in found]}, "json")
        else:
            table(("PRESET", "FOR"), found)
        return DONE
    source = files.preset(options.name)
    if source is None:
        close = difflib.get_close_matches(options.name, known, 1)
        say(
            f"error: there is no preset {options.name!r}; "
            + (f"did you mean {close[0]!r}?" if close else "see cdi-sync presets")
        )
        return USAGE
    if options.output == "json":
        documents.show(source.document, "json")
    else:
        print(source.text, end="")
    return DONE


def summary(name: str) -> str:
    """Return the first sentence of a preset's leading comment."""
    source = files.preset(name)
    lines = source.text.splitlines() if source else []
    comment = " ".join(line.lstrip("# ") for line in lines[: _comment_length(lines)])
    return comment.partition(". ")[0].rstrip(".")


def _comment_length(lines: list[str]) -> int:
    return next((index for index, line in enumerate(lines) if not line.startswith("#")), len(lines))
