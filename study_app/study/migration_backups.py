"""The copies of a database that migrations leave beside it (study.before-v5.db): named, and reached by a withdrawal.

Each is there to go back to the version of the app that wrote it, until the researcher deletes it.
"""

from __future__ import annotations

import glob
import logging
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

from study_app.study.database import connect
from study_app.study.errors import NotSaved
from study_app.study.withdrawal import erase_rows

log = logging.getLogger(__name__)


def new_name(database: Path, version: int) -> Path:
    """data/study.db -> data/study.before-v2.db, or .before-v2-1.db when a former attempt left that."""
    stem = f"{database.stem}.before-v{version}"
    names = (database.with_name(f"{stem}{f'-{n}' if n else ''}{database.suffix}") for n in count())
    return next(name for name in names if not name.exists())


def backups_of(database: Path) -> tuple[Path, ...]:
    """Every such copy, whichever version it is of."""
    return tuple(sorted(database.parent.glob(f"{glob.escape(database.stem)}.before-v*{glob.escape(database.suffix)}")))


def erase_in_backups(database: Path, participant: str, now: str) -> tuple[Path, ...]:
    """Erase the participant in every copy; those in which that could not be done are returned."""
    left = []
    for backup in backups_of(database):
        try:
            _erase(backup, participant, now)
        except (sqlite3.DatabaseError, NotSaved, OSError) as error:
            log.warning("%s could not be erased in %s: %s", participant, backup, error)
            left.append(backup)
    return tuple(left)


def backups_with(database: Path, participant: str) -> tuple[Path, ...]:
    """The copies that hold more of a participant who withdrew than their tombstone, or cannot be read."""
    return tuple(backup for backup in backups_of(database) if _holds(backup, participant))


def _holds(backup: Path, participant: str) -> bool:
    try:
        with closing(sqlite3.connect(f"{backup.resolve().as_uri()}?mode=ro", uri=True)) as conn:
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
