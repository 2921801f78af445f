from pathlib import Path

import pytest

from cdi import codec, schema
from cdi.errors import MOST, CDIError
from cdi.hostnode import HostNode
from cdi.judgement import Judgement, judge, located
from tests.cdi import cases

SOUND = """\
cdiVersion: "0.5.0"
kind: acme.com/modem
devices:
- name: a
  containerEdits:
    deviceNodes:
    - path: /dev/m0
"""


def told(text: str | bytes, name: str = "a.yaml") -> dict[str, list[str]]:
    data = text if isinstance(text, bytes) else text.encode()
    found = judge(data, name)
    return {
        level: [str(problem.within(name)) for problem in located(getattr(found, level), data)]
        for level in ("errors", "warnings")
        if getattr(found, level)
    }


def test_a_sound_file() -> None:
    assert told(SOUND) == {}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("/dev/m0", '""', "a.yaml:7:13: devices[0].containerEdits.deviceNodes[0].path: the path is empty"),
        ("name: a", "nam: a", "a.yaml:4:8: devices[0].nam: there is no such member; did you mean name?"),
        ("kind:", "kind", "a.yaml:2:1: there is no ':' behind this key"),
        ("kind: acme.com/modem\n", "", "a.yaml:1:1: kind: kind '' is not of the form vendor/class"),
        ("- path: /dev/m0", "- null", "a.yaml:7:7: devices[0].containerEdits.deviceNodes[0]: the item is null"),
        ("name: a", 'name: "\\ud800"', "a.yaml:4:10: the escape \\ud800 is no character"),
        ("name: a", "name: *b", "a.yaml:4:9: there is no anchor &b before this"),
        ("- name: a", "- name: a\n  name: b", "a.yaml:5:3: the key 'name' stands here already"),
    ],
)
def test_errors_say_where_they_lie(old: str, new: str, expected: str) -> None:
    (error,) = told(SOUND.replace(old, new))["errors"]
    assert error.startswith(expected)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("kind", "Kind", "a.yaml:2:7: Kind: the member's name is in the wrong case; write kind"),
        ("name: a", "name: yes", "a.yaml:4:9: devices[0].name: the truth value true is taken as the text 'true'"),
        (
            "/dev/m0",
            "/dev/m0\n      uid: ~",
            "a.yaml:8:12: devices[0].containerEdits.deviceNodes[0].uid: the value is null",
        ),
        ("/dev/m0\n", "/dev/m0\n---\nx\n", "a.yaml:8:1: runtimes do not read what stands from here on"),
        ("/dev/m0\n", "/dev/m0\n... # end\nx\n", "a.yaml:9:1: runtimes do not read what stands from here on"),
        ("name: a", 'name: "a:b"', "a.yaml:4:9: devices[0].name: device name 'a:b' has a colon"),
    ],
)
def test_warnings_do_too(old: str, new: str, expected: str) -> None:
    found = told(SOUND.replace(old, new))
    assert list(found) == ["warnings"]
    assert found["warnings"][0].startswith(expected)


@pytest.mark.parametrize("end", ["...\n", "... # end\n", "\n# end", "   \n"])
def test_a_document_may_end(end: str) -> None:
    assert told(SOUND + end) == {}


JSON = (
    '{"cdiVersion": "0.5.0", "kind": "acme.com/modem", "devices": [{"name": "a", "containerEdits": {"env": ["A=1"]}}]}'
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (JSON, None),
        (JSON.replace("A=1", "A=\x85B"), "other readers of JSON read something else in this file"),
        (JSON.replace("}]}", "}],}"), "the file is called .json, and is not JSON: "),
        (JSON + " # comment", "the file is called .json, and is not JSON: Extra data"),
        (SOUND, "the file is called .json, and is not JSON: Expecting value"),
        ("\ufeff" + JSON, "the file is called .json, and is not JSON: Unexpected UTF-8 BOM"),
    ],
)
def test_a_json_file_should_be_json(text: str, expected: str | None) -> None:
    warnings = [problem.message for problem in judge(text.encode(), "a.json").warnings]
    if expected is None:
        assert warnings == []
    else:
        assert any(warning.startswith(expected) for warning in warnings)
    assert judge(text.encode(), "a.yaml").errors == ()


def test_advice_needs_someone_to_look() -> None:
    found = judge(SOUND.encode(), look=lambda path: HostNode("link"), runtime="podman 4.3")
    assert [problem.where for problem in found.advice] == ["devices[0].containerEdits.deviceNodes[0].path"]
    assert judge(SOUND.encode()).advice == ()


def test_what_cannot_be_decoded_is_no_spec() -> None:
    assert judge(b"") == Judgement(None, judge(b"").errors)
    assert judge(b"\xff").spec is None


def test_whatever_the_schema_refuses_is_told() -> None:
    for row in cases.conformance("validate"):
        data = cases.text(row)
        try:
            document = codec.document(data)
        except CDIError:
            continue
        found = judge(data, f"a{Path(row['ext']).suffix or '.json'}")
        if schema.check(document):
            assert found.errors or found.warnings, row["id"]


def test_every_problem_of_the_corpus_has_a_place() -> None:
    for row in cases.conformance("validate"):
        data = cases.text(row)
        found = judge(data, "a.json")
        for line, column, problem in located((*found.errors, *found.warnings), data):
            assert (line > 0) <= (column > 0), row["id"]
            assert not problem.where.startswith("line "), row["id"]


def test_of_millions_of_problems_so_many_are_found() -> None:
    edits = f'"additionalGids": [{"0," * 1_000_000}0]'
    found = judge(JSON.replace('"env": ["A=1"]', edits).encode(), look=lambda path: None)
    assert (len(found.errors), len(found.warnings)) == (1, MOST)
    found = judge(JSON.replace('"env": ["A=1"]', f'"env": [{"1," * 100_000}1]').encode())
    assert (len(found.errors), len(found.warnings)) == (MOST, MOST)
    found = judge(JSON.replace('"env": ["A=1"]', f'"env": [{"[]," * 100_000}[]]').encode())
    assert (found.spec, len(found.errors)) == (None, MOST)


@pytest.mark.parametrize("old", ["0.5.0", "acme.com/modem", "name: a", "/dev/m0"])
def test_no_message_is_long(old: str) -> None:
    found = judge(SOUND.replace(old, f"{old[:5]} {'9' * 1_000_000}").encode())
    assert found.errors or found.spec
    assert all(len(str(problem)) < 500 for problem in (*found.errors, *found.warnings))


@pytest.mark.parametrize("anchor", ["*", "!x!"])
def test_no_message_on_the_text_is_long(anchor: str) -> None:
    (error,) = judge(SOUND.replace("name: a", f"name: {anchor}{'a' * 1_000_000}").encode()).errors
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b'kind: "a\xffb"', "line 1, column 9"),
        (b"kind: 'a\xffb'", "line 1, column 9"),
        (b"kind: [a, \xff", "line 1, column 11"),
        (b'{"kind": "a\xffb"}', "line 1, column 12"),
        (b"kind: |\n  \xff", "line 2, column 3"),
    ],
)
def test_what_cannot_be_decoded_is_told_as_such(text: bytes, where: str) -> None:
    (error,) = judge(text).errors
    assert str(error) == f"{where}: this is not UTF-8: invalid start byte"


def test_a_character_that_is_not_allowed_is_told_as_such() -> None:
    (error,) = judge(b'kind: "a\x01"').errors
    assert str(error) == "line 1, column 9: the character U+0001 is not allowed"
    assert "never closed" in str(judge(b'kind: "a').errors[0])
