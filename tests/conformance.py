"""Runs conformance cases: ``python -m tests.conformance FILE.jsonl ... [--output json]``.

Each row has an input and the verdict of the CDI reference on it (see ``tests/data/conformance/README.md``). A line
tells of each disagreement; then come the totals. Ends with 1 if there is any, with 2 if a file is not of that form.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from cdi import codec, names, oci, specdirs, validation, versions
from cdi.errors import CDIError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cdi.model import Spec
    from cdi.registry import Registry

Row: TypeAlias = dict[str, Any]
Verdict: TypeAlias = dict[str, Any]

# How a row can end.
AGREE, FALSE_ACCEPT, FALSE_REJECT, OTHER = "agree", "false_accept", "false_reject", "other"


@dataclass(frozen=True, slots=True)
class Result:
    """How one row ended: with what the library says where it is not what the reference says."""

    row: Row
    outcome: str
    ours: Verdict


def validate(row: Row) -> Verdict:
    """Return what the library says of a spec file; of one that it rejects, nothing but that."""
    data = base64.b64decode(row["doc_b64"]) if "doc_b64" in row else row["doc"].encode()
    try:
        spec = codec.decode(data)
    except CDIError:
        return {"ok": False}
    return {"ok": False} if validation.rejected(spec) else {"ok": True, **_decoded(spec)}


def parse_qualified(row: Row) -> Verdict:
    """Return what the library says of a name, as a whole and in its parts."""
    text = row["name"]
    is_qualified = names.qualified_problem(text, strict=False) is None
    vendor, class_, device = names.split_qualified(text) if is_qualified else ("", "", text)
    return {
        "ok": is_qualified,
        "vendor": vendor,
        "class": class_,
        "name": device,
        "split": list(names.split_qualified(text)),
        "qualifier": list(names.split_kind(text)),
        "is_vendor": names.vendor_problem(text, strict=False) is None,
        "is_class": names.class_problem(text, strict=False) is None,
        "is_device": names.device_problem(text) is None,
    }


def inject(row: Row) -> Verdict:
    """Return the OCI spec that comes of injecting devices from spec files into one."""
    with tempfile.TemporaryDirectory() as root:
        registry = _loaded(row["specs"], root)
    try:
        edited = oci.inject(registry, row["oci"], row["devices"], specdirs.host_node)
    except oci.UnresolvedError as error:
        return {"ok": False, "oci": None, "unresolved": list(error.names)}
    except CDIError:
        return {"ok": False, "oci": None, "unresolved": None}
    return {"ok": True, "oci": edited, "unresolved": None}


def cache(row: Row) -> Verdict:
    """Return what a set of spec directories offers."""
    with tempfile.TemporaryDirectory() as root:
        registry = _loaded(row["specs"], root)

        def relative(path: str) -> str:
            return os.path.relpath(path, root)

        return {
            "devices": list(registry.devices),
            "vendors": list(registry.vendors),
            "classes": list(registry.classes),
            "winner": {name: relative(entry.file.path) for name, entry in registry.devices.items()},
            "error_files": sorted(map(relative, registry.problems)),
            "conflicts": list(registry.conflicts),
        }


OPERATIONS: dict[str, Callable[[Row], Verdict]] = {
    "validate": validate,
    "parse_qualified": parse_qualified,
    "inject": inject,
    "cache": cache,
}


# The members of a row that an operation needs, one set or another.
INPUTS = {
    "validate": ({"doc"}, {"doc_b64"}),
    "parse_qualified": ({"name"},),
    "inject": ({"specs", "devices", "oci"},),
    "cache": ({"specs"},),
}


def judge(row: Row) -> Result:
    """Run one row, and compare what both sides say."""
    try:
        ours = OPERATIONS[row["op"]](row)
    except Exception as error:  # noqa: BLE001 - a crash is a disagreement too, and no reason not to run the others
        ours = {"ok": False, "crash": repr(error)}
    theirs = row["expect"]
    if ours.get("ok") and not theirs.get("ok"):
        outcome = FALSE_ACCEPT
    elif theirs.get("ok") and not ours.get("ok"):
        outcome = FALSE_REJECT
    else:
        outcome = AGREE if all(_is_same(theirs.get(key), value) for key, value in ours.items()) else OTHER
    return Result(row, outcome, ours)


def rows(path: str) -> Iterator[Row]:
    """Yield the rows of a file.

    Raises:
        ValueError: a line is not a row.
    """
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number} is not JSON: {error}") from None
            if not _is_row(row):
                raise ValueError(f"line {number} is no row of a conformance file")
            yield row


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("op"), str) or not isinstance(row.get("expect"), dict):
        return False
    return any(inputs <= row.keys() for inputs in INPUTS.get(row["op"], ()))


def main(arguments: Sequence[str]) -> int:
    """Run the files that are named; return the exit code."""
    parser = argparse.ArgumentParser("python -m tests.conformance", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE.jsonl")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    options = parser.parse_args(arguments)
    report: dict[str, dict[str, int]] = {}
    for path in options.files:
        try:
            found = list(rows(path))
        except (OSError, ValueError) as error:
            sys.stderr.write(f"{path}: {error}\n")
            return 2
        results = [judge(row) for row in found]
        report[path] = _totals(results)
        if options.output == "text":
            sys.stdout.writelines(map(_line, results))
    if options.output == "json":
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        sys.stdout.writelines(_total_line(path, totals) for path, totals in report.items())
    return int(any(totals["total"] != totals[AGREE] for totals in report.values()))


def _decoded(spec: Spec) -> Verdict:
    vendor, class_ = names.split_kind(spec.kind)
    document = {"containerEdits": {}, **codec.to_document(spec)}  # which the reference never leaves out
    return {
        "spec": document,
        "minVersion": versions.enforced_version(spec),
        "vendor": vendor,
        "class": class_,
    }


def _loaded(entries: Iterable[Row], root: str) -> Registry:
    """Make the directories of a row below ``root``; return what they offer by the runtimes' own rules."""
    highest = max([1, *(entry["dir_priority"] for entry in entries)])
    directories = [os.path.join(root, str(priority)) for priority in range(highest + 1)]
    for entry in entries:
        path = os.path.join(directories[entry["dir_priority"]], entry["filename"])
        os.makedirs(path if entry.get("dir") else os.path.dirname(path), exist_ok=True)
        if "symlink" in entry:
            os.symlink(entry["symlink"], path)
        elif "doc" in entry:
            with open(path, "wb") as file:
                file.write(entry["doc"].encode())
    loaded = specdirs.SpecDirs(directories, check=validation.rejected)
    loaded.refresh()
    return loaded.registry


def _is_same(theirs: Any, ours: Any) -> bool:
    """Compare as JSON does: 1 is not true."""
    return json.dumps(theirs, sort_keys=True) == json.dumps(ours, sort_keys=True)


def _totals(results: Iterable[Result]) -> dict[str, int]:
    counts = Counter(result.outcome for result in results)
    return {
        "total": counts.total(),
        **{outcome: counts[outcome] for outcome in (AGREE, FALSE_ACCEPT, FALSE_REJECT, OTHER)},
    }


def _line(result: Result) -> str:
    if result.outcome == AGREE:
        return ""
    row, theirs = result.row, result.row["expect"]
    differing = sorted(key for key, value in result.ours.items() if not _is_same(theirs.get(key), value))
    why = f"{row.get('category', '')}: {row.get('why', '')}"
    said = "; ".join(f"{key} is {result.ours[key]!r}, not {theirs.get(key)!r}" for key in differing)
    return f"{row.get('id', '?')}: {result.outcome}: {why}: {said}\n"


def _total_line(path: str, totals: dict[str, int]) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in totals.items())
    return f"{path}: {counts}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
