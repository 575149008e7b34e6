"""The published rules of Psych-DS, as `psychds-validator` 1.5.0 checks them (its schema.json and source).

Re-checked here because the validator cannot be a dependency of the tests: it is a Node program that asks the
network for its schema, on which a test must not hang, and the npm registry answers that there is no such package
(November 2026). Built from its source (github.com/psych-ds/psychds-validator, 6239b2e), with its own default schema and
offline, on 2026-11-21 it found exports of the three studies that ship valid, with no warning but those of NOT_CHECKED,
and of every broken folder of `test_export_psychds.py` the code that stands there. In three cases it is looser than its
schema, and these rules are as strict as the schema: of EXTENSION_MISMATCH it says FILE_NOT_CHECKED, of
JSON_ENCODING_ERROR nothing, and at FILE_NOT_READ it stops.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ERRORS = frozenset(
    [
        "MISSING_DATAFILE",
        "MISSING_DATASET_DESCRIPTION",
        "MISSING_DATA_DIRECTORY",
        "FILE_NOT_READ",
        "JSON_ENCODING_ERROR",
        "JSON_KEY_REQUIRED",
        "CSV_COLUMN_MISSING_FROM_METADATA",
        "VARIABLE_MISSING_FROM_CSV_COLUMNS",
        "CSV_HEADER_MISSING",
        "CSV_FORMATTING_ERROR",
        "CSV_HEADER_LENGTH_MISMATCH",
        "CSV_HEADER_REPEATED",
        "ROWID_VALUES_NOT_UNIQUE",
        "FILENAME_KEYWORD_FORMATTING_ERROR",
        "INVALID_JSON_FORMATTING",
        "INVALID_JSONLD_FORMATTING",
        "INCORRECT_DATASET_TYPE",
        "MISSING_DATASET_TYPE",
        "EXTENSION_MISMATCH",
    ]
)
"""Every rule of level "error" in its schema, but NOT_CHECKED."""
WARNINGS = frozenset(
    [
        "MISSING_README_DOC",
        "MISSING_CHANGES_DOC",
        "MISSING_DOCUMENTATION_DIRECTORY",
        "MISSING_MATERIALS_DIRECTORY",
        "FILE_EMPTY",
        "FILE_NOT_CHECKED",
        "WRONG_METADATA_LOCATION",
        "FILENAME_UNOFFICIAL_KEYWORD_WARNING",
        "UNKNOWN_NAMESPACE",
        "OBJECT_TYPE_MISSING",
        "INVALID_SCHEMAORG_PROPERTY",
        "INVALID_OBJECT_TYPE",
    ]
)
"""Of level "warning"; an export must have none of these either."""
NOT_CHECKED = {
    "JSON_INVALID": "the validator never raises it: INVALID_JSON_FORMATTING stands for it",
    "MISSING_REQUIRED_ELEMENT": "never raised: the three MISSING_ rules of level error stand for it",
    "FILENAME_UNOFFICIAL_KEYWORD_ERROR": "the schema allows other keywords; the warning is checked",
    "JSON_KEY_RECOMMENDED": "license, citation, funder, url and privacyPolicy are the researcher's to fill in",
    "MISSING_ANALYSIS_DIRECTORY": "an export is data; the report is another command",
    "MISSING_RESULTS_DIRECTORY": "an export is data; the report is another command",
    "MISSING_PSYCHDSIGNORE": "there is nothing to be ignored",
    "MISSING_DIRECTORY_METADATA": "optional; it would override what dataset_description.json says",
    "MISSING_SIDECAR_METADATA": "optional; it would override what dataset_description.json says",
}
"""The other rules, each with the reason. Of INVALID_JSONLD_FORMATTING what the export can break is checked: the
context, and no keywords but @context and @type; expanding any JSON-LD takes a library that asks the network."""
DATA_FILE = re.compile(r"([a-z]+-[a-zA-Z0-9]+)(_[a-z]+-[a-zA-Z0-9]+)*_data\.(csv|tsv)")
KEYWORDS = frozenset(
    [
        "study",
        "site",
        "subject",
        "session",
        "task",
        "condition",
        "trial",
        "stimulus",
        "description",
    ]
)
IGNORED = frozenset(
    [
        "sourcedata",
        "code",
        "stimuli",
        "materials",
        "results",
        "products",
        "analysis",
        "documentation",
        "log",
    ]
)
"""Folders that the validator does not look into."""
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
    """Codes of the validator's errors and warnings, each with what it is about; empty for a valid folder with
    everything that is recommended."""
    unread = list(_unread(folder))
    description = folder / "dataset_description.json"
    if not description.is_file():
        return ["MISSING_DATASET_DESCRIPTION", *unread]
    if any(line.endswith(description.name) for line in unread):
        return unread
    metadata = json.loads(description.read_text("utf-8"))
    return [*unread, *_recommended(folder), *_places(folder), *_metadata(metadata), *_files(folder, metadata)]


def _looked_at(folder: Path) -> Iterator[Path]:
    """Files, links that lead nowhere among them, in the folders that count."""
    for file in sorted(folder.rglob("*")):
        if not file.is_dir() and file.relative_to(folder).parts[0] not in IGNORED:
            yield file


def _unread(folder: Path) -> Iterator[str]:
    for file in _looked_at(folder):
        if not file.is_file():
            yield f"FILE_NOT_READ {file.name}"
        elif not file.stat().st_size:
            yield f"FILE_EMPTY {file.name}"
        elif file.suffix == ".json":
            try:
                json.loads(file.read_text("utf-8"))
            except UnicodeDecodeError:
                yield f"JSON_ENCODING_ERROR {file.name}"
            except json.JSONDecodeError:
                yield f"INVALID_JSON_FORMATTING {file.name}"


def _recommended(folder: Path) -> Iterator[str]:
    for name in ("README", "CHANGES"):
        if not any((folder / f"{name}{suffix}").is_file() for suffix in (".md", ".txt")):
            yield f"MISSING_{name}_DOC"
    for name in ("documentation", "materials"):
        if not (folder / name).is_dir():
            yield f"MISSING_{name.upper()}_DIRECTORY"


def _places(folder: Path) -> Iterator[str]:
    """Files that are no part of Psych-DS where they lie."""
    root = {"dataset_description.json", "README.md", "README.txt", "CHANGES.md", "CHANGES.txt"}
    for file in _looked_at(folder):
        place = file.relative_to(folder)
        in_data = place.parts[0] == "data" and (file.stem.endswith("_data") or file.name == "file_metadata.json")
        if place.as_posix() not in root and not in_data:
            yield f"FILE_NOT_CHECKED {place}"
            if file.name == "dataset_description.json":
                yield f"WRONG_METADATA_LOCATION {place}"


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
            if key not in ("@context", "@type"):
                yield f"INVALID_JSONLD_FORMATTING {path}.{key}"
            continue
        if ":" in key:
            yield f"UNKNOWN_NAMESPACE {path}.{key}"
        elif key not in SCHEMA_ORG.get(kind, ()):
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
    named = [file for file in sorted((folder / "data").rglob("*")) if file.stem.endswith("_data")]
    yield from (f"EXTENSION_MISMATCH {file.name}" for file in named if file.suffix not in (".csv", ".tsv", ".json"))
    files = [file for file in named if file.suffix in (".csv", ".tsv") and file.is_file()]
    if not files:
        yield "MISSING_DATAFILE"
    for file in files:
        if not DATA_FILE.fullmatch(file.name):
            yield f"FILENAME_KEYWORD_FORMATTING_ERROR {file.name}"
        elif not {part.partition("-")[0] for part in file.stem.split("_")[:-1]} <= KEYWORDS:
            yield f"FILENAME_UNOFFICIAL_KEYWORD_WARNING {file.name}"
        found = list(_csv(file))
        yield from (code for code in found if isinstance(code, str))
        header = next((row for row in found if not isinstance(row, str)), [])
        columns |= set(header)
        yield from (f"CSV_COLUMN_MISSING_FROM_METADATA {name}" for name in header if name not in names)
    yield from (f"VARIABLE_MISSING_FROM_CSV_COLUMNS {name}" for name in sorted(map(str, names - columns)))


def _csv(file: Path) -> Iterator[str | list[str]]:
    """The header, then what is wrong."""
    with file.open(encoding="utf-8", newline="") as opened:
        reader = csv.reader(opened, strict=True, delimiter="\t" if file.suffix == ".tsv" else ",")
        try:
            header = next(reader, [])
            rows = list(reader)
        except csv.Error:
            yield f"CSV_FORMATTING_ERROR {file.name}"
            return
    yield header
    if not header:
        yield f"CSV_HEADER_MISSING {file.name}"
    if len(set(header)) < len(header):
        yield f"CSV_HEADER_REPEATED {file.name}"
    yield from (f"CSV_HEADER_LENGTH_MISMATCH {file.name}" for row in rows if len(row) != len(header))
    ids = [row[header.index("row_id")] for row in rows] if "row_id" in header else []
    if len(set(ids)) < len(ids):
        yield f"ROWID_VALUES_NOT_UNIQUE {file.name}"
