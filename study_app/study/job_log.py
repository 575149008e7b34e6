"""Questions to the pipeline, stored before they are asked (`Store.jobs`)."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence

from study_app.study.database import Database
from study_app.study.errors import Refused
from study_app.study.snapshots import JOB, participant_row
from study_app.study.state import Job


class JobLog:
    """Each write is one transaction; each is harmless when repeated."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_key(self, participant: str, period: int) -> str:
        """Idempotency key for the next question of an exposure: the same until a job with it is started,
        so that two tabs or a double click make one job. Unique across databases (hex, 32 characters)."""
        with self._database.read() as conn:
            database_id = conn.execute("SELECT value FROM meta WHERE key = 'database_id'").fetchone()[0]
            jobs = "SELECT count(*) FROM job WHERE participant = ? AND period = ?"
            count = conn.execute(jobs, (participant, period)).fetchone()[0]
        text = f"{database_id}|{participant}|{period}|{count + 1}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def start(self, key: str, participant: str, period: int, request: str, question: str) -> bool:
        """Store the job as queued, together with the participant's turn (not doubled when the same question
        is asked again after a failure). False: the key exists already with this request.
        Raises Refused: another job of the exposure is open, another request has the key, the request is about
        another photo than the exposure's, another photo is being chosen, or the exposure is not there or
        finished."""
        with self._database.write() as conn:
            known = conn.execute("SELECT request FROM job WHERE key = ?", (key,)).fetchone()
            if known is not None:
                if known["request"] != request:
                    raise Refused(f"Job {key} exists with another request; take a new key.")
                return False
            self._check_startable(conn, participant, period, photo=json.loads(request).get("photo"))
            now = self._database.now()
            job = conn.execute(
                "INSERT INTO job (key, participant, period, request, status, created_at) "
                "VALUES (?, ?, ?, ?, 'queued', ?)",
                (key, participant, period, request, now),
            ).lastrowid
            if not _waits_for_answer(conn, job, question):
                _add_turn(conn, participant, period, "participant", question, now, job)
            conn.execute("UPDATE participant SET last_seen = ? WHERE participant = ?", (now, participant))
        return True

    @staticmethod
    def _check_startable(conn: sqlite3.Connection, participant: str, period: int, photo: str | None) -> None:
        if participant_row(conn, participant)["status"] != "active":
            raise Refused(f"{participant} is not taking part (any more).")
        exposure = conn.execute(
            "SELECT photo, finished_at, another_photo_wanted_at FROM exposure WHERE participant = ? AND period = ?",
            (participant, period),
        ).fetchone()
        if exposure is None:
            raise Refused(f"{participant} has no photo in period {period} yet.")
        if exposure["finished_at"] is not None:
            raise Refused(f"{participant} has finished the conversation of period {period}.")
        if exposure["another_photo_wanted_at"] is not None:
            raise Refused("Another photo is being chosen.")
        if exposure["photo"] != photo:
            raise Refused("The question is about another photo than the one shown now.")
        running = conn.execute(
            "SELECT key FROM job WHERE participant = ? AND period = ? AND status IN ('queued', 'running')",
            (participant, period),
        ).fetchone()
        if running is not None:
            raise Refused("The assistant is still answering the last question.")

    def get(self, key: str) -> Job | None:
        """None when there is no such job (any more: withdrawal erases)."""
        with self._database.read() as conn:
            row = conn.execute(f"{JOB} WHERE key = ?", (key,)).fetchone()
        return None if row is None else Job(**row)

    def open_jobs(self) -> tuple[Job, ...]:
        """Queued and running, oldest first: to be resumed when the app starts."""
        with self._database.read() as conn:
            rows = conn.execute(f"{JOB} WHERE status IN ('queued', 'running') ORDER BY id").fetchall()
        return tuple(Job(**row) for row in rows)

    def mark_running(self, key: str) -> bool:
        """False when the job is gone or over."""
        with self._database.write() as conn:
            job = _open_job(conn, key)
            if job is not None:
                conn.execute("UPDATE job SET status = 'running' WHERE id = ?", (job["id"],))
        return job is not None

    def append_events(self, key: str, events: Sequence[tuple[int, str]]) -> bool:
        """Keep (n, event JSON) rows; an n already kept is skipped. False when the job is gone or over:
        stop consuming."""
        with self._database.write() as conn:
            job = _open_job(conn, key)
            if job is not None:
                rows = [(job["id"], n, event) for n, event in events]
                conn.executemany("INSERT INTO job_event VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows)
        return job is not None

    def events(self, key: str, after: int = 0) -> tuple[tuple[int, str], ...]:
        """(n, event JSON) with n > after, in order."""
        with self._database.read() as conn:
            rows = conn.execute(
                "SELECT e.n, e.event FROM job_event e JOIN job j ON j.id = e.job "
                "WHERE j.key = ? AND e.n > ? ORDER BY e.n",
                (key, after),
            ).fetchall()
        return tuple((row["n"], row["event"]) for row in rows)

    def last_event(self, key: str) -> int:
        """Highest n kept; 0 when none."""
        with self._database.read() as conn:
            query = "SELECT max(e.n) FROM job_event e JOIN job j ON j.id = e.job WHERE j.key = ?"
            return int(conn.execute(query, (key,)).fetchone()[0] or 0)

    def finish(self, key: str, answer: str, diagnosis: str | None, manifest: str) -> bool:
        """Answer turn, diagnosis, manifest and status done, in one transaction. False when the job is gone
        or over (then nothing is written)."""
        now = self._database.now()
        with self._database.write() as conn:
            job = _open_job(conn, key)
            if job is None:
                return False
            conn.execute(
                "UPDATE job SET status = 'done', diagnosis = ?, manifest = ?, finished_at = ? WHERE id = ?",
                (diagnosis, manifest, now, job["id"]),
            )
            _add_turn(conn, job["participant"], job["period"], "assistant", answer, now, job["id"])
        return True

    def fail(self, key: str, reason: str, cancelled: bool = False) -> bool:
        """Status failed or cancelled. False when the job is gone or over."""
        status = "cancelled" if cancelled else "failed"
        with self._database.write() as conn:
            job = _open_job(conn, key)
            if job is not None:
                conn.execute(
                    "UPDATE job SET status = ?, error = ?, finished_at = ? WHERE id = ?",
                    (status, reason, self._database.now(), job["id"]),
                )
        return job is not None


def _open_job(conn: sqlite3.Connection, key: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = conn.execute(
        "SELECT id, participant, period FROM job WHERE key = ? AND status IN ('queued', 'running')", (key,)
    ).fetchone()
    return row


def _waits_for_answer(conn: sqlite3.Connection, job: int | None, question: str) -> bool:
    """Whether the conversation about the job's photo ends with this very question, unanswered."""
    last = conn.execute(
        "SELECT t.role, t.text FROM turn t JOIN job asked ON asked.id = t.job JOIN job new ON new.id = ? "
        "WHERE t.participant = new.participant AND t.period = new.period "
        "AND asked.request ->> '$.photo' = new.request ->> '$.photo' ORDER BY t.id DESC LIMIT 1",
        (job,),
    ).fetchone()
    return last is not None and tuple(last) == ("participant", question)


def _add_turn(
    conn: sqlite3.Connection, participant: str, period: int, role: str, text: str, at: str, job: int | None
) -> None:
    conn.execute(
        "INSERT INTO turn (participant, period, role, text, at, job) VALUES (?, ?, ?, ?, ?, ?)",
        (participant, period, role, text, at, job),
    )
