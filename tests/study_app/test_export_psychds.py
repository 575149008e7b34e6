"""The Psych-DS folder keeps the published rules and names every column; what is in it: test_export_public.py."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from study_app.study.definition import Study
from study_app.study.export.psychds import file_name
from study_app.study.media import MediaStore
from study_app.study.store import Store
from tests.study_app.export_study import answer, described, fill, lamps, person, unpacked
from tests.study_app.people import arrive, walk_to
from tests.study_app.psychds_rules import ERRORS, NOT_CHECKED, WARNINGS, problems


@pytest.fixture
def dataset(store: Store, media: MediaStore, tmp_path: Path) -> Path:
    """The folder of a small study, unpacked."""
    fill(store, lamps(tmp_path))
    return unpacked(store, tmp_path)


def test_the_folder_keeps_the_published_rules(dataset: Path) -> None:
    assert problems(dataset) == []


def test_the_paper_study_keeps_them_too(store: Store, media: MediaStore, study: Study, tmp_path: Path) -> None:
    walk_to(store, media, arrive(store, study), "finished")
    dataset = unpacked(store, tmp_path)
    assert problems(dataset) == []
    assert (dataset / "data" / "study-skingen_description-photoExchanges_data.csv").is_file()


def test_two_studies_in_one_database(store: Store, media: MediaStore, study: Study, tmp_path: Path) -> None:
    walk_to(store, media, arrive(store, study), "finished")
    fill_after(store, lamps(tmp_path))
    dataset = unpacked(store, tmp_path)
    assert problems(dataset) == []
    names = {file.name for file in (dataset / "data").iterdir()}
    assert {"study-skingen_description-wide_data.csv", "study-twoLamps_description-wide_data.csv"} <= names
    assert "description-ratings_data.csv" in names
    assert (tmp_path / "out" / "wide" / "skingen.csv").read_text("utf-8").count("P0001") == 1
    assert (tmp_path / "out" / "wide" / "two_lamps.csv").read_text("utf-8").count("P0001") == 0


def fill_after(store: Store, study: Study) -> None:
    """One more participant, P0002, who gave one answer."""
    store.register(study)
    conn = sqlite3.connect(store.database.path)
    with conn:
        person(conn, study.hash, "P0002", "live", "active", sequence="a>b")
        answer(conn, "P0002", "hand", None, "left")
    conn.close()


def test_what_is_recommended_is_there(dataset: Path) -> None:
    metadata = json.loads((dataset / "dataset_description.json").read_text("utf-8"))
    assert metadata["name"] == "Which lamp?"
    assert metadata["author"] == [{"@type": "Organization", "name": "Institute of Light"}]
    assert metadata["keywords"] == ["user study", "explainable AI", "Light", "Liking"]
    assert "live run: 3 arrived, 1 completed; pilot run: 1 arrived, 0 completed" in metadata["description"]
    assert {"README.md", "CHANGES.md", "documentation", "materials", "data"} <= {
        path.name for path in dataset.iterdir()
    }


def test_a_rating_is_described_with_its_scale(dataset: Path) -> None:
    assert described(dataset)["bright_a"] == {
        "@type": "PropertyValue",
        "name": "bright_a",
        "description": "Lamp A: It is bright.",
        "minValue": 0,
        "maxValue": 2,
        "valueReference": [
            {"@type": "PropertyValue", "value": 0, "name": "No"},
            {"@type": "PropertyValue", "value": 1, "name": "Perhaps"},
            {"@type": "PropertyValue", "value": 2, "name": "Yes"},
        ],
    }
    assert described(dataset)["exposure_s_b"]["unitText"] == "s"


def rename(dataset: Path) -> None:
    file = dataset / "data" / "study-twoLamps_description-ratings_data.csv"
    file.rename(file.with_name("two_lamps_ratings_data.csv"))


def change(what: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def changed(dataset: Path) -> None:
        file = dataset / "dataset_description.json"
        metadata = json.loads(file.read_text("utf-8"))
        what(metadata)
        file.write_text(json.dumps(metadata), "utf-8")

    return changed


def append(line: str) -> Callable[[Path], None]:
    def appended(dataset: Path) -> None:
        with (dataset / WIDE).open("a", encoding="utf-8") as file:
            file.write(line)

    return appended


def put(name: str, content: str | bytes) -> Callable[[Path], None]:
    """A file more, or another content."""

    def written(dataset: Path) -> None:
        (dataset / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return written


def without(name: str) -> Callable[[Path], None]:
    def removed(dataset: Path) -> None:
        if (dataset / name).is_dir():
            shutil.rmtree(dataset / name)
        else:
            (dataset / name).unlink()

    return removed


def no_data_files(dataset: Path) -> None:
    for file in (dataset / "data").iterdir():
        file.unlink()


WIDE = "data/study-twoLamps_description-wide_data.csv"
OF_LAMPS: dict[str, object] = {"@type": "PropertyValue", "name": "x"}
BROKEN: list[tuple[str, Callable[[Path], object]]] = [
    ("MISSING_DATASET_DESCRIPTION", without("dataset_description.json")),
    ("MISSING_DATA_DIRECTORY", without("data")),
    ("MISSING_DATAFILE", no_data_files),
    ("MISSING_README_DOC", without("README.md")),
    ("MISSING_CHANGES_DOC", without("CHANGES.md")),
    ("MISSING_DOCUMENTATION_DIRECTORY", without("documentation")),
    ("MISSING_MATERIALS_DIRECTORY", without("materials")),
    ("FILE_NOT_READ", lambda dataset: (dataset / "data" / "trial-1_data.csv").symlink_to("nowhere")),
    ("FILE_EMPTY", put("README.txt", "")),
    ("FILE_NOT_CHECKED", put("data/notes.txt", "notes")),
    ("WRONG_METADATA_LOCATION", put("data/dataset_description.json", "{}")),
    ("EXTENSION_MISMATCH", put("data/trial-1_data.txt", "a")),
    ("FILENAME_KEYWORD_FORMATTING_ERROR", rename),
    ("FILENAME_UNOFFICIAL_KEYWORD_WARNING", put("data/lamp-1_data.csv", "participant\r\n")),
    ("JSON_ENCODING_ERROR", put("data/file_metadata.json", '{"name": "\u00e9"}'.encode("latin-1"))),
    ("INVALID_JSON_FORMATTING", put("dataset_description.json", "{")),
    ("JSON_KEY_REQUIRED", change(lambda metadata: metadata.pop("name"))),
    ("MISSING_DATASET_TYPE", change(lambda metadata: metadata.pop("@type"))),
    ("INCORRECT_DATASET_TYPE", change(lambda metadata: metadata.update({"@type": "Person"}))),
    ("INVALID_JSONLD_FORMATTING", change(lambda metadata: metadata.pop("@context"))),
    ("UNKNOWN_NAMESPACE", change(lambda metadata: metadata.update({"dc:creator": "Ada"}))),
    ("INVALID_SCHEMAORG_PROPERTY", change(lambda metadata: metadata.update(lamps=2))),
    ("OBJECT_TYPE_MISSING", change(lambda metadata: metadata.update(author={"name": "Ada"}))),
    ("INVALID_OBJECT_TYPE", change(lambda metadata: metadata.update(author=OF_LAMPS))),
    ("CSV_COLUMN_MISSING_FROM_METADATA", change(lambda metadata: metadata["variableMeasured"].pop())),  # type: ignore[attr-defined]
    (
        "VARIABLE_MISSING_FROM_CSV_COLUMNS",
        change(lambda metadata: metadata["variableMeasured"].append("nowhere")),  # type: ignore[attr-defined]
    ),
    ("CSV_HEADER_MISSING", put("data/trial-1_data.csv", "")),
    ("CSV_HEADER_REPEATED", put("data/trial-1_data.csv", "participant,participant\r\n")),
    ("CSV_HEADER_LENGTH_MISMATCH", append("one,cell,more\r\n")),
    ("CSV_FORMATTING_ERROR", append('"never closed\r\n')),
    (
        "ROWID_VALUES_NOT_UNIQUE",
        put("data/trial-1_data.csv", "row_id,participant\r\n1,P0001\r\n1,P0002\r\n"),
    ),
]


@pytest.mark.parametrize(("code", "broken"), BROKEN, ids=[code for code, _ in BROKEN])
def test_the_rules_find_what_is_broken(dataset: Path, broken: Callable[[Path], object], code: str) -> None:
    broken(dataset)
    assert code in {problem.split()[0] for problem in problems(dataset)}


def test_every_rule_is_broken_once_or_has_a_reason() -> None:
    assert {code for code, _ in BROKEN} == ERRORS | WARNINGS
    assert not NOT_CHECKED.keys() & (ERRORS | WARNINGS)


def test_the_materials_say_what_was_asked_and_nothing_that_pays(dataset: Path) -> None:
    (file,) = (dataset / "materials").iterdir()
    said = json.loads(file.read_text("utf-8"))
    assert said["id"] == "two_lamps"
    assert file.name == f"two_lamps_{lamps(dataset.parent).hash[:12]}.json"
    assert {"items", "consent"} <= said.keys()
    assert not {"completion_codes", "return_urls", "contact"} & said.keys()


@pytest.mark.parametrize(
    ("study", "table", "name"),
    [
        ("skingen", "ratings", "study-skingen_description-ratings_data.csv"),
        ("image_relevance_2", "photo_exchanges", "study-imageRelevance2_description-photoExchanges_data.csv"),
        (None, "flow", "description-flow_data.csv"),
    ],
)
def test_names_of_data_files(study: str | None, table: str, name: str) -> None:
    assert file_name(study, table) == name
