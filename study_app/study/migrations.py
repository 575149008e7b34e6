"""The schema, and the way from each older schema to the next.

A migration is a list of statements, carried out in one transaction together with the version number. The
tables are singular (participant), the views plural (participants): programs outside read the views.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import sqlite_utils

from study_app.study.database import Database, connect
from study_app.study.errors import CannotOpen, NotSaved
from study_app.study.migration_backups import new_name
from study_app.study.views import VIEWS

APPLICATION_ID = 0x534B474E  # "SKGN", in the file's header: tells our databases from others

FIRST = (
    """CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT""",
    """CREATE TABLE definition (
        hash TEXT PRIMARY KEY CHECK (length(hash) = 64),
        study TEXT NOT NULL,
        source TEXT NOT NULL CHECK (json_valid(source)),
        registered_at TEXT NOT NULL) STRICT""",
    """CREATE TABLE participant (
        participant TEXT PRIMARY KEY CHECK (participant GLOB 'P[0-9][0-9][0-9][0-9]*'),
        token_hash TEXT NOT NULL UNIQUE CHECK (length(token_hash) = 64),
        definition_hash TEXT NOT NULL REFERENCES definition,
        run_kind TEXT NOT NULL CHECK (run_kind IN ('pilot', 'live')),
        status TEXT NOT NULL DEFAULT 'active'
            CHECK (status IN ('active', 'completed', 'screened_out', 'excluded', 'withdrawn')),
        exclusion_reason TEXT,
        sequence TEXT,
        arrived_at TEXT NOT NULL,
        last_seen TEXT NOT NULL,
        consented_at TEXT,
        allocated_at TEXT,
        completed_at TEXT,
        withdrawn_at TEXT,
        CHECK ((sequence IS NULL) = (allocated_at IS NULL)),
        CHECK (sequence IS NULL OR consented_at IS NOT NULL),
        CHECK (status <> 'completed' OR (completed_at IS NOT NULL AND sequence IS NOT NULL)),
        CHECK (status NOT IN ('excluded', 'screened_out') OR exclusion_reason IS NOT NULL),
        CHECK ((status = 'withdrawn') = (withdrawn_at IS NOT NULL))) STRICT""",
    """CREATE TABLE answer (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        participant TEXT NOT NULL REFERENCES participant,
        item TEXT NOT NULL,
        period INTEGER CHECK (period >= 1),
        value ANY NOT NULL CHECK (typeof(value) IN ('integer', 'real', 'text')),
        answered_at TEXT NOT NULL,
        duration_s REAL CHECK (duration_s >= 0)) STRICT""",
    "CREATE INDEX answer_newest ON answer (participant, item, period, id)",
    """CREATE TABLE event (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        participant TEXT REFERENCES participant,
        kind TEXT NOT NULL,
        data TEXT NOT NULL CHECK (json_valid(data)),
        at TEXT NOT NULL) STRICT""",
    "CREATE INDEX event_participant ON event (participant)",
    """CREATE TABLE step_done (
        participant TEXT NOT NULL REFERENCES participant,
        step TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (participant, step)) STRICT""",
    """CREATE TABLE exposure (
        participant TEXT NOT NULL REFERENCES participant,
        period INTEGER NOT NULL CHECK (period >= 1),
        condition TEXT NOT NULL,
        photo TEXT NOT NULL CHECK (length(photo) = 64),
        known_label TEXT,
        started_at TEXT NOT NULL,
        finished_at TEXT,
        PRIMARY KEY (participant, period)) STRICT""",
    """CREATE TABLE job (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        participant TEXT NOT NULL,
        period INTEGER NOT NULL,
        request TEXT NOT NULL CHECK (json_valid(request)),
        status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled')),
        error TEXT,
        diagnosis TEXT CHECK (diagnosis IS NULL OR json_valid(diagnosis)),
        manifest TEXT CHECK (manifest IS NULL OR json_valid(manifest)),
        created_at TEXT NOT NULL,
        finished_at TEXT,
        FOREIGN KEY (participant, period) REFERENCES exposure,
        CHECK ((status = 'done') = (manifest IS NOT NULL)),
        CHECK ((status IN ('failed', 'cancelled')) = (error IS NOT NULL)),
        CHECK ((status IN ('queued', 'running')) = (finished_at IS NULL))) STRICT""",
    "CREATE UNIQUE INDEX job_one_open ON job (participant, period) WHERE status IN ('queued', 'running')",
    """CREATE TABLE job_event (
        job INTEGER NOT NULL REFERENCES job,
        n INTEGER NOT NULL CHECK (n >= 1),
        event TEXT NOT NULL CHECK (json_valid(event)),
        PRIMARY KEY (job, n)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE turn (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        participant TEXT NOT NULL,
        period INTEGER NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('participant', 'assistant')),
        text TEXT NOT NULL,
        at TEXT NOT NULL,
        job INTEGER NOT NULL REFERENCES job,
        FOREIGN KEY (participant, period) REFERENCES exposure) STRICT""",
    "CREATE INDEX turn_exposure ON turn (participant, period)",
    "CREATE UNIQUE INDEX turn_one_answer ON turn (job) WHERE role = 'assistant'",
    """CREATE TABLE media_owner (
        sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
        participant TEXT NOT NULL REFERENCES participant,
        PRIMARY KEY (sha256, participant)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX media_of_participant ON media_owner (participant)",
    """CREATE TABLE login (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        password_hash TEXT NOT NULL,
        failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
        blocked_until TEXT) STRICT""",
    # The logs only grow. Rows of a withdrawn participant are the one exception: the status is set first, in
    # the same transaction, and it is final, so no other way leads here.
    *(
        statement
        for table in ("answer", "event")
        for statement in (
            f"""CREATE TRIGGER {table}_never_changes BEFORE UPDATE ON {table}
                BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END""",
            f"""CREATE TRIGGER {table}_never_shrinks BEFORE DELETE ON {table}
                WHEN (SELECT status FROM participant WHERE participant = OLD.participant) IS NOT 'withdrawn'
                BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END""",
        )
    ),
    """CREATE TRIGGER withdrawal_is_final BEFORE UPDATE OF status ON participant
        WHEN OLD.status = 'withdrawn' AND NEW.status <> 'withdrawn'
        BEGIN SELECT RAISE(ABORT, 'withdrawal is final'); END""",
    """CREATE TRIGGER sequence_is_drawn_once BEFORE UPDATE OF sequence ON participant
        WHEN OLD.sequence IS NOT NULL AND NEW.sequence IS NOT OLD.sequence
        BEGIN SELECT RAISE(ABORT, 'a sequence is drawn once'); END""",
    """CREATE TRIGGER participant_stays BEFORE DELETE ON participant
        BEGIN SELECT RAISE(ABORT, 'participants are never deleted; withdraw instead'); END""",
    # Names this database for others (keys of jobs): two databases both have a P0001.
    "INSERT INTO meta VALUES ('database_id', lower(hex(randomblob(16))))",
)

# After "I cannot tell" a photo may be exchanged. What was exchanged is in the event log, see `exchange.py`.
EXCHANGED_PHOTOS = (
    """ALTER TABLE exposure ADD COLUMN another_photo_wanted_at TEXT
        CHECK (another_photo_wanted_at IS NULL OR finished_at IS NULL)""",
)

# The language of the wording that an answer was given to. NULL: stored before there were several.
ANSWER_LANGUAGE = ("ALTER TABLE answer ADD COLUMN language TEXT",)

# How a study is run: who may come in and as whom they came (`admission.py`), which tab goes on (`tabs.py`), and
# sessions of kind ``reconstruction``, which stand alone in their database. A CHECK cannot be altered, so the
# participants move to a new table, with everything else as it was.
RUNNING = (
    """CREATE TABLE participant_4 (
        participant TEXT PRIMARY KEY CHECK (participant GLOB 'P[0-9][0-9][0-9][0-9]*'),
        token_hash TEXT NOT NULL UNIQUE CHECK (length(token_hash) = 64),
        definition_hash TEXT NOT NULL REFERENCES definition,
        run_kind TEXT NOT NULL CHECK (run_kind IN ('pilot', 'live', 'reconstruction')),
        status TEXT NOT NULL DEFAULT 'active'
            CHECK (status IN ('active', 'completed', 'screened_out', 'excluded', 'withdrawn')),
        exclusion_reason TEXT,
        sequence TEXT,
        arrived_at TEXT NOT NULL,
        last_seen TEXT NOT NULL,
        consented_at TEXT,
        allocated_at TEXT,
        completed_at TEXT,
        withdrawn_at TEXT,
        CHECK ((sequence IS NULL) = (allocated_at IS NULL)),
        CHECK (sequence IS NULL OR consented_at IS NOT NULL),
        CHECK (status <> 'completed' OR (completed_at IS NOT NULL AND sequence IS NOT NULL)),
        CHECK (status NOT IN ('excluded', 'screened_out') OR exclusion_reason IS NOT NULL),
        CHECK ((status = 'withdrawn') = (withdrawn_at IS NOT NULL))) STRICT""",
    """INSERT INTO participant_4
        SELECT participant, token_hash, definition_hash,
               iif(EXISTS (SELECT 1 FROM meta WHERE key = 'reconstruction'), 'reconstruction', run_kind),
               status, exclusion_reason, sequence, arrived_at, last_seen, consented_at, allocated_at, completed_at,
               withdrawn_at
        FROM participant ORDER BY rowid""",
    "DROP TABLE participant",
    "ALTER TABLE participant_4 RENAME TO participant",
    *(statement for statement in FIRST if statement.startswith("CREATE TRIGGER") and " ON participant" in statement),
    """CREATE TRIGGER reconstructions_stay_apart BEFORE INSERT ON participant
        WHEN (NEW.run_kind = 'reconstruction') <> EXISTS (SELECT 1 FROM meta WHERE key = 'reconstruction')
        BEGIN SELECT RAISE(ABORT, 'a reconstruction has a database of its own'); END""",
    "CREATE INDEX job_exposure ON job (participant, period)",
    # Further links to the same session: for who comes back through an invitation or a recruiting site.
    """CREATE TABLE link (
        token_hash TEXT PRIMARY KEY CHECK (length(token_hash) = 64),
        participant TEXT NOT NULL REFERENCES participant,
        made_at TEXT NOT NULL) STRICT""",
    "CREATE TABLE secret (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "INSERT INTO secret VALUES ('entry_key', lower(hex(randomblob(32))))",
    """CREATE TABLE invitation (
        study TEXT NOT NULL,
        person_hash TEXT NOT NULL CHECK (length(person_hash) = 64),
        made_at TEXT NOT NULL,
        PRIMARY KEY (study, person_hash)) STRICT, WITHOUT ROWID""",
    # One person, one session: kept after a withdrawal, so that nobody who left starts again.
    """CREATE TABLE admission (
        study TEXT NOT NULL,
        run_kind TEXT NOT NULL,
        person_hash TEXT NOT NULL CHECK (length(person_hash) = 64),
        participant TEXT NOT NULL UNIQUE REFERENCES participant,
        PRIMARY KEY (study, run_kind, person_hash)) STRICT, WITHOUT ROWID""",
    # What the study file says is kept of a recruiting site's parameters; erased by withdrawal, in no tidy table.
    """CREATE TABLE panel_id (
        participant TEXT NOT NULL REFERENCES participant,
        parameter TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (participant, parameter)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE active_tab (
        participant TEXT PRIMARY KEY REFERENCES participant,
        tab TEXT NOT NULL,
        taken_at TEXT NOT NULL) STRICT, WITHOUT ROWID""",
)

# Nothing is stored otherwise; the view ``pairs`` is new, and views are made anew by every migration.
PAIRS: Sequence[str] = ()

# The same: sliders are among the ratings, every rating of several cases has its row, ``scores`` is new, and the view
# ``questions`` tells what can be chosen, in words, and the unit of a number.
SCORES: Sequence[str] = ()

MIGRATIONS: tuple[Sequence[str], ...] = (FIRST, EXCHANGED_PHOTOS, ANSWER_LANGUAGE, RUNNING, PAIRS, SCORES)
"""The n-th (from 1) leads from version n - 1 to n. A published migration is never edited."""


def open_database(database: Database, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Create the file or bring it up to date. Raises CannotOpen, having changed nothing."""
    path = database.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        conn = connect(path)
    except (sqlite3.DatabaseError, OSError) as error:
        raise CannotOpen(f"{path} cannot be opened as a database: {error}. {_advice(path)}") from error
    try:
        if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            raise CannotOpen(f"{path} or its folder is read-only. {_advice(path)}")
        version = _checked_version(conn, path, len(migrations))
        if version < len(migrations):
            _migrate(conn, database, migrations)
    except (sqlite3.DatabaseError, NotSaved) as error:
        raise CannotOpen(f"{path} cannot be used: {error}. {_advice(path)}") from error
    finally:
        conn.close()


def _advice(path: Path) -> str:
    return f"Check the name and the permissions of {path.name}, or restore a backup; it was not changed."


def _checked_version(conn: sqlite3.Connection, path: Path, newest: int) -> int:
    """All asked of one moment: between two questions another process may create the database."""
    conn.execute("BEGIN")
    try:
        version = int(conn.execute("PRAGMA user_version").fetchone()[0])
        ours = conn.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        empty = not version and not sqlite_utils.Database(conn).table_names()
        known = ours and version <= newest
        found = conn.execute("PRAGMA quick_check(1)").fetchone()[0] if known else "ok"
    finally:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
    if not ours and not empty:
        raise CannotOpen(f"{path} is a database of another program. Choose another file with --db.")
    if version > newest:
        raise CannotOpen(
            f"{path} has schema {version}, this version knows {newest}. Use the study app "
            "that wrote it, or a newer one."
        )
    if found != "ok":
        raise CannotOpen(f"{path} is damaged ({found}). Restore a backup; it was not changed.")
    return version


def _migrate(conn: sqlite3.Connection, database: Database, migrations: Sequence[Sequence[str]]) -> None:
    """All steps in one transaction: after a kill in between, the file is as it was before."""
    # A table that others refer to may be made anew: SQLite's own procedure, sqlite.org/lang_altertable.html#otheralter
    conn.execute("PRAGMA foreign_keys = OFF")
    conn.execute("PRAGMA legacy_alter_table = ON")
    conn.execute("BEGIN IMMEDIATE")
    try:
        # Asked again: another process may have migrated while this one waited.
        version = int(conn.execute("PRAGMA user_version").fetchone()[0])
        if 0 < version < len(migrations):
            database.backup(new_name(database.path, version + 1))
        if version < len(migrations):
            _carry_out(conn, migrations, version)
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def _carry_out(conn: sqlite3.Connection, migrations: Sequence[Sequence[str]], version: int) -> None:
    """The steps after ``version``, inside the transaction."""
    for view in sqlite_utils.Database(conn).view_names():
        conn.execute(f'DROP VIEW "{view}"')
    for statements in migrations[version:]:
        for statement in statements:
            conn.execute(statement)
    for name, select in VIEWS.items():
        conn.execute(f"CREATE VIEW {name} AS {select}")
    if conn.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise sqlite3.IntegrityError("rows refer to others that are not there")
    conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    conn.execute(f"PRAGMA user_version = {len(migrations)}")
