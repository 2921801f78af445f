"""What documents the configuration says the same as the model that parses it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.config import files, model, reference
from agent.config.checking import schema, settings_of

REPOSITORY = Path(__file__).resolve().parents[3]
EXAMPLE = REPOSITORY / "contrib" / "config.toml"
TABLES = (
    model.Agent,
    model.Containerd,
    model.Class,
    model.Select,
    model.Parent,
    model.Usb,
    model.Pci,
    model.Node,
    model.Declared,
    model.Kubelet,
    model.Kubernetes,
)


def test_the_reference_page_is_up_to_date() -> None:
    text = (REPOSITORY / "docs" / "configuration.md").read_text()
    assert reference.renewed(text) == text, "run python -m agent.config.reference docs/configuration.md"


def test_the_example_is_a_configuration() -> None:
    settings = settings_of((files.parse(str(EXAMPLE), EXAMPLE.read_text()),))
    assert len(settings.classes) == 5


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_the_example_shows_every_key(table: Any) -> None:
    text = EXAMPLE.read_text()
    for field in dataclasses.fields(table):
        key = reference.key(field)
        assert f"{key} " in text or f"{key}." in text or f"class.{key}]" in text, key


def test_the_schema_accepts_the_example_and_the_presets() -> None:
    validator = jsonschema.Draft202012Validator(schema())
    jsonschema.Draft202012Validator.check_schema(schema())
    assert not list(validator.iter_errors(files.parse("", EXAMPLE.read_text()).document))
    for name in files.preset_names():
        source = files.preset(name)
        assert source is not None
        assert not list(validator.iter_errors(source.document)), name


def test_the_schema_refuses_what_the_model_refuses() -> None:
    validator = jsonschema.Draft202012Validator(schema())
    for document in ({"versoin": 1}, {"class": [{"kind": 1}]}, {"agent": {"settle": "soon"}}):
        assert list(validator.iter_errors(document)), document
