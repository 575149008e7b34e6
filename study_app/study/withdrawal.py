"""Withdrawal: what a participant gave is erased. What stays, and why:

- the participant's number, study, kind of run, and the hash of their link, which then says that they withdrew;
- whether they had agreed and had been given a sequence, and which: the flow diagram counts who left where;
- the date of the withdrawal; every other date becomes that one;
- who came by invitation or from a recruiting site: the keyed hash of it, so that nobody who left starts again.

From then on nothing is recorded of them any more, whoever opens the link.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from study_app.study.events import append_event

TOMBSTONE = """
    UPDATE participant SET arrived_at = withdrawn_at, last_seen = withdrawn_at, completed_at = NULL,
           consented_at = iif(consented_at IS NULL, NULL, withdrawn_at),
           allocated_at = iif(allocated_at IS NULL, NULL, withdrawn_at)
    WHERE participant = ?"""
LINKS = "UPDATE link SET made_at = (SELECT withdrawn_at FROM participant WHERE participant = ?1) WHERE participant = ?1"
TABLES = (
    "answer",
    "turn",
    "job_event",
    "job",
    "exposure",
    "step_done",
    "event",
    "media_owner",
    "panel_id",
    "active_tab",
)
"""Erased in this order because of the foreign keys."""


@dataclass(frozen=True)
class Erased:
    """``jobs``: keys of the participant's questions; ``pictures``: SHA-256 of those that nobody owns any more;
    ``backups_left``: backups beside the database in which they could not be erased."""

    jobs: tuple[str, ...]
    pictures: tuple[str, ...]
    backups_left: tuple[Path, ...] = ()


def withdrawn(conn: sqlite3.Connection) -> int:
    """How many have withdrawn, of all studies in the database: a file made when it were fewer still holds somebody."""
    return int(conn.execute("SELECT count(*) FROM participant WHERE status = 'withdrawn'").fetchone()[0])


def erase_rows(conn: sqlite3.Connection, participant: str, now: str) -> Erased:
    """Erase the participant's rows. Runs inside a write transaction, on a database of any schema; the status is set
    first, because the logs let go of withdrawn participants' rows only. Idempotent."""
    conn.execute(
        "UPDATE participant SET status = 'withdrawn', withdrawn_at = coalesce(withdrawn_at, ?), "
        "exclusion_reason = NULL WHERE participant = ?",
        (now, participant),
    )
    conn.execute(TOMBSTONE, (participant,))
    orphans = conn.execute(
        "SELECT sha256 FROM media_owner mine WHERE participant = ? AND NOT EXISTS (SELECT 1 FROM media_owner "
        "other WHERE other.sha256 = mine.sha256 AND other.participant <> mine.participant)",
        (participant,),
    ).fetchall()
    jobs = conn.execute("SELECT key FROM job WHERE participant = ?", (participant,)).fetchall()
    known = {row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in (table for table in TABLES if table in known):
        where = "job IN (SELECT id FROM job WHERE participant = ?)" if table == "job_event" else "participant = ?"
        conn.execute(f"DELETE FROM {table} WHERE {where}", (participant,))
    if "link" in known:
        conn.execute(LINKS, (participant,))
    at = conn.execute("SELECT withdrawn_at FROM participant WHERE participant = ?", (participant,)).fetchone()[0]
    append_event(conn, participant, "withdrawn", {}, at)
    return Erased(tuple(row["key"] for row in jobs), tuple(row["sha256"] for row in orphans))
