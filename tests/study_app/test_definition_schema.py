"""The JSON Schema that editors use: current, and of one mind with the checker about single fields."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from study_app.study.definition_schema import FILE, schema_text
from tests.study_app.conftest import ENGLISH, MOLES, SKINGEN


def test_the_schema_in_the_repository_is_current() -> None:
    """After a change of the models: python -m study_app.study.definition_schema"""
    assert FILE.read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize(
    "file", [*SKINGEN.parent.glob("*.yaml"), *MOLES.parent.glob("*.yaml")], ids=lambda path: path.stem
)
def test_good_studies_fit_the_schema(file: Path) -> None:
    jsonschema.validate(yaml.safe_load(file.read_text()), json.loads(FILE.read_text()))


def test_an_instrument_among_the_items_fits_the_schema() -> None:
    data = yaml.safe_load(ENGLISH.read_text())
    data["items"].append({"instrument": "sus", "repeated": False})
    jsonschema.validate(data, json.loads(FILE.read_text()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("planned_n: 32", "planned_n: many"),
        ("explainer: cases", "explainer: case"),
        ("construct: Perceived", "constructs: Perceived"),
        ("key: cases", "key: Cases"),
        ("title: How do assistants explain skin conditions?", 'title: ""'),
        ("ask_label: true", "ask_label: maybe"),
    ],
)
def test_a_mistake_in_a_field_does_not_fit(old: str, new: str) -> None:
    text = ENGLISH.read_text()
    assert old in text
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text.replace(old, new, 1)), json.loads(FILE.read_text()))
