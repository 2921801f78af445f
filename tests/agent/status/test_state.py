from __future__ import annotations

import dataclasses
import json

import pytest

from agent.status import leftover
from agent.status.state import document, timestamp
from tests.agent.status.states import STATE, faults


def test_a_full_state_is_as_the_schema_says_also_after_json() -> None:
    assert faults(json.loads(json.dumps(document(STATE)))) == []


def test_an_agent_that_has_only_begun_is_too() -> None:
    young = dataclasses.replace(
        STATE, last=None, age=None, success=None, classes=(), specs=(), resources=(), containerd=None, problems=()
    )
    assert faults(document(young)) == []


def test_the_schema_refuses_what_it_does_not_name() -> None:
    assert faults({**document(STATE), "more": 1})
    assert faults({key: value for key, value in document(STATE).items() if key != "specs"})


def test_allocations_are_the_sum_of_all_classes_of_duration() -> None:
    resource = document(STATE)["resources"][0]
    assert (resource["allocations"], resource["refusals"]) == (10, 1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_060.25, "2023-11-14T22:14:20.250Z"),
        (-1.0, "1969-12-31T23:59:59.000Z"),
        (1e300, "1970-01-01T00:00:00.000Z"),
        (float("nan"), "1970-01-01T00:00:00.000Z"),
    ],
)
def test_times_are_rfc_3339_whatever_a_file_bears(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text


def test_without_an_agent_the_document_has_the_same_shape(tmp_path: object) -> None:
    assert faults(leftover.document("/nowhere", "/nowhere", "process 1")) == []


def test_a_spec_directory_that_cannot_be_listed_is_a_problem() -> None:
    found = leftover.document("/proc/self/mem/x", "/nowhere", None)
    assert faults(found) == []
    assert found["specs"] == []
    found = leftover.document("/" + "x" * 300, "/nowhere", None)
    assert found["problems"][0]["message"] == "cannot be listed: file name too long"
