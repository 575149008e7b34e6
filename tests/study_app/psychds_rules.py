"""The published rules of Psych-DS, as `psychds-validator` 1.5.0 checks them (its schema.json and source).

Re-checked here because the validator cannot be a dependency of the tests: it is a Node program that asks the
network for its schema, on which a test must not hang, and its npm package is not on every mirror. Built from its
source, with its own default schema and offline, it finds an export of this app valid and the broken folders of
`test_export_psychds.py` not, with the same codes.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DATA_FILE = re.compile(r"([a-z]+-[a-zA-Z0-9]+)(_[a-z]+-[a-zA-Z0-9]+)*_data\.(csv|tsv)")
REQUIRED = ("name", "description", "variableMeasured")
SCHEMA_ORG = {
    "Dataset": {"author", "creator", "dateCreated", "description", "identifier", "keywords", "measurementTechnique"}
    | {"name", "schemaVersion", "variableMeasured", "license", "citation", "funder", "url", "version"},
    "PropertyValue": {"name", "description", "unitText", "minValue", "maxValue", "value", "valueReference"},
    "Organization": {"name", "url"},
}
"""Properties that schema.org gives to these types; not all, but all that the export may use."""
RANGES = {"variableMeasured": "PropertyValue", "valueReference": "PropertyValue", "author": "Organization"}
"""Types of the objects that may be the value of a property."""


def problems(folder: Path) -> list[str]:
    """Codes of the validator's errors, each with what it is about; empty for a valid folder."""
    description = folder / "dataset_description.json"
    if not description.is_file():
        return ["MISSING_DATASET_DESCRIPTION"]
    try:
        metadata = json.loads(description.read_text("utf-8"))
    except json.JSONDecodeError as error:
        return [f"INVALID_JSON_FORMATTING {error}"]
    return [*_metadata(metadata), *_files(folder, metadata)]


def _metadata(metadata: dict[str, Any]) -> Iterator[str]:
    if metadata.get("@context") not in ("https://schema.org/", "http://schema.org/"):
        yield "INVALID_JSONLD_FORMATTING @context"
    if metadata.get("@type") != "Dataset":
        yield "INCORRECT_DATASET_TYPE" if "@type" in metadata else "MISSING_DATASET_TYPE"
    yield from (f"JSON_KEY_REQUIRED {key}" for key in REQUIRED if not metadata.get(key))
    yield from _schema_org(metadata, "")


def _schema_org(node: dict[str, Any], path: str) -> Iterator[str]:
    kind = node.get("@type", "Dataset")
    for key, value in node.items():
        if key.startswith("@"):
            continue
        if key not in SCHEMA_ORG.get(kind, ()):
            yield f"INVALID_SCHEMAORG_PROPERTY {path}.{key}"
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                if "@type" not in part:
                    yield f"OBJECT_TYPE_MISSING {path}.{key}"
                elif part["@type"] != RANGES.get(key):
                    yield f"INVALID_OBJECT_TYPE {path}.{key}"
                else:
                    yield from _schema_org(part, f"{path}.{key}")


def _files(folder: Path, metadata: dict[str, Any]) -> Iterator[str]:
    if not (folder / "data").is_dir():
        yield "MISSING_DATA_DIRECTORY"
        return
    measured = metadata.get("variableMeasured", [])
    names = {one if isinstance(one, str) else one.get("name") for one in measured}
    columns: set[str] = set()
    files = [file for file in sorted((folder / "data").rglob("*")) if file.stem.endswith("_data")]
    if not files:
        yield "MISSING_DATAFILE"
    for file in files:
        if not DATA_FILE.fullmatch(file.name):
            yield f"FILENAME_KEYWORD_FORMATTING_ERROR {file.name}"
        found = list(_csv(file))
        yield from (code for code in found if isinstance(code, str))
        header = next((row for row in found if not isinstance(row, str)), [])
        columns |= set(header)
        yield from (f"CSV_COLUMN_MISSING_FROM_METADATA {name}" for name in header if name not in names)
    yield from (f"VARIABLE_MISSING_FROM_CSV_COLUMNS {name}" for name in sorted(map(str, names - columns)))


def _csv(file: Path) -> Iterator[str | list[str]]:
    """The header, then what is wrong."""
    with file.open(encoding="utf-8", newline="") as opened:
        reader = csv.reader(opened, strict=True)
        header = next(reader, [])
        yield header
        if not header:
            yield f"CSV_HEADER_MISSING {file.name}"
        if len(set(header)) < len(header):
            yield f"CSV_HEADER_REPEATED {file.name}"
        rows = list(reader)
    yield from (f"CSV_HEADER_LENGTH_MISMATCH {file.name}" for row in rows if len(row) != len(header))
    ids = [row[header.index("row_id")] for row in rows] if "row_id" in header else []
    if len(set(ids)) < len(ids):
        yield f"ROWID_VALUES_NOT_UNIQUE {file.name}"
