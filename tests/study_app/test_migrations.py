"""Opening: what is ours is brought up to date, whatever is not is left alone."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlite_utils

from study_app.study.database import Database
from study_app.study.definition import Study, load_study
from study_app.study.media import MediaStore
from study_app.study.migrations import MIGRATIONS, open_database
from study_app.study.store import CannotOpen, Refused, Store
from tests.study_app.conftest import ENGLISH
from tests.study_app.people import arrive, png, walk_to

SCHEMA_1 = Path(__file__).parent / "databases" / "schema_1.sql"
SCHEMA_2 = SCHEMA_1.with_name("schema_2.sql")
SCHEMA_3 = SCHEMA_1.with_name("schema_3.sql")

NEXT = (*MIGRATIONS, ("ALTER TABLE participant ADD COLUMN language TEXT", "CREATE TABLE site (name TEXT)"))
BROKEN = (*MIGRATIONS, ("CREATE TABLE site (name TEXT)", "INSERT INTO nowhere VALUES (1)"))


def counts(path: Path) -> dict[str, int]:
    """Rows of every table and view."""
    conn = sqlite3.connect(path)
    names = [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
    found = {name: conn.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}
    conn.close()
    return {name: n for name, n in found.items() if not name.startswith("sqlite_")}


@pytest.fixture
def filled(db: Path, study: Study) -> Path:
    store = Store.open(db)
    walk_to(store, MediaStore(db.parent / "media", store), arrive(store, study), "finished")
    store.close()
    return db


def test_a_new_file_has_the_settings_that_keep_answers(store: Store) -> None:
    with store.database.read() as conn:
        settings = {
            name: conn.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "user_version")
        }
    extra = 3
    assert settings == {
        "journal_mode": "delete",
        "synchronous": extra,
        "foreign_keys": 1,
        "secure_delete": 1,
        "user_version": len(MIGRATIONS),
    }


def test_opening_again_changes_nothing(filled: Path) -> None:
    before = filled.read_bytes()
    Store.open(filled).close()
    assert filled.read_bytes() == before
    assert [path.name for path in filled.parent.glob("*.db")] == ["study.db"]


def test_an_older_schema_is_backed_up_and_brought_up_to_date(filled: Path) -> None:
    before = counts(filled)
    open_database(Database(filled), NEXT)
    after = counts(filled)
    assert after == {**before, "site": 0}
    backup = filled.with_name(f"study.before-v{len(NEXT)}.db")
    assert counts(backup) == before
    open_database(Database(filled), NEXT)  # a second run is a no-op
    assert counts(filled) == after
    assert sorted(path.name for path in filled.parent.glob("*.db")) == [backup.name, "study.db"]


@pytest.fixture
def schema_1(db: Path) -> Path:
    """A database as the app with schema 1 left it."""
    conn = sqlite3.connect(db)
    conn.executescript(SCHEMA_1.read_text())
    assert conn.execute("PRAGMA user_version").fetchone() == (1,)
    assert [row[1] for row in conn.execute("PRAGMA table_info(exposure)")][-1] == "finished_at"
    conn.close()
    return db


def test_a_database_of_schema_1_keeps_every_row_and_value(schema_1: Path) -> None:
    def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
        """Rows of the tables and of the views, in the columns that schema 1 has."""
        conn = sqlite3.connect(path)
        found: dict[str, list[tuple[object, ...]]] = {}
        for name, columns in old_columns.items():
            rows = conn.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
            found[name] = sorted(rows, key=repr)
        conn.close()
        return found

    conn = sqlite3.connect(schema_1)
    names = [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
    old_columns = {
        name: [f'"{row[1]}"' for row in conn.execute(f"PRAGMA table_info({name})")]
        for name in names
        if name not in ("sqlite_sequence", "meta")
    }
    conn.close()
    before = content(schema_1)
    assert len(before["exposure"]) == len(before["exposures"]) == 4
    Store.open(schema_1).close()
    assert content(schema_1) == before
    assert content(schema_1.with_name("study.before-v2.db")) == before


def test_in_a_database_of_schema_1_a_photo_can_be_exchanged(schema_1: Path) -> None:
    store = Store.open(schema_1)
    media = MediaStore(schema_1.parent / "media", store)
    done, waiting = store.state("P0001").exposures[1], store.state("P0002").exposures[1]
    assert (done.another_photo_wanted_at, done.answered, done.abstained) == (None, True, False)
    assert (waiting.answered, waiting.abstained, waiting.earlier_photos) == (True, True, ())
    with pytest.raises(Refused, match="not taking part"):
        store.photos.want_another("P0001", 1, done.photo)
    store.photos.want_another("P0002", 1, waiting.photo)
    store.photos.replace("P0002", 1, waiting.photo, media.keep("P0002", png(6)), None)
    walk_to(store, media, "P0002", "photo:2")
    with store.database.read() as conn:
        exchanged = conn.execute("SELECT participant, photos_exchanged FROM exposures ORDER BY 1, period").fetchall()
    assert [tuple(row) for row in exchanged] == [("P0001", 0)] * 3 + [("P0002", 1)]
    store.close()


def test_a_migration_that_fails_leaves_the_old_schema(filled: Path) -> None:
    before = counts(filled)
    with pytest.raises(CannotOpen, match="nowhere"):
        open_database(Database(filled), BROKEN)
    assert counts(filled) == before
    Store.open(filled).close()


def test_a_newer_schema_is_refused_and_untouched(filled: Path) -> None:
    open_database(Database(filled), NEXT)
    before = filled.read_bytes()
    with pytest.raises(CannotOpen, match=f"has schema {len(NEXT)}, this version knows {len(MIGRATIONS)}"):
        Store.open(filled)
    assert filled.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "cookies.db"
    conn = sqlite3.connect(path)
    conn.execute("CREATE TABLE cookies (name TEXT)")
    conn.close()
    before = path.read_bytes()
    with pytest.raises(CannotOpen, match="another program"):
        Store.open(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("These are my notes, and no database at all. " * 50)
    before = path.read_bytes()
    with pytest.raises(CannotOpen, match="not a database"):
        Store.open(path)
    assert path.read_bytes() == before


def test_a_damaged_database_is_refused_and_untouched(filled: Path) -> None:
    content = bytearray(filled.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = b"\xa5" * 8192
    filled.write_bytes(content)
    with pytest.raises(CannotOpen, match=r"damaged|malformed"):
        Store.open(filled)
    assert filled.read_bytes() == bytes(content)


def test_a_read_only_file_is_refused(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != filled)  # root may write everything
    with pytest.raises(CannotOpen, match="read-only"):
        Store.open(filled)


def test_a_folder_or_a_missing_right_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(CannotOpen, match="cannot be opened"):
        Store.open(tmp_path / "folder.db")
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotOpen, match="cannot be opened"):
        Store.open(tmp_path / "file" / "study.db")


def test_two_who_open_a_new_database_at_once_make_one(db: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: Store.open(db), range(8)))
    assert len({store.meta("database_id") for store in stores}) == 1
    for store in stores:
        store.close()


def as_it_was(folder: Path) -> Path:
    """The study of the stored database: since then its file has come to cover pictures, and to say what a withdrawal
    leaves."""
    text = ENGLISH.read_text()
    begin, end = text.index(" What stays: your number"), text.index("\n\n    **Questions.**")
    then = ", and only the fact and the date of the withdrawal remain."
    lines = (text[:begin].removesuffix(".") + then + text[end:]).splitlines(keepends=True)
    file = folder / ENGLISH.name
    file.write_text("".join(line for line in lines if not line.startswith("sensitive_images:")))
    return file


def test_a_database_of_schema_2_keeps_its_ratings_and_its_definition(db: Path) -> None:
    """The fields that a study can have since then are left out of the hash while they are not used."""
    conn = sqlite3.connect(db)
    conn.executescript(SCHEMA_2.read_text())
    before = {view: conn.execute(f"SELECT * FROM {view}").fetchall() for view in ("ratings", "items", "participants")}
    hashes = [row[0] for row in conn.execute("SELECT hash FROM definition")]
    conn.close()
    assert len(before["ratings"]) == 15 + 3 + 1
    store = Store.open(db)
    assert [store.study(each).hash for each in hashes] == hashes == [load_study(as_it_was(db.parent)).hash]
    with store.database.read() as read:
        after = {view: [list(row) for row in read.execute(f"SELECT * FROM {view}")] for view in before}
        kinds = [row.pop() for row in after["items"]]
        answers = read.execute("SELECT count(*), count(language), count(DISTINCT kind) FROM answers").fetchone()
    assert {view: [tuple(row) for row in found] for view, found in after.items()} == before
    assert kinds == ["likert"] * 9  # a column that is new
    assert tuple(answers) == (25, 0, 2)
    store.close()


def test_who_opens_while_another_creates_does_not_take_the_file_for_a_strangers(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the questions whether the file is ours and whether it has tables, another process makes them."""
    real = sqlite_utils.Database.table_names
    others: list[threading.Thread] = []

    def interrupted(self: sqlite_utils.Database) -> list[str]:
        if not others:
            others.append(threading.Thread(target=lambda: Store.open(db).close()))
            others[0].start()
            others[0].join(0.3)
        return real(self)

    monkeypatch.setattr(sqlite_utils.Database, "table_names", interrupted)
    store = Store.open(db)
    others[0].join()
    assert store.meta("database_id")
    store.close()


@pytest.fixture
def schema_3(db: Path) -> Path:
    """A database as the app with schema 3 left it."""
    conn = sqlite3.connect(db)
    conn.executescript(SCHEMA_3.read_text())
    conn.close()
    return db


def test_a_database_of_schema_3_keeps_every_participant_and_every_guard(schema_3: Path, study: Study) -> None:
    before = counts(schema_3)
    conn = sqlite3.connect(schema_3)
    people = conn.execute("SELECT * FROM participant").fetchall()
    guards = {row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    conn.close()
    assert len(people) == 4
    store = Store.open(schema_3)
    after = counts(schema_3)
    assert after.items() >= before.items()
    with store.database.read() as read:
        assert [tuple(row) for row in read.execute("SELECT * FROM participant")] == people
        kept = {row[0] for row in read.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
        assert read.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    assert kept == guards | {"reconstructions_stay_apart"}
    for statement in (
        "UPDATE participant SET status = 'active', withdrawn_at = NULL WHERE status = 'withdrawn'",
        "UPDATE participant SET sequence = 'x>y' WHERE sequence IS NOT NULL",
        "DELETE FROM participant",
        "DELETE FROM answer",
        "INSERT INTO answer (participant, item, value, answered_at) VALUES ('P0404', 'trust', 1, 'now')",
        "UPDATE participant SET run_kind = 'rehearsal'",
    ):
        with pytest.raises(sqlite3.IntegrityError), store.database.write() as conn:
            conn.execute(statement)
    walk_to(store, MediaStore(schema_3.parent / "media", store), "P0002", "finished", colour=1)
    assert arrive(store, study) == "P0005"
    store.close()
    Store.open(schema_3).close()
    assert [path.name for path in sorted(schema_3.parent.glob("*.db"))] == ["study.before-v4.db", "study.db"]


def test_two_who_bring_an_older_database_up_to_date_at_once_make_one_backup(schema_3: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        for store in pool.map(lambda _: Store.open(schema_3), range(4)):
            store.close()
    assert [path.name for path in sorted(schema_3.parent.glob("*.db"))] == ["study.before-v4.db", "study.db"]


def test_an_older_reconstruction_gets_its_own_run_kind(schema_3: Path) -> None:
    conn = sqlite3.connect(schema_3)
    conn.execute("INSERT INTO meta VALUES ('reconstruction', '0')")
    conn.commit()
    conn.close()
    Store.open(schema_3).close()
    conn = sqlite3.connect(schema_3)
    assert conn.execute("SELECT DISTINCT run_kind FROM participants").fetchall() == [("reconstruction",)]
    conn.close()


def test_the_database_keeps_reconstructions_and_people_apart(schema_3: Path) -> None:
    store = Store.open(schema_3)
    with pytest.raises(sqlite3.IntegrityError, match="database of its own"), store.database.write() as conn:
        conn.execute(
            "INSERT INTO participant (participant, token_hash, definition_hash, run_kind, arrived_at, last_seen) "
            "SELECT 'P0009', lower(hex(randomblob(32))), hash, 'reconstruction', 'now', 'now' FROM definition"
        )
    store.close()
