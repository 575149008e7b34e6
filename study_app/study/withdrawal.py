"""Withdrawal: what a participant gave is erased; that they were there, and the dates, stay."""

from __future__ import annotations

import sqlite3

ERASED = (
    "DELETE FROM answer WHERE participant = :p",
    "DELETE FROM turn WHERE participant = :p",
    "DELETE FROM job_event WHERE job IN (SELECT id FROM job WHERE participant = :p)",
    "DELETE FROM job WHERE participant = :p",
    "DELETE FROM exposure WHERE participant = :p",
    "DELETE FROM step_done WHERE participant = :p",
    "DELETE FROM event WHERE participant = :p",
    "DELETE FROM media_owner WHERE participant = :p",
    "DELETE FROM panel_id WHERE participant = :p",
    "DELETE FROM active_tab WHERE participant = :p",
)
"""In this order because of the foreign keys."""


def erase_rows(conn: sqlite3.Connection, participant: str, now: str) -> tuple[str, ...]:
    """Erase the participant's rows and return the pictures that nobody owns any more. Runs inside a write
    transaction; the status is set first, because the logs let go of withdrawn participants' rows only."""
    conn.execute(
        "UPDATE participant SET status = 'withdrawn', withdrawn_at = coalesce(withdrawn_at, ?), "
        "exclusion_reason = NULL WHERE participant = ?",
        (now, participant),
    )
    orphans = conn.execute(
        "SELECT sha256 FROM media_owner mine WHERE participant = ? AND NOT EXISTS (SELECT 1 FROM media_owner "
        "other WHERE other.sha256 = mine.sha256 AND other.participant <> mine.participant)",
        (participant,),
    ).fetchall()
    for statement in ERASED:
        conn.execute(statement, {"p": participant})
    return tuple(row["sha256"] for row in orphans)
