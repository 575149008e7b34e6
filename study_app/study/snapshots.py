"""What is stored of a participant, read into frozen values over a connection in a transaction."""

from __future__ import annotations

import json
import sqlite3
from types import MappingProxyType

from study_app.study.errors import UnknownParticipant
from study_app.study.state import Exposure, Job, ParticipantState, StoredTurn

JOB = (
    "SELECT key, participant, period, request, request ->> '$.photo' AS photo, status, error, diagnosis, manifest, "
    "created_at, finished_at FROM job"
)


def participant_row(conn: sqlite3.Connection, participant: str) -> sqlite3.Row:
    """The row of table participant, with ``study`` and ``source`` of its definition. Raises
    UnknownParticipant."""
    row: sqlite3.Row | None = conn.execute(
        "SELECT p.*, d.study, d.source FROM participant p JOIN definition d ON d.hash = p.definition_hash "
        "WHERE participant = ?",
        (participant,),
    ).fetchone()
    if row is None:
        raise UnknownParticipant(f"There is no participant {participant}.")
    return row


def read_state(conn: sqlite3.Connection, participant: str) -> ParticipantState:
    """Raises UnknownParticipant."""
    row = participant_row(conn, participant)
    answers = conn.execute(
        "SELECT item, period, value FROM newest_answers WHERE participant = ?", (participant,)
    ).fetchall()
    steps = conn.execute("SELECT step FROM step_done WHERE participant = ?", (participant,)).fetchall()
    declined = row["status"] == "screened_out"
    return ParticipantState(
        participant=participant,
        definition_hash=row["definition_hash"],
        run_kind=row["run_kind"],
        status=row["status"],
        exclusion_reason=row["exclusion_reason"],
        consented=True if row["consented_at"] else (False if declined else None),
        sequence=tuple(row["sequence"].split(">")) if row["sequence"] else (),
        answers=MappingProxyType({(a["item"], a["period"]): a["value"] for a in answers}),
        steps_done=frozenset(step["step"] for step in steps),
        exposures=MappingProxyType(_exposures(conn, participant)),
        arrived_at=row["arrived_at"],
        cases=assigned_cases(conn, participant),
    )


def assigned_cases(conn: sqlite3.Connection, participant: str) -> tuple[str, ...]:
    """The case of each period, as it was drawn with the sequence."""
    row = conn.execute(
        "SELECT data -> '$.cases' AS cases FROM event WHERE participant = ? AND kind = 'allocated'", (participant,)
    ).fetchone()
    return tuple(json.loads(row["cases"])) if row is not None and row["cases"] else ()


def _exposures(conn: sqlite3.Connection, participant: str) -> dict[int, Exposure]:
    rows = conn.execute("SELECT * FROM exposure WHERE participant = ? ORDER BY period", (participant,))
    turns = conn.execute(
        "SELECT t.period, t.role, t.text, t.at, j.key AS job FROM turn t JOIN job j ON j.id = t.job "
        "WHERE t.participant = ? ORDER BY t.id",
        (participant,),
    ).fetchall()
    jobs = [Job(**row) for row in conn.execute(f"{JOB} WHERE participant = ? ORDER BY id", (participant,))]
    return {
        row["period"]: Exposure(
            period=row["period"],
            condition=row["condition"],
            photo=row["photo"],
            known_label=row["known_label"],
            started_at=row["started_at"],
            finished_at=row["finished_at"],
            another_photo_wanted_at=row["another_photo_wanted_at"],
            turns=tuple(
                StoredTurn(t["role"], t["text"], t["at"], t["job"]) for t in turns if t["period"] == row["period"]
            ),
            jobs=tuple(job for job in jobs if job.period == row["period"]),
        )
        for row in rows
    }
