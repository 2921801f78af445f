"""Makes the shipped schema from the table of members, and the checker of the hot path from the schema.

``python -m tests.cdi.generate`` writes both; a test says when that was forgotten.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import fastjsonschema

import cdi
from cdi import validation, versions, wire

SCHEMA_PATH = Path(cdi.__file__).parent / "schemas" / "cdi-spec.json"
CHECKER_PATH = Path(cdi.__file__).parent / "_generated" / "spec_checker.py"

# The end of a text in every dialect: a dollar alone also matches before a final line break in some.
_END = r"$(?!\n)"
_NOT_EMPTY = {"minLength": 1}
_VARIABLES = {"items": {"type": "string", "pattern": "^[^=]+="}}
_NAME = "[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]"

# What the type of a member does not say, by model and member.
_RULES: dict[tuple[str, str], dict[str, Any]] = {
    ("Spec", "cdiVersion"): {"enum": list(versions.ALL[versions.order(versions.EARLIEST) :])},
    ("Spec", "kind"): {"pattern": f"^{_NAME}/{_NAME}{_END}"},
    ("Spec", "devices"): {"minItems": 1},
    ("Device", "name"): {"pattern": f"^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?{_END}"},
    ("ContainerEdits", "env"): _VARIABLES,
    ("DeviceNode", "path"): _NOT_EMPTY,
    ("DeviceNode", "type"): {"enum": ["", *validation.NODE_TYPES]},
    ("DeviceNode", "permissions"): {"pattern": f"^([rwm]*|{validation.NO_PERMISSIONS}){_END}"},
    ("NetDevice", "hostInterfaceName"): _NOT_EMPTY,
    ("NetDevice", "name"): _NOT_EMPTY,
    ("Mount", "hostPath"): _NOT_EMPTY,
    ("Mount", "containerPath"): _NOT_EMPTY,
    ("Hook", "hookName"): {"enum": list(validation.HOOK_NAMES)},
    ("Hook", "path"): _NOT_EMPTY,
    ("Hook", "env"): _VARIABLES,
    ("IntelRdt", "closID"): {"pattern": rf"^(/|(?!\.{{1,2}}{_END})[^/\n]*){_END}"},
}

# The made code must not import what made it, nor what it does not use.
_REPLACED = {
    "from fastjsonschema import JsonSchemaValueException, JsonSchemaValuesException\n": (
        "class JsonSchemaValueException(ValueError):\n    pass\n"
    ),
    "from decimal import Decimal\n": "",
    "(int, float, Decimal)": "(int, float)",
}


def schema() -> dict[str, Any]:
    """Return the JSON schema of the newest spec version."""
    definitions: dict[str, Any] = {}
    root = _struct(wire.SPEC, definitions)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"https://github.com/cncf-tags/container-device-interface/spec/{versions.CURRENT}",
        "title": f"Container Device Interface specification {versions.CURRENT}",
        "description": "Strict: no unknown members, no null, names in their grammar.",
        **root,
        "definitions": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """Return the schema as it is shipped."""
    return json.dumps(schema(), indent=2) + "\n"


def digest() -> str:
    """Return what tells this schema from others; the checker says which one it was made from."""
    return hashlib.sha256(schema_text().encode()).hexdigest()


def checker_text() -> str:
    """Return the checker's source, which needs nothing but the standard library."""
    code: str = fastjsonschema.compile_to_code(_inlined(schema()), use_formats=False, detailed_exceptions=False)
    for theirs, ours in _REPLACED.items():
        if theirs not in code:
            raise SystemExit(f"fastjsonschema no longer writes {theirs!r}; look at what it writes now")
        code = code.replace(theirs, ours)
    head = '"""Made by tests.cdi.generate from the schema; never edited."""\n# mypy: ignore-errors\n'
    head += f'SCHEMA_SHA256 = "{digest()}"\n'
    return f"{head}{code}\n"


def _inlined(whole: dict[str, Any]) -> dict[str, Any]:
    """Return the schema without references, for which a checker formats a place at every step."""

    def inline(part: Any) -> Any:
        if isinstance(part, list):
            return [inline(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return inline(whole["definitions"][part["$ref"].rpartition("/")[2]])
        return {key: inline(value) for key, value in part.items()}

    return {key: inline(value) for key, value in whole.items() if key not in {"$id", "definitions"}}


def _shape(shape: wire.Shape, definitions: dict[str, Any]) -> dict[str, Any]:
    match shape:
        case wire.Text():
            return {"type": "string"}
        case wire.Flag():
            return {"type": "boolean"}
        case wire.Integer(least=least, most=most):
            return {"type": "integer", "minimum": least, "maximum": most}
        case wire.Texts():
            return {"type": "object", "additionalProperties": {"type": "string"}}
        case wire.Items(item=item):
            return {"type": "array", "items": _shape(item, definitions)}
        case wire.Struct(model=model):
            definitions[model.__name__] = _struct(shape, definitions)
            return {"$ref": f"#/definitions/{model.__name__}"}
    raise TypeError(shape)


def _struct(struct: wire.Struct, definitions: dict[str, Any]) -> dict[str, Any]:
    properties = {
        member.name: {
            **_shape(member.shape, definitions),
            **_RULES.get((struct.model.__name__, member.name), {}),
        }
        for member in struct.members
    }
    required = [member.name for member in struct.members if member.always]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


if __name__ == "__main__":
    SCHEMA_PATH.write_text(schema_text())
    CHECKER_PATH.write_text(checker_text())
