"""An exposure's beginning and end, inside a write transaction of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from study_app.study import flow
from study_app.study.definition import Study
from study_app.study.errors import Refused
from study_app.study.snapshots import read_state
from study_app.study.state import ParticipantState


def start(
    conn: sqlite3.Connection,
    study: Study,
    participant: str,
    period: int,
    photo: str,
    known_label: str | None,
    now: str,
) -> None:
    """Raises Refused when it is not the time for it, or the photo is not the participant's."""
    state = read_state(conn, participant)
    known = state.exposures.get(period)
    if known is not None and (known.photo, known.known_label) == (photo, known_label):
        return
    check_active(state)
    if known is not None and known.turns:
        raise Refused("The conversation about the first photo has begun.")
    if known is None and flow.next_step(study, state) != flow.Photo(period):
        raise Refused(f"{participant} does not choose the photo of period {period} now.")
    if not owns(conn, participant, photo):
        raise Refused(f"The photo {photo[:12]} is not kept for {participant}.")
    conn.execute(
        "INSERT INTO exposure (participant, period, condition, photo, known_label, started_at) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "photo = excluded.photo, known_label = excluded.known_label, started_at = excluded.started_at",
        (participant, period, flow.condition_of(study, state, period).key, photo, known_label, now),
    )


def finish(conn: sqlite3.Connection, participant: str, period: int, now: str) -> None:
    """Raises Refused before an explanation is complete, while a job is open or another photo is chosen."""
    state = read_state(conn, participant)
    exposure = state.exposures.get(period)
    if exposure is not None and exposure.finished_at is not None:
        return
    check_active(state)
    silent = exposure is not None and not _study_of(conn, state).condition(exposure.condition).talks
    if exposure is None or not (exposure.answered or silent):
        raise Refused("There is no complete answer to rate yet.")
    if any(job.open for job in exposure.jobs):
        raise Refused("The assistant is still answering the last question.")
    if exposure.another_photo_wanted_at is not None:
        raise Refused("Another photo is being chosen.")
    conn.execute("UPDATE exposure SET finished_at = ? WHERE participant = ? AND period = ?", (now, participant, period))


def _study_of(conn: sqlite3.Connection, state: ParticipantState) -> Study:
    row = conn.execute("SELECT source FROM definition WHERE hash = ?", (state.definition_hash,)).fetchone()
    return Study.from_canonical(row["source"])


def owns(conn: sqlite3.Connection, participant: str, sha256: str) -> bool:
    query = "SELECT 1 FROM media_owner WHERE sha256 = ? AND participant = ?"
    return conn.execute(query, (sha256, participant)).fetchone() is not None


def check_label(known_label: str | None, labels: Collection[str]) -> None:
    """Raises Refused for what a photo shows, as a participant says, when it is none of ``labels``."""
    if known_label is not None and known_label not in labels:
        raise Refused(f"{known_label!r} is no condition that the models know; those are {', '.join(labels) or 'none'}.")


def check_active(state: ParticipantState) -> None:
    """Raises Refused for whoever completed, declined, was excluded or withdrew."""
    if state.status != "active":
        raise Refused(f"{state.participant} is not taking part (any more).")
