from typing import Any

import fastjsonschema
import jsonschema
import pytest
from hypothesis import given

from cdi import codec, schema, validation, wire
from cdi._generated import spec_checker
from cdi.errors import CDIError
from cdi.model import Spec
from tests.cdi import cases, generate
from tests.cdi.strategies import SOUND_SPECS, SPECS


def test_what_is_made_is_up_to_date() -> None:
    advice = "run python -m tests.cdi.generate"
    assert generate.SCHEMA_PATH.read_text() == generate.schema_text(), advice
    assert generate.digest() == spec_checker.SCHEMA_SHA256, advice
    if fastjsonschema.VERSION == spec_checker.VERSION:  # another one may write the same checks otherwise
        assert generate.CHECKER_PATH.read_text() == generate.checker_text(), advice


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(schema.shipped())


@pytest.mark.parametrize("case", cases.corpus(), ids=lambda case: case["name"])
def test_the_corpus(case: dict[str, Any]) -> None:
    problems = schema.check(codec.document(case["text"].encode()))
    assert [problem.where for problem in problems] == ([case["schema"]] if "schema" in case else [])


@pytest.mark.parametrize(
    ("document", "where", "fact"),
    [
        (None, "", "None is not of type object"),
        ([], "", "[] is not of type object"),
        ({"cdiVersion": "0.3.0", "kind": "a.b/cc"}, "", "the member 'devices' is missing"),
        ({"cdiVersion": "0.3.0", "kind": "a.b/cc", "devices": []}, "devices", "the list is empty"),
        (
            {"cdiVersion": "0.3.0", "kind": "a.b/cc", "devices": [{"name": "a", "containerEdits": {"x": 1}}]},
            "devices[0].containerEdits",
            "there is no member 'x'",
        ),
    ],
)
def test_problems_say_what_is_so(document: object, where: str, fact: str) -> None:
    (problem,) = schema.check(document)
    assert (problem.where, problem.message) == (where, fact)


def documents() -> list[tuple[str, wire.Tree]]:
    found = []
    for row in cases.conformance("validate"):
        try:
            found.append((row["id"], codec.document(cases.text(row))))
        except CDIError:
            continue
    return found


def test_the_checker_agrees_with_jsonschema_on_the_whole_corpus() -> None:
    oracle = jsonschema.Draft7Validator(schema.shipped())
    assert [name for name, tree in documents() if schema.is_valid(tree) != oracle.is_valid(tree)] == []


def test_schema_and_model_agree_on_structure_on_the_whole_corpus() -> None:
    # Faults and notes are what the model finds wrong with the structure, or mends.
    structural = {"type", "additionalProperties", "minimum", "maximum"}
    oracle = jsonschema.Draft7Validator(schema.shipped())
    for name, tree in documents():
        findings = wire.Findings()
        spec = wire.read(tree, findings)
        errors = [error.message for error in oracle.iter_errors(tree) if error.validator in structural]
        assert bool(findings.faults or findings.notes) == bool(errors), (name, findings.faults, errors)
        if spec is not None and not findings.notes:
            missing = [error for error in oracle.iter_errors(tree) if error.validator == "required"]
            assert not missing or validation.check(spec), name


@given(SPECS)
def test_what_the_schema_accepts_only_rules_between_members_can_reject(spec: Spec) -> None:
    between = {"cdiVersion", "kind"}
    if schema.check(codec.to_document(spec)) == ():
        for problem in validation.check(spec):
            assert problem.where in between or "already" in problem.message or "nothing" in problem.message


@given(SOUND_SPECS)
def test_sound_specs_pass(spec: Spec) -> None:
    assert schema.check(codec.to_document(spec)) == ()
    assert validation.check(spec) == ()
