"""The copies of a database that migrations leave beside it (study.before-v5.db): named, and reached by a withdrawal.

Each is there to go back to the version of the app that wrote it, until the researcher deletes it. The name alone does
not tell whose copy it is: where a new database took the name of an older one, that one's copies lie beside it still.
"""

from __future__ import annotations

import glob
import logging
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from itertools import count
from pathlib import Path

from study_app.study.database import Database, connect
from study_app.study.errors import NotSaved
from study_app.study.withdrawal import erase_rows

log = logging.getLogger(__name__)


def new_name(database: Path, version: int) -> Path:
    """data/study.db -> data/study.before-v2.db, or .before-v2-1.db when a former attempt left that."""
    stem = f"{database.stem}.before-v{version}"
    names = (database.with_name(f"{stem}{f'-{n}' if n else ''}{database.suffix}") for n in count())
    return next(name for name in names if not name.exists())


def backups_of(database: Database) -> tuple[Path, ...]:
    """Every such copy of this database, whichever version it is of, and what cannot be read and so may be one. Raises
    NotSaved when the database is locked too long."""
    with database.read() as conn:
        own = _database_id(conn)
    stem, suffix = glob.escape(database.path.stem), glob.escape(database.path.suffix)
    named = sorted(database.path.parent.glob(f"{stem}.before-v*{suffix}"))
    return tuple(backup for backup in named if _may_be_of(backup, own))


def erase_in(backups: Iterable[Path], participant: str, now: str) -> tuple[Path, ...]:
    """Erase the participant in every one of them; those in which that could not be done are returned."""
    left = []
    for backup in backups:
        try:
            _erase(backup, participant, now)
        except (sqlite3.DatabaseError, NotSaved, OSError) as error:
            log.warning("%s could not be erased in %s: %s", participant, backup, error)
            left.append(backup)
    return tuple(left)


def backups_with(database: Database, participant: str) -> tuple[Path, ...]:
    """The copies that hold more of a participant who withdrew than their tombstone, or cannot be read."""
    return tuple(backup for backup in backups_of(database) if _holds(backup, participant))


def _database_id(conn: sqlite3.Connection) -> str | None:
    row = conn.execute("SELECT value FROM meta WHERE key = 'database_id'").fetchone()
    return None if row is None else str(row[0])


def _may_be_of(backup: Path, database_id: str | None) -> bool:
    """Numbers begin with P0001 in every database: what is another's copy must not be erased in."""
    try:
        with closing(_read_only(backup)) as conn:
            return _database_id(conn) == database_id
    except sqlite3.DatabaseError:
        return True


def _read_only(backup: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{backup.resolve().as_uri()}?mode=ro", uri=True)


def _holds(backup: Path, participant: str) -> bool:
    try:
        with closing(_read_only(backup)) as conn:
            row = conn.execute("SELECT status FROM participant WHERE participant = ?", (participant,)).fetchone()
    except sqlite3.DatabaseError:
        return True
    return row is not None and row[0] != "withdrawn"


def _erase(backup: Path, participant: str, now: str) -> None:
    with closing(connect(backup)) as conn:
        conn.execute("BEGIN IMMEDIATE")
        if conn.execute("SELECT 1 FROM participant WHERE participant = ?", (participant,)).fetchone() is not None:
            erase_rows(conn, participant, now)
        conn.execute("COMMIT")
