"""What a researcher takes home: all rows, nothing that a spreadsheet would run, no secrets."""

from __future__ import annotations

import csv
import io
import sqlite3
import zipfile
from pathlib import Path

import pytest

from study_app.study.definition import Study
from study_app.study.export import EXPORTED, export_zip, safe_cell
from study_app.study.media import MediaStore
from study_app.study.store import Store
from tests.study_app.people import arrive, ask, png, walk_to

COMMENT = '=HYPERLINK("http://evil","x"),\n"quoted"'


@pytest.fixture
def content(store: Store, media: MediaStore, study: Study) -> zipfile.ZipFile:
    first, second = arrive(store, study), arrive(store, study)
    walk_to(store, media, first, "photo:1")
    store.start_exposure(first, 1, media.keep(first, png()), "-1+1")
    walk_to(store, media, first, "conversation:2")
    cannot_tell = store.state(first).exposures[2].photo
    ask(store, first, 2, "I cannot tell from this photo.", None)
    store.photos.want_another(first, 2, cannot_tell)
    store.photos.replace(first, 2, cannot_tell, media.keep(first, png(9)), None)
    walk_to(store, media, first, "comments")
    store.save_answer(first, "comments", COMMENT)
    walk_to(store, media, first, "finished")
    walk_to(store, media, second, "rating:2")
    store.researcher.set_password("correct horse battery")
    return zipfile.ZipFile(io.BytesIO(export_zip(store)))


def table(content: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.read(name).decode(), newline="")))


def test_every_view_is_there_with_every_row(content: zipfile.ZipFile, tmp_path: Path) -> None:
    assert set(content.namelist()) == {*(f"{view}.csv" for view in EXPORTED), "study.db"}
    sizes = {view: len(table(content, f"{view}.csv")) for view in EXPORTED}
    assert sizes.pop("meta") >= 1
    assert sizes == {
        "ratings": 15 + 3,
        "participants": 2,
        "exposures": 5,
        "photo_exchanges": 1,
        "flow": 2,
        "items": 9,
        "conditions": 3,
        "comments": 1,
        "conversations": 12,
    }
    copy = sqlite3.connect(content.extract("study.db", tmp_path))
    for view, size in sizes.items():
        assert copy.execute(f"SELECT count(*) FROM {view}").fetchone()[0] == size
    assert copy.execute("SELECT count(*) FROM login").fetchone()[0] == 0
    copy.close()


def test_an_exchanged_photo_is_told(content: zipfile.ZipFile) -> None:
    exposures = {(row["participant"], row["period"]): row for row in table(content, "exposures.csv")}
    assert [row["photos_exchanged"] for row in exposures.values()].count("0") == 4
    exchanged = exposures["P0001", "2"]
    (before,) = table(content, "photo_exchanges.csv")
    assert exchanged["photos_exchanged"] == "1"
    assert exchanged["diagnosis"] == "acne vulgaris"
    assert (before["participant"], before["period"], before["condition"]) == ("P0001", "2", exchanged["condition"])
    assert before["new_photo"] == exchanged["photo"] != before["photo"]
    said = [(row["photo"], row["text"]) for row in table(content, "conversations.csv") if row["period"] == "2"]
    assert said[:4] == [
        (before["photo"], "What is it?"),
        (before["photo"], "I cannot tell from this photo."),
        (exchanged["photo"], "What is it?"),
        (exchanged["photo"], "It may be acne."),
    ]


def test_formulas_are_defused_and_numbers_are_not_touched(content: zipfile.ZipFile) -> None:
    (comment,) = table(content, "comments.csv")
    assert comment["comment"] == "'" + COMMENT
    assert table(content, "exposures.csv")[0]["known_label"] == "'-1+1"
    assert {row["value"] for row in table(content, "ratings.csv")} == {"4"}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize("value", [-1, 1.5, None, "plain", "", "a=b"])
def test_all_else_stays(value: object) -> None:
    assert safe_cell(value) == value


def test_the_export_holds_no_secret(content: zipfile.ZipFile) -> None:
    assert b"argon2" not in b"".join(content.read(name) for name in content.namelist())


def test_the_csv_alone_is_analysed_like_the_database(content: zipfile.ZipFile, tmp_path: Path) -> None:
    from analysis.report import summarise

    content.extractall(tmp_path)
    from_csv, from_db = summarise(tmp_path / "ratings.csv"), summarise(tmp_path / "study.db")
    assert from_csv.n == from_db.n == 1
    assert from_csv.table5.csv() == from_db.table5.csv()
    assert from_csv.ratings_by_condition.csv() == from_db.ratings_by_condition.csv()
