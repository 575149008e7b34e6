"""The file of accounts, sessions and the audit: its tables, and how it is opened."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from study_app.study.database import Database, connect
from study_app.study.errors import CannotOpen, NotSaved

APPLICATION_ID = 0x534B4752  # "SKGR", in the file's header
SCHEMA = 1
TABLES = (
    """CREATE TABLE account (
        name TEXT PRIMARY KEY COLLATE NOCASE CHECK (length(name) BETWEEN 2 AND 40),
        role TEXT NOT NULL CHECK (role IN ('viewer', 'editor', 'owner')),
        password_hash TEXT,
        invitation_hash TEXT UNIQUE,
        invitation_until TEXT,
        created_at TEXT NOT NULL,
        closed_at TEXT,
        CHECK ((invitation_hash IS NULL) = (invitation_until IS NULL))) STRICT, WITHOUT ROWID""",
    """CREATE TABLE session (
        token_hash TEXT PRIMARY KEY CHECK (length(token_hash) = 64),
        account TEXT NOT NULL COLLATE NOCASE REFERENCES account,
        opened_at TEXT NOT NULL,
        until TEXT NOT NULL) STRICT, WITHOUT ROWID""",
    """CREATE TABLE throttle (
        bucket TEXT PRIMARY KEY COLLATE NOCASE,
        failures INTEGER NOT NULL CHECK (failures >= 0),
        blocked_until TEXT) STRICT, WITHOUT ROWID""",
    """CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        who TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        detail TEXT NOT NULL) STRICT""",
    "CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
    "CREATE TRIGGER audit_never_shrinks BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
    # INSERT OR REPLACE deletes without asking the trigger above.
    """CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit
        WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
        BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END""",
)


def access_path(database: Path) -> Path:
    """data/study.db -> data/study.db.researchers"""
    return database.with_name(f"{database.name}.researchers")


class AccessFile:
    """Made at the first use: reading a database that nobody signed in to leaves no file behind."""

    def __init__(self, study: Database) -> None:
        self._database = Database(access_path(study.path), study.clock)
        self._opening = threading.Lock()
        self._open = False

    @property
    def path(self) -> Path:
        return self._database.path

    def exists(self) -> bool:
        return self.path.exists()

    def now(self) -> str:
        return self._database.now()

    @property
    def database(self) -> Database:
        """Opened, and made if need be. Raises CannotOpen."""
        with self._opening:
            if not self._open:
                _create_or_check(self.path)
                self._open = True
        return self._database

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Raises NotSaved, CannotOpen."""
        with self.database.read() as conn:
            yield conn

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction. Raises NotSaved, CannotOpen."""
        with self.database.write() as conn:
            yield conn

    def close(self) -> None:
        self._database.close()


def _create_or_check(path: Path) -> None:
    """Raises CannotOpen for a file that is damaged, newer or not ours."""
    try:
        conn = connect(path)
    except (sqlite3.DatabaseError, OSError) as error:
        raise CannotOpen(f"{path} (the researchers' accounts) cannot be opened: {error}. Restore a backup.") from error
    try:
        conn.execute("BEGIN IMMEDIATE")
        version = int(conn.execute("PRAGMA user_version").fetchone()[0])
        ours = conn.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        if version > SCHEMA or (not ours and conn.execute("SELECT 1 FROM sqlite_master").fetchone()):
            raise CannotOpen(f"{path} was not written by this version of the study app; it was not changed.")
        if version == 0:
            for statement in TABLES:
                conn.execute(statement)
            conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            conn.execute(f"PRAGMA user_version = {SCHEMA}")
        conn.execute("COMMIT")
        path.chmod(0o600)  # nobody else on this machine
    except (sqlite3.DatabaseError, NotSaved) as error:
        raise CannotOpen(f"{path} (the researchers' accounts) cannot be used: {error}. Restore a backup.") from error
    finally:
        conn.close()
