"""Raw documents against the shipped JSON schema: no unknown members, no null, names in their grammar.

A checker made from the schema ahead of time answers whether all is well. Only where it is not, jsonschema, which is
slow to import and to run, is asked what is wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdi import wire
from cdi.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema import ValidationError

# So many problems are told of one document.
_MOST = 100

# So much of a value is shown in a message.
_SHOWN = 80


def check(document: object) -> tuple[Problem, ...]:
    """Return where a document of plain values (as JSON gives them) departs from the schema, in order of place."""
    return () if is_valid(document) else tuple(problems(document))


def is_valid(document: object) -> bool:
    """Tell whether the schema accepts a document."""
    from cdi._generated import spec_checker

    try:
        spec_checker.validate(document)
    except spec_checker.JsonSchemaValueException:
        return False
    return True


def shipped() -> dict[str, Any]:
    """Return the JSON schema."""
    text = (Path(__file__).parent / "schemas" / "cdi-spec.json").read_text()
    schema: dict[str, Any] = json.loads(text)
    return schema


def problems(document: object) -> Iterator[Problem]:
    """Yield what jsonschema finds, in order of place."""
    from itertools import islice

    from jsonschema import Draft7Validator

    errors = islice(Draft7Validator(shipped()).iter_errors(document), _MOST)
    return (_problem(error) for error in sorted(errors, key=lambda error: [str(key) for key in error.path]))


def _problem(error: ValidationError) -> Problem:
    return Problem(_path(error), _message(error))


def _path(error: ValidationError) -> str:
    place: wire.Place = ()
    for key in error.absolute_path:
        place = (place, key)
    return wire.path(place)


def _message(error: ValidationError) -> str:
    shown = repr(error.instance)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    match error.validator:
        case "additionalProperties":
            unknown = sorted(set(error.instance) - set(error.schema.get("properties", {})))
            return f"there is no member {', '.join(map(repr, unknown))}"
        case "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            return f"the member {', '.join(map(repr, missing))} is missing"
        case "type":
            return f"{shown} is not of type {error.validator_value}"
        case "enum":
            return f"{shown} is none of {', '.join(map(repr, error.validator_value))}"
        case "pattern":
            return f"{shown} does not match {error.validator_value}"
        case "minLength" | "minItems":
            return "this is empty"
        case _:
            return error.message[:_SHOWN]
