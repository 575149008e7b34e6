"""What a researcher takes home: all rows, nothing that a spreadsheet would run, no secrets, nobody who withdrew."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from study_app.study.definition import Study
from study_app.study.export import ExportError, write_database, write_export
from study_app.study.export.archive import count_again
from study_app.study.export.csv_files import CsvFile
from study_app.study.export.tables import NAMES
from study_app.study.media import MediaStore, folder_of
from study_app.study.store import Store
from tests.study_app.people import arrive, ask, png, walk_to

COMMENT = '=HYPERLINK("http://evil","x"),\n"quoted" 皮肤 🩹 007'


@pytest.fixture(scope="module")
def template(study: Study, memory_folder: Path) -> Path:
    """P0001 finished, exchanged a photo and left a comment; P0002 is rating the second; P0003 withdrew."""
    folder = Path(tempfile.mkdtemp(dir=memory_folder))
    store = Store.open(folder / "study.db")
    media = MediaStore(folder_of(folder / "study.db"), store)
    first, second, third = arrive(store, study), arrive(store, study), arrive(store, study)
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
    walk_to(store, media, third, "finished", colour=33)
    store.save_answer(second, "trust", 2, 2)
    store.save_answer(second, "trust", 5, 2)
    media.withdraw(third)
    store.researcher.set_password("correct horse battery")
    store.close()
    return folder


@pytest.fixture
def filled(template: Path, db: Path) -> Iterator[Store]:
    """The study of `template`, in a database of its own; `media` has its pictures."""
    shutil.copytree(template, db.parent, dirs_exist_ok=True)
    opened = Store.open(db)
    yield opened
    opened.close()


@pytest.fixture
def media(filled: Store) -> MediaStore:
    return MediaStore(folder_of(filled.database.path), filled)


@pytest.fixture
def content(filled: Store, tmp_path: Path) -> zipfile.ZipFile:
    return exported(filled, tmp_path / "export.zip")


def exported(store: Store, target: Path, media: MediaStore | None = None) -> zipfile.ZipFile:
    write_export(store, target, media)
    return zipfile.ZipFile(target)


def table(content: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.read(name).decode(), newline="")))


def corrupt(database: Path, *statements: str) -> None:
    """Change the file behind the store's back, as a damaged or tampered database would be."""
    conn = sqlite3.connect(database)
    with conn:
        for statement in statements:
            conn.execute(statement)
    conn.close()


def test_every_table_is_there_with_every_row(content: zipfile.ZipFile, tmp_path: Path) -> None:
    sizes = {name: len(table(content, f"{name}.csv")) for name in NAMES}
    assert sizes.pop("meta") >= 1
    assert sizes == {
        "ratings": 15 + 3 + 1,
        "participants": 2,
        "exposures": 5,
        "decisions": 0,
        "replies": 6,
        "photo_exchanges": 1,
        "pairs": 0,
        "flow": 2,
        "questions": 2 + 9,
        "items": 9,
        "scores": 0,
        "conditions": 3,
        "comments": 1,
        "conversations": 12,
        "all_answers": (2 + 15 + 1) + (2 + 3 + 1),
        "withdrawn": 1,
    }
    copy = sqlite3.connect(content.extract("study.db", tmp_path))
    for view in ("ratings", "participants", "exposures", "flow", "comments", "conversations"):
        assert copy.execute(f"SELECT count(*) FROM {view}").fetchone()[0] == sizes[view]
    assert copy.execute("SELECT count(*) FROM login").fetchone()[0] == 0
    assert copy.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert copy.execute("PRAGMA foreign_key_check").fetchall() == []
    copy.close()


def test_the_rows_are_exactly_these(content: zipfile.ZipFile, study: Study) -> None:
    rows = [row for row in table(content, "all_answers.csv") if row["participant"] == "P0002"]
    order = rows[0]["sequence"].split(">")
    told = [(r["outcome"], r["period"], r["condition"], r["item"], r["value"], r["changes"]) for r in rows]
    assert told == [
        ("active", "", "", "gender", "female", "0"),
        ("active", "", "", "medical_background", "yes", "0"),
        ("active", "1", order[0], "trust", "4", "0"),
        ("active", "1", order[0], "ease", "4", "0"),
        ("active", "1", order[0], "effort", "4", "0"),
        ("active", "2", order[1], "trust", "5", "1"),
    ]
    assert {row["definition_hash"] for row in rows} == {study.hash}


def test_the_layout(content: zipfile.ZipFile) -> None:
    names = set(content.namelist())
    assert {"README.txt", "SHA256SUMS", "study.db", "codebook.csv", "codebook.md", "wide/skingen.csv"} <= names
    assert {f"{name}.csv" for name in NAMES} | {f"parquet/{name}.parquet" for name in NAMES} <= names
    assert "psych-ds/dataset_description.json" in names


def test_the_checksums_are_those_of_the_files(content: zipfile.ZipFile) -> None:
    lines = content.read("SHA256SUMS").decode().splitlines()
    found = {line[66:]: line[:64] for line in lines}
    assert set(found) == set(content.namelist()) - {"SHA256SUMS"}
    assert all(hashlib.sha256(content.read(name)).hexdigest() == digest for name, digest in found.items())


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
    assert {row["value"] for row in table(content, "ratings.csv")} == {"4", "5"}
    assert table(content, "wide/skingen.csv")[0]["comments"] == "'" + COMMENT.replace("\n", " ")


def test_who_withdrew_is_in_no_file(filled: Store, media: MediaStore, tmp_path: Path) -> None:
    token = store_token_hash(filled, "P0003")
    with exported(filled, tmp_path / "export.zip", media) as content:
        everything = {name: content.read(name) for name in content.namelist()}
        (counted,) = table(content, "withdrawn.csv")
    assert [name for name, held in everything.items() if b"P0003" in held or token.encode() in held] == []
    assert [name for name in everything if "P000" in name] == []
    assert (counted["run_kind"], counted["withdrawn"], counted["of_these_allocated"]) == ("live", "1", "1")
    assert b"Participants who withdrew (1): in no file" in everything["README.txt"]


def store_token_hash(store: Store, participant: str) -> str:
    with store.database.read() as conn:
        row = conn.execute("SELECT token_hash FROM participant WHERE participant = ?", (participant,)).fetchone()
    return str(row[0])


def test_what_was_left_of_somebody_who_withdrew_is_left_out_too(filled: Store, tmp_path: Path) -> None:
    """Erasing failed half-way, say: the export does not rely on it."""
    corrupt(
        filled.database.path,
        "INSERT INTO answer (participant, item, period, value, answered_at) "
        "VALUES ('P0003', 'comments', NULL, 'still here', '2026-01-01T00:00:00.000Z')",
    )
    with exported(filled, tmp_path / "export.zip") as content:
        assert [name for name in content.namelist() if b"still here" in content.read(name)] == []
        assert len(table(content, "comments.csv")) == 1


def test_the_database_alone_is_without_secrets_and_the_withdrawn(filled: Store, tmp_path: Path) -> None:
    tokens = {store_token_hash(filled, f"P000{number}") for number in (1, 2, 3)}
    write_database(filled, tmp_path / "copy.db")
    conn = sqlite3.connect(tmp_path / "copy.db")
    rows = conn.execute("SELECT participant, token_hash FROM participant ORDER BY participant").fetchall()
    assert [row[0] for row in rows] == ["P0001", "P0002"]
    assert tokens.isdisjoint(row[1] for row in rows)
    assert conn.execute("SELECT count(*) FROM login").fetchone()[0] == 0
    with pytest.raises(sqlite3.IntegrityError, match="never deleted"):  # the guards are back
        conn.execute("DELETE FROM participant")
    conn.close()


def test_the_export_changes_nothing_in_the_database(filled: Store, tmp_path: Path) -> None:
    before = filled.database.path.read_bytes()
    exported(filled, tmp_path / "export.zip").close()
    assert filled.database.path.read_bytes() == before


def test_the_export_holds_no_secret(content: zipfile.ZipFile) -> None:
    assert b"argon2" not in b"".join(content.read(name) for name in content.namelist())


def test_photos_only_when_asked_for(filled: Store, media: MediaStore, tmp_path: Path) -> None:
    with exported(filled, tmp_path / "without.zip") as without:
        assert not [name for name in without.namelist() if name.endswith(".png")]
        assert b"Photos and pictures (2): not asked for" in without.read("README.txt")
    drawn = media.keep("P0001", png(77))  # no exposure names it: shown, not chosen
    with exported(filled, tmp_path / "with.zip", media) as content:
        chosen = {row["photo"] for row in table(content, "exposures.csv") + table(content, "photo_exchanges.csv")}
        pictures = {name for name in content.namelist() if name.endswith(".png")}
        assert pictures == {f"photos/{sha256}.png" for sha256 in chosen} | {f"pictures/{drawn}.png"}
        assert content.read(f"pictures/{drawn}.png") == png(77)


def test_a_picture_that_is_gone_or_changed_is_named(filled: Store, media: MediaStore, tmp_path: Path) -> None:
    gone, changed = media.keep("P0001", png(71)), media.keep("P0001", png(72))
    (media.folder / gone[:2] / f"{gone}.png").unlink()
    (media.folder / changed[:2] / f"{changed}.png").write_bytes(png(73))
    written = write_export(filled, tmp_path / "export.zip", media)
    assert set(written.lost_pictures) == {f"pictures/{gone}.png", f"pictures/{changed}.png"}
    with zipfile.ZipFile(tmp_path / "export.zip") as content:
        readme = content.read("README.txt").decode()
        assert gone in readme
        assert changed in readme
        assert not any(gone in name or changed in name for name in content.namelist())


def test_the_readme_says_what_when_how_many_and_what_is_missing(content: zipfile.ZipFile, study: Study) -> None:
    readme = content.read("README.txt").decode()
    assert study.hash in readme
    assert "live run    n = 2: 1 active, 1 completed" in readme
    assert f"{len(table(content, 'all_answers.csv')):>8}  all_answers.csv" in readme
    assert "Answers of those who completed (0): items left open." in readme
    assert "SIMULATED" not in readme


def test_simulated_people_are_called_so_everywhere(store: Store, study: Study, tmp_path: Path) -> None:
    store.mark_simulated()
    arrive(store, study)
    with exported(store, tmp_path / "export.zip") as content:
        assert "SIMULATED" in content.read("README.txt").decode()
        assert "SIMULATED" in content.read("psych-ds/dataset_description.json").decode()
        assert {"key": "simulated", "value": "1"} in table(content, "meta.csv")


def test_a_study_that_nobody_has_visited_is_exported(store: Store, study: Study, tmp_path: Path) -> None:
    store.register(study)
    with exported(store, tmp_path / "export.zip") as content:
        assert table(content, "participants.csv") == table(content, "wide/skingen.csv") == []
        assert "trust_text" in content.read("wide/skingen.csv").decode()


@pytest.mark.parametrize(
    "schema", sorted((Path(__file__).parent / "databases").glob("schema_*.sql")), ids=lambda path: path.stem
)
def test_a_database_of_an_older_version_is_exported(db: Path, tmp_path: Path, schema: Path) -> None:
    old = sqlite3.connect(db)
    old.executescript(schema.read_text("utf-8"))
    withdrew = old.execute("SELECT count(*) FROM participant WHERE status = 'withdrawn'").fetchone()[0]
    there = old.execute("SELECT count(*) FROM participant").fetchone()[0]
    old.close()
    store = Store.open(db)
    with exported(store, tmp_path / "export.zip") as content:
        assert len(table(content, "participants.csv")) == there - withdrew > 0
        assert table(content, "ratings.csv")
    store.close()


def test_an_empty_database_is_exported(store: Store, tmp_path: Path) -> None:
    with exported(store, tmp_path / "export.zip") as content:
        assert table(content, "ratings.csv") == []


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ("DROP VIEW comments; CREATE VIEW comments AS SELECT 'x' AS study WHERE 0", "the view comments has 0 rows"),
        ("DROP VIEW flow; CREATE VIEW flow AS SELECT * FROM participants LIMIT 1", "the view flow has 1 rows, the dat"),
        (
            "DROP VIEW newest_answers; CREATE VIEW newest_answers AS SELECT * FROM answer",
            "has 25 rows, the database 24",
        ),
        ("DELETE FROM exposure WHERE participant = 'P0001' AND period = 1", "the view replies has"),
        ("UPDATE definition SET source = json_remove(source, '$.comments')", "no column for an answer of P0001 to 'co"),
        ("UPDATE definition SET source = '{}'", "cannot be read by this version"),
        (
            "DROP VIEW conditions; CREATE VIEW conditions AS SELECT json('{') AS study",
            "malformed JSON. Is the disk full",
        ),
    ],
)
def test_a_count_that_is_off_fails_the_export(filled: Store, tmp_path: Path, statements: str, message: str) -> None:
    corrupt(filled.database.path, "PRAGMA foreign_keys = OFF", *statements.split("; "))
    with pytest.raises(ExportError, match=message) as failed:
        write_export(filled, tmp_path / "export.zip")
    assert str(failed.value).startswith("Nothing was exported: ")
    assert list(tmp_path.glob("*.zip*")) == []


def test_rows_lost_on_the_way_fail_the_export(filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from study_app.study.export import archive

    class Forgetful(CsvFile):
        def add(self, rows: Sequence[Sequence[Any]]) -> None:
            super().add(rows[:-1])

    def made(file: Path, header: Sequence[str]) -> CsvFile:
        return (Forgetful if file.name == "ratings.csv" else CsvFile)(file, header)

    monkeypatch.setattr(archive, "CsvFile", made)
    with pytest.raises(ExportError, match=r"ratings.csv has 18 rows, the database 19"):
        write_export(filled, tmp_path / "export.zip")
    assert list(tmp_path.glob("*.zip*")) == []


def test_a_zip_is_counted_again(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("a.csv", 'x,y\r\n1,"two\nlines ""quoted"""\r\n')
    count_again(tmp_path / "x.zip", {"a.csv": 1})
    with pytest.raises(ExportError, match=r"Nothing was exported: a.csv has 1 rows, the database 2\. Keep a copy"):
        count_again(tmp_path / "x.zip", {"a.csv": 2})


def test_an_export_never_overwrites(filled: Store, tmp_path: Path) -> None:
    (tmp_path / "export.zip").write_text("mine")
    with pytest.raises(FileExistsError):
        write_export(filled, tmp_path / "export.zip")
    assert (tmp_path / "export.zip").read_text() == "mine"


def test_the_csv_alone_is_analysed_like_the_database(content: zipfile.ZipFile, tmp_path: Path) -> None:
    from analysis.report import summarise

    content.extractall(tmp_path)
    from_csv, from_db = summarise(tmp_path / "ratings.csv"), summarise(tmp_path / "study.db")
    assert from_csv.n == from_db.n == 1
    assert from_csv.table5.csv() == from_db.table5.csv()
    assert from_csv.ratings_by_condition.csv() == from_db.ratings_by_condition.csv()
