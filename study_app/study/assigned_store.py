"""Assigned cases inside a write transaction of the store: what was dealt out before, and the next draw."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta

from study_app.study.allocation import case_seed
from study_app.study.assigned import Assigned, assign
from study_app.study.database import stamp
from study_app.study.definition import Study
from study_app.study.state import RunKind


def assign_cases(
    conn: sqlite3.Connection,
    study: Study,
    run_kind: RunKind,
    participant: str,
    sequence: tuple[str, ...],
    now: datetime,
) -> tuple[str, ...]:
    """The case of each period; the caller keeps them with the sequence. Empty where photos are chosen."""
    if not study.photo.assigned:
        return ()
    earlier = _dealt(conn, study, run_kind, now)
    return assign(study, sequence, earlier, case_seed(study, run_kind, participant))


def _dealt(conn: sqlite3.Connection, study: Study, run_kind: RunKind, now: datetime) -> list[Assigned]:
    """Of the participants who count for the balance: completed, or active not long ago. Counted within the
    study's id, as the sequences are: an edit does not start the balance anew."""
    since = stamp(now - timedelta(minutes=study.design.inactive_after_minutes))
    rows = conn.execute(
        "SELECT p.sequence, e.data -> '$.cases' AS cases FROM participant p "
        "JOIN definition d ON d.hash = p.definition_hash "
        "JOIN event e ON e.participant = p.participant AND e.kind = 'allocated' "
        "WHERE d.study = ? AND p.run_kind = ? AND p.sequence IS NOT NULL AND e.data -> '$.cases' IS NOT NULL "
        "AND (p.status = 'completed' OR (p.status = 'active' AND p.last_seen >= ?)) ORDER BY p.participant",
        (study.id, run_kind, since),
    ).fetchall()
    return [Assigned(tuple(row["sequence"].split(">")), tuple(json.loads(row["cases"]))) for row in rows]
