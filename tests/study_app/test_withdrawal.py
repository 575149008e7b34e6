"""After a withdrawal: what stays is what the pages say, nothing more is recorded, and backups are reached."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from study_app import texts
from study_app.study import visit
from study_app.study.definition import Study, load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.migration_backups import backups_with
from study_app.study.store import Refused, Store
from tests.study_app.conftest import SKINGEN
from tests.study_app.people import arrive, walk_to
from tests.study_app.test_migrations import SCHEMA_1, SCHEMA_2, SCHEMA_3

SECRET = "My secret is xyzzy-8841."
BEGAN = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> list[datetime]:
    return [BEGAN]


@pytest.fixture
def store(db: Path, clock: list[datetime]) -> Iterator[Store]:
    opened = Store.open(db, lambda: clock[0])
    yield opened
    opened.close()


def rows(store: Store, table: str, participant: str) -> list[dict[str, object]]:
    with store.database.read() as conn:
        found = conn.execute(f"SELECT * FROM {table} WHERE participant = ?", (participant,)).fetchall()
    return [dict(row) for row in found]


def test_a_tombstone_has_one_date_and_no_way_back_to_another(store: Store, study: Study, clock: list[datetime]) -> None:
    media = MediaStore(folder_of(store.database.path), store)
    participant = arrive(store, study)
    walk_to(store, media, participant, "photo:2")
    clock[0] += timedelta(minutes=7)
    store.door.new_link(participant)
    walk_to(store, media, participant, "finished")
    store.exclude(participant, "told us that a friend had answered")
    sequence = ">".join(store.state(participant).sequence)
    clock[0] += timedelta(days=2)
    media.withdraw(participant)
    withdrawn = "2026-03-03T09:07:00.000Z"
    (row,) = rows(store, "participant", participant)
    assert {name: value for name, value in row.items() if name not in ("token_hash", "definition_hash")} == {
        "participant": "P0001",
        "run_kind": "live",
        "status": "withdrawn",
        "exclusion_reason": None,
        "sequence": sequence,
        "completed_at": None,
        **dict.fromkeys(("arrived_at", "last_seen", "consented_at", "allocated_at", "withdrawn_at"), withdrawn),
    }
    assert [link["made_at"] for link in rows(store, "link", participant)] == [withdrawn]
    assert [(event["kind"], event["data"], event["at"]) for event in rows(store, "event", participant)] == [
        ("withdrawn", "{}", withdrawn)
    ]


def test_who_had_not_agreed_is_not_made_to_have(store: Store, study: Study) -> None:
    participant = arrive(store, study)
    MediaStore(folder_of(store.database.path), store).withdraw(participant)
    (row,) = rows(store, "participant", participant)
    assert (row["consented_at"], row["allocated_at"], row["sequence"]) == (None, None, None)


def test_nothing_is_recorded_after_a_withdrawal(store: Store, study: Study, clock: list[datetime]) -> None:
    media = MediaStore(folder_of(store.database.path), store)
    participant = arrive(store, study)
    walk_to(store, media, participant, "photo:1")
    media.withdraw(participant)
    before = everything(store)
    clock[0] += timedelta(hours=1)
    store.touch(participant)
    store.log_event(participant, "note", {"secret": SECRET})
    store.tabs.take(participant, "a tab that was still open")
    assert visit.current(store, participant).step.key == "withdrawn"
    with pytest.raises(Refused):
        store.save_answer(participant, "gender", "female")
    media.withdraw(participant)
    assert everything(store)[:-1] == before[:-1]  # the last line counts the events there ever were


def everything(store: Store) -> list[str]:
    """All rows of the file, as SQL; the one event anew where a withdrawal was repeated."""
    conn = sqlite3.connect(store.database.path)
    lines = [line for line in conn.iterdump() if "sqlite_sequence" not in line and '"event"' not in line]
    conn.close()
    return [*lines, str(rows(store, "event", "P0001"))]


@pytest.mark.parametrize("schema", [SCHEMA_1, SCHEMA_2, SCHEMA_3])
def test_a_migrations_backup_is_reached(db: Path, schema: Path) -> None:
    conn = sqlite3.connect(db)
    conn.executescript(schema.read_text())
    (someone,) = conn.execute("SELECT participant FROM participant WHERE status = 'completed'").fetchone()
    conn.execute(
        "INSERT INTO answer (participant, item, value, answered_at) VALUES (?, 'comments', ?, 'now')", (someone, SECRET)
    )
    conn.commit()
    others = conn.execute("SELECT count(*) FROM answer WHERE participant <> ?", (someone,)).fetchone()
    conn.close()
    store = Store.open(db)
    (backup,) = db.parent.glob("study.before-v*.db")
    assert SECRET.encode() in backup.read_bytes()
    assert backups_with(store.database, someone) == (backup,)
    erased = MediaStore(folder_of(db), store).withdraw(someone)
    assert erased.backups_left == backups_with(store.database, someone) == ()
    store.close()
    for path in db.parent.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path
    conn = sqlite3.connect(backup)
    assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert conn.execute("SELECT count(*) FROM answer WHERE participant <> ?", (someone,)).fetchone() == others
    assert conn.execute("SELECT status FROM participant WHERE participant = ?", (someone,)).fetchone() == ("withdrawn",)
    conn.close()


def test_who_came_after_the_migration_is_not_in_its_backup(db: Path, study: Study) -> None:
    conn = sqlite3.connect(db)
    conn.executescript(SCHEMA_3.read_text())
    conn.close()
    store = Store.open(db)
    participant = arrive(store, study)
    (backup,) = db.parent.glob("study.before-v*.db")
    before = backup.read_bytes()
    assert MediaStore(folder_of(db), store).withdraw(participant).backups_left == ()
    assert backup.read_bytes() == before
    store.close()


def test_a_backup_of_another_database_of_that_name_is_not_erased_in(db: Path, study: Study) -> None:
    conn = sqlite3.connect(db)
    conn.executescript(SCHEMA_3.read_text())
    conn.close()
    Store.open(db).close()
    (backup,) = db.parent.glob("study.before-v*.db")
    before = backup.read_bytes()
    db.unlink()  # a second study begins under the name of the first, whose backup stays beside it
    store = Store.open(db)
    participant = arrive(store, study)
    conn = sqlite3.connect(backup)
    assert conn.execute("SELECT status FROM participant WHERE participant = ?", (participant,)).fetchone() == (
        "completed",
    )
    conn.close()
    assert MediaStore(folder_of(db), store).withdraw(participant).backups_left == ()
    assert backup.read_bytes() == before
    assert backups_with(store.database, participant) == ()
    store.close()


# What is said ---------------------------------------------------------------------------------------

STAYS = {
    "en": ("your number", "agreed", "order", "when you withdrew", "researcher opened", "your link"),
    "zh": ("编号", "同意参加", "顺序", "退出的时间", "研究人员", "链接"),
}


@pytest.mark.parametrize("language", STAYS)
def test_the_page_and_every_sheet_name_what_stays(language: str) -> None:
    said = [texts.of(language).say("end.withdraw_means")]
    studies = sorted(SKINGEN.parent.glob("*.yaml"))
    assert len(studies) == 3
    for file in studies:
        load_study(file)
        said.append(yaml.safe_load(file.read_text())["consent"]["sheet"][language])
    for text in said:
        words = " ".join(text.split())
        assert [part for part in STAYS[language] if part not in words] == []
