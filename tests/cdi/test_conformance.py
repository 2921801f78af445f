import json
from pathlib import Path

import pytest

from tests import conformance

DATA = Path(conformance.__file__).parent / "data" / "conformance"


@pytest.mark.parametrize(("name", "rows"), [("validate", 600), ("names", 150), ("inject", 150), ("cache", 60)])
def test_the_library_says_what_the_reference_says(name: str, rows: int, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(DATA / f"{name}.jsonl")
    assert conformance.main([path]) == 0
    expected = f"{path}: {rows} total, {rows} agree, 0 false_accept, 0 false_reject, 0 other\n"
    assert capsys.readouterr().out == expected


ROW = {
    "id": "x-1",
    "category": "c",
    "why": "w",
    "op": "parse_qualified",
    "name": "acme.com/modem=a",
}


@pytest.mark.parametrize(
    ("expect", "outcome"),
    [
        ({"ok": False}, "false_accept"),
        ({"ok": True, "vendor": "other"}, "other"),
    ],
)
def test_disagreements_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], expect: dict[str, object], outcome: str
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({**ROW, "expect": expect}) + "\n\n")
    assert conformance.main([str(path), "--output", "json"]) == 1
    totals = {"total": 1, "agree": 0, "false_accept": 0, "false_reject": 0, "other": 0}
    assert json.loads(capsys.readouterr().out) == {str(path): {**totals, outcome: 1}}
    assert conformance.main([str(path)]) == 1
    assert capsys.readouterr().out.startswith(f"x-1: {outcome}: c: w: ")


def test_a_false_reject_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({**ROW, "name": "modem", "expect": {"ok": True}}))
    assert conformance.main([str(path)]) == 1
    assert "1 false_reject" in capsys.readouterr().out


def test_a_crash_is_a_disagreement_and_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    crash, sound = {**ROW, "name": 5, "expect": {"ok": False}}, {**ROW, "name": "modem", "expect": {"ok": True}}
    path.write_text(f"{json.dumps(crash)}\n{json.dumps(sound)}\n")
    assert conformance.main([str(path)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("x-1: other: c: w: crash is ")
    assert out.endswith("2 total, 0 agree, 0 false_accept, 1 false_reject, 1 other\n")


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        "5",
        '{"op": "dance", "expect": {}}',
        '{"op": ["cache"], "expect": {}}',
        '{"op": "cache"}',
        '{"op": "cache", "expect": {}}',
        '{"op": "validate", "expect": {}}',
        "\udcff",
    ],
)
def test_what_is_no_file_of_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text, errors="surrogateescape")
    assert conformance.main([str(path)]) == 2
    assert conformance.main([str(tmp_path / "none.jsonl")]) == 2
    assert capsys.readouterr().out == ""
