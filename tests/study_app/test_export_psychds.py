"""The Psych-DS folder keeps the published rules, names every column, and holds nothing that people typed."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from study_app.study.definition import Study
from study_app.study.export import write_export
from study_app.study.export.psychds import file_name
from study_app.study.media import MediaStore
from study_app.study.store import Store
from tests.study_app.export_study import answer, fill, lamps, person
from tests.study_app.people import arrive, walk_to
from tests.study_app.psychds_rules import problems


@pytest.fixture
def dataset(store: Store, media: MediaStore, tmp_path: Path) -> Path:
    """The folder of a small study, unpacked."""
    fill(store, lamps(tmp_path))
    return unpacked(store, tmp_path)


def unpacked(store: Store, folder: Path) -> Path:
    write_export(store, folder / "export.zip")
    with zipfile.ZipFile(folder / "export.zip") as content:
        content.extractall(folder / "out")
    return folder / "out" / "psych-ds"


def described(dataset: Path) -> dict[str, dict[str, object]]:
    metadata = json.loads((dataset / "dataset_description.json").read_text("utf-8"))
    return {variable["name"]: variable for variable in metadata["variableMeasured"]}


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
    assert {"README.md", "CHANGES.md", "documentation", "data"} <= {path.name for path in dataset.iterdir()}


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


def test_nothing_that_people_typed_is_published(store: Store, media: MediaStore, study: Study, tmp_path: Path) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "conversation:1")
    key = store.jobs.next_key(participant, 1)
    photo = store.state(participant).exposures[1].photo
    typed = "I am Ada Lovelace"
    store.jobs.start(key, participant, 1, json.dumps({"photo": photo, "question": typed}), typed)
    manifest = {"profile": "p", "seed": 7, "question": typed, "prompts": {"question": typed}, "caption": typed}
    store.jobs.finish(key, f"Hello, {typed}", json.dumps({"label": "acne"}), json.dumps(manifest))
    walk_to(store, media, participant, "comments")
    store.save_answer(participant, "comments", typed)
    dataset = unpacked(store, tmp_path)
    published = {path.relative_to(dataset).as_posix(): path.read_bytes() for path in dataset.rglob("*.*")}
    assert [name for name, held in published.items() if b"Lovelace" in held] == []
    assert b'""seed"":7' in published["data/study-skingen_description-exposures_data.csv"]
    assert b"Lovelace" in (tmp_path / "out" / "exposures.csv").read_bytes()


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
        with (dataset / "data" / "study-twoLamps_description-wide_data.csv").open("a", encoding="utf-8") as file:
            file.write(line)

    return appended


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (lambda dataset: (dataset / "dataset_description.json").unlink(), "MISSING_DATASET_DESCRIPTION"),
        (rename, "FILENAME_KEYWORD_FORMATTING_ERROR"),
        (change(lambda metadata: metadata.pop("name")), "JSON_KEY_REQUIRED"),
        (change(lambda metadata: metadata.pop("@type")), "MISSING_DATASET_TYPE"),
        (change(lambda metadata: metadata.update({"@type": "Person"})), "INCORRECT_DATASET_TYPE"),
        (change(lambda metadata: metadata.pop("@context")), "INVALID_JSONLD_FORMATTING"),
        (change(lambda metadata: metadata["variableMeasured"].pop()), "CSV_COLUMN_MISSING_FROM_METADATA"),  # type: ignore[attr-defined]
        (
            change(lambda metadata: metadata["variableMeasured"].append("nowhere")),  # type: ignore[attr-defined]
            "VARIABLE_MISSING_FROM_CSV_COLUMNS",
        ),
        (append("one,cell,more\r\n"), "CSV_HEADER_LENGTH_MISMATCH"),
    ],
)
def test_the_rules_find_what_is_broken(dataset: Path, broken: Callable[[Path], None], code: str) -> None:
    broken(dataset)
    assert code in {problem.split()[0] for problem in problems(dataset)}


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
