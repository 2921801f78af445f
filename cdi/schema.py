"""Raw documents against the shipped JSON schema: no unknown members, no null, names in their grammar.

A checker made from the schema ahead of time answers whether all is well. Only where it is not, jsonschema, which is
slow to import and to run, is asked what is wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdi import wire
from cdi.errors import Problem, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jsonschema import ValidationError

# So many problems are told of one document.
_MOST = 100


def check(document: object) -> tuple[Problem, ...]:
    """Return where a document of plain values (as JSON gives them) departs from the schema, in order of place."""
    return () if is_valid(document) else tuple(problems(document))


def is_valid(document: object) -> bool:
    """Tell whether the schema accepts a document."""
    from cdi._generated import spec_checker

    validate: Callable[[object], object] = spec_checker.validate
    try:
        validate(document)
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
    found: Any = error.instance
    value = shown(found)
    expected: Any = error.validator_value
    told: dict[str, Callable[[], str]] = {
        "required": lambda: f"the member {_listed(set(expected) - set(found))} is missing",
        "additionalProperties": lambda: f"there is no member {_listed(set(found) - _properties(error))}",
        "type": lambda: f"{value} is not of type {expected}",
        "enum": lambda: f"{value} is none of {_listed(expected)}",
        "pattern": lambda: f"{value} does not match {expected}",
        "minLength": lambda: "the text is empty",
        "minItems": lambda: "the list is empty",
        "minimum": lambda: f"{value} is less than {expected}",
        "maximum": lambda: f"{value} is more than {expected}",
    }
    return told[str(error.validator)]()


def _properties(error: ValidationError) -> set[str]:
    schema: Any = error.schema
    return set(schema["properties"])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(shown, sorted(names)))
