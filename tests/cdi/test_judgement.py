from pathlib import Path

import pytest

from cdi import codec, schema
from cdi.errors import CDIError
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
        level: [str(located(problem, data, name)) for problem in getattr(found, level)]
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
        for problem in (*found.errors, *found.warnings):
            assert located(problem, data, "a.json").where.startswith("a.json:")
