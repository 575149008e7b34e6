"""The store: participants, answers, exposures and jobs in one SQLite file. The only way in and out.

Every method that writes returns after its transaction committed; an answer may be acknowledged then,
and only then. All methods may be called from any thread. ``participant`` is always the public id (P0001).

Errors (all `StoreError`): `NotSaved` (database busy, disk full: nothing was changed, try again),
`UnknownParticipant`, `Refused` (what was asked contradicts the study or the participant's state).
Opening raises `CannotOpen` (newer schema, corrupt, not ours, or read-only), with what to do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from study_app.study import exposures, flow, outcomes, pairs
from study_app.study.admission import Door, participant_of
from study_app.study.allocation import choose_sequence
from study_app.study.answers import check_answer
from study_app.study.assigned_store import assign_cases
from study_app.study.database import Clock, Database, utc_now
from study_app.study.definition import Study
from study_app.study.definition_items import Pairwise
from study_app.study.errors import CannotOpen, NotSaved, Refused, StoreError, UnknownParticipant
from study_app.study.events import append_event
from study_app.study.exchange import PhotoExchange
from study_app.study.exposures import check_active
from study_app.study.job_log import JobLog
from study_app.study.migrations import open_database
from study_app.study.monitor import Counts, Trouble, read_counts, read_runs, read_troubles, sequence_load
from study_app.study.pictures import PictureOwners
from study_app.study.researcher import Researchers
from study_app.study.shield import Shield
from study_app.study.snapshots import participant_row, read_state
from study_app.study.state import ParticipantState, RunKind, Value
from study_app.study.tabs import Tabs

__all__ = ["CannotOpen", "Counts", "NotSaved", "Refused", "Store", "StoreError", "UnknownParticipant"]

SIGN_OF_LIFE = timedelta(minutes=1)


class Store:
    """One open database. ``door`` lets people in, ``tabs`` says which of their tabs goes on, ``jobs`` is the log of
    questions to the pipeline, ``photos`` the exchange of a photo the assistant could not tell, ``researcher`` the
    accounts, ``pictures`` says whose they are, ``shield`` which of them somebody asked to see,
    ``pairs`` which side of a comparison stands left."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.door = Door(database)
        self.tabs = Tabs(database)
        self.jobs = JobLog(database)
        self.photos = PhotoExchange(database)
        self.researcher = Researchers(database)
        self.pictures = PictureOwners(database)
        self.shield = Shield(database)
        self.pairs = pairs.Pairs(database)

    @classmethod
    def open(cls, path: str | Path, clock: Clock = utc_now) -> Store:
        """Open or create the database, migrating an older one after a backup. Raises CannotOpen."""
        database = Database(Path(path), clock)
        open_database(database)
        return cls(database)

    def close(self) -> None:
        self.researcher.close()
        self.database.close()

    # Studies -----------------------------------------------------------------------------------------

    def register(self, study: Study) -> None:
        """Keep the definition under its hash. Registering it again is a no-op."""
        with self.database.write() as conn:
            conn.execute(
                "INSERT INTO definition VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (study.hash, study.id, study.canonical(), self.database.now()),
            )

    def study(self, definition_hash: str) -> Study:
        """Raises KeyError for an unknown hash."""
        with self.database.read() as conn:
            row = conn.execute("SELECT source FROM definition WHERE hash = ?", (definition_hash,)).fetchone()
        if row is None:
            raise KeyError(definition_hash)
        return _parsed(row["source"])

    # Participants ------------------------------------------------------------------------------------

    def arrive(self, study: Study, run_kind: RunKind) -> str:
        """A new participant of a registered study; returns the token for their link (stored hashed)."""
        return self.door.arrive(study, run_kind)

    def participant_by_token(self, token: str) -> ParticipantState | None:
        """None for any token that is not somebody's."""
        with self.database.read() as conn:
            participant = participant_of(conn, token)
            return None if participant is None else read_state(conn, participant)

    def state(self, participant: str) -> ParticipantState:
        """Raises UnknownParticipant."""
        with self.database.read() as conn:
            return read_state(conn, participant)

    def touch(self, participant: str) -> None:
        """A sign of life, once a minute at most and none after a withdrawal. Never raises NotSaved."""
        with suppress(NotSaved):
            with self.database.read() as conn:
                row = participant_row(conn, participant)
            silent = self.database.clock() - datetime.fromisoformat(row["last_seen"])
            if row["status"] != "withdrawn" and silent >= SIGN_OF_LIFE:
                with self.database.write() as conn:
                    self._seen(conn, participant)

    def record_consent(self, participant: str, agreed: bool) -> None:
        """Once. Declining screens out. A different second answer is Refused."""
        with self.database.write() as conn:
            state = read_state(conn, participant)
            if state.consented is not None:
                if state.consented != agreed:
                    raise Refused("The decision about taking part was made already.")
                return
            check_active(state)
            if agreed:
                conn.execute(
                    "UPDATE participant SET consented_at = ? WHERE participant = ?",
                    (self._seen(conn, participant), participant),
                )
            else:
                self._end(conn, participant, "screened_out", outcomes.DECLINED)
                conn.execute("DELETE FROM panel_id WHERE participant = ?", (participant,))
            self._log(conn, participant, "consented" if agreed else "declined")

    def allocate(self, participant: str) -> tuple[str, ...]:
        """The participant's sequence, drawn at the first call (balanced) and stored."""
        with self.database.write() as conn:
            state = read_state(conn, participant)
            if state.sequence:
                return state.sequence
            check_active(state)
            if not state.consented:
                raise Refused(f"{participant} has not agreed to take part.")
            study = _study_of(conn, participant)
            load = sequence_load(conn, study, state.run_kind, self.database.clock())
            counted = {sequence: done + active for sequence, (done, active) in load.items()}
            sequence = choose_sequence(study, state.run_kind, participant, counted)
            now = self.database.clock()
            cases = assign_cases(conn, study, state.run_kind, participant, sequence, now)
            conn.execute(
                "UPDATE participant SET sequence = ?, allocated_at = ? WHERE participant = ?",
                (">".join(sequence), self._seen(conn, participant), participant),
            )
            drawn = {"sequence": list(sequence)} | ({"cases": list(cases)} if cases else {})
            self._log(conn, participant, "allocated", drawn)
        return sequence

    def save_answer(
        self,
        participant: str,
        item: str,
        value: Value,
        period: int | None = None,
        duration_s: float | None = None,
        language: str | None = None,
    ) -> bool:
        """Store an answer to an item, a question or the comments. ``period`` for repeated items only;
        ``duration_s``: seconds since the page appeared, not of the item alone; ``language`` is the one of the wording
        that was shown.

        An identical repeat is a no-op (returns False); a change adds a row and the newest one counts
        (returns True). Refused: an unknown item, a value off the scale, a finished participant."""
        with self.database.write() as conn:
            state = read_state(conn, participant)
            if (item, period) in state.answers and state.answers[item, period] == value:
                return False
            study = _study_of(conn, participant)
            check_answer(study, state, item, value, period)
            now = self._seen(conn, participant)
            asked = study.item(item)
            if isinstance(asked, Pairwise):  # drawn when it was shown; no answer without an order, whoever gives it
                pairs.draw_sides(conn, study, participant, asked, period, {}, now)
            conn.execute(
                "INSERT INTO answer (participant, item, period, value, answered_at, duration_s, language) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (participant, item, period, value, now, duration_s, language),
            )
        return True

    def finish_step(self, participant: str, step_key: str) -> None:
        """ "Next" was pressed on demographics, rating:N, final_items or comments. Refused while an answer
        is missing. Idempotent."""
        with self.database.write() as conn:
            state = read_state(conn, participant)
            if step_key in state.steps_done:
                return
            study = _study_of(conn, participant)
            step = flow.next_step(study, state)
            if step.key != step_key or not isinstance(step, flow.CLOSED_BY_NEXT):
                raise Refused(f"{participant} is at {step.key}, not at {step_key}.")
            missing = flow.missing(study, state, step)
            if missing:
                raise Refused(f"Not answered yet: {', '.join(missing)}.")
            now = self._seen(conn, participant)
            conn.execute("INSERT INTO step_done VALUES (?, ?, ?)", (participant, step_key, now))
            reason = outcomes.not_eligible(study, state.answers) if isinstance(step, flow.Demographics) else None
            if reason is not None:
                self._end(conn, participant, "screened_out", reason)
                self._log(conn, participant, "screened_out", {"reason": reason})

    def log_event(self, participant: str | None, kind: str, data: Mapping[str, Any] | None = None) -> None:
        """Append to the event log; nothing of who withdrew."""
        with self.database.write() as conn:
            if participant is not None and participant_row(conn, participant)["status"] == "withdrawn":
                return
            self._log(conn, participant, kind, data)

    # Exposures ---------------------------------------------------------------------------------------

    def start_exposure(
        self, participant: str, period: int, photo: str, known_label: str | None, labels: Collection[str] = ()
    ) -> None:
        """The photo for ``period`` is chosen; the participant owns it (`MediaStore.keep`), and says it shows
        ``known_label``: one of ``labels``, the conditions that the models know, or None. Until the first
        question it may be chosen again, later that is Refused: see ``photos``."""
        with self.database.write() as conn:
            now = self._seen(conn, participant)
            exposures.check_label(known_label, labels)
            exposures.start(conn, _study_of(conn, participant), participant, period, photo, known_label, now)

    def finish_exposure(self, participant: str, period: int) -> None:
        """The participant goes on to rate. Refused before an explanation is complete, while a job is open or
        another photo is being chosen. Idempotent."""
        with self.database.write() as conn:
            exposures.finish(conn, participant, period, self._seen(conn, participant))

    # Ends --------------------------------------------------------------------------------------------

    def complete(self, participant: str) -> str:
        """End a finished participation and return its code: completed, or excluded by the study's own rule.
        Refused while a step is missing, and where there is no code. Idempotent."""
        with self.database.write() as conn:
            state = read_state(conn, participant)
            study = _study_of(conn, participant)
            if state.status == "active":
                step = flow.next_step(study, state)
                if not isinstance(step, flow.Completion):
                    raise Refused(f"{participant} is still at {step.key}.")
                self._finish(conn, participant, outcomes.excluded_by_rule(study, state.answers))
                state = read_state(conn, participant)
            code = outcomes.code_of(study, state)
        if code is None:
            raise Refused(f"{participant} has no completion code.")
        return code

    def exclude(self, participant: str, reason: str) -> None:
        """Taken out by a researcher; the data stay, the analysis leaves them out."""
        with self.database.write() as conn:
            if read_state(conn, participant).status not in ("active", "completed"):
                raise Refused(f"{participant} has left the study already.")
            self._end(conn, participant, "excluded", reason)
            self._log(conn, participant, "excluded", {"reason": reason})

    # The researcher ----------------------------------------------------------------------------------

    def counts(self, study: Study, run_kind: RunKind) -> Counts:
        with self.database.read() as conn:
            return read_counts(conn, study, run_kind, self.database.clock())

    def runs(self) -> tuple[tuple[Study, RunKind], ...]:
        """Every study (as last registered) and run kind with participants, in order of arrival."""
        with self.database.read() as conn:
            return tuple((_parsed(source), run_kind) for source, run_kind in read_runs(conn))

    def troubles(self, limit: int = 5) -> tuple[Trouble, ...]:
        """What went wrong lately, the newest first. Raises NotSaved when the database is locked too long."""
        with self.database.read() as conn:
            return read_troubles(conn, limit)

    def meta(self, key: str) -> str | None:
        """``meta('simulated')`` is "1" in a database of simulated participants."""
        with self.database.read() as conn:
            row = conn.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row["value"])

    def mark_simulated(self) -> None:
        """From now on this is a database of simulated participants. Refused when people are in it."""
        with self.database.write() as conn:
            if conn.execute("SELECT 1 FROM meta WHERE key = 'simulated'").fetchone():
                return
            if conn.execute("SELECT 1 FROM participant").fetchone():
                raise Refused(f"{self.database.path} holds participants; simulate into a database of its own.")
            conn.execute("INSERT INTO meta VALUES ('simulated', '1')")

    # Inside a transaction ----------------------------------------------------------------------------

    def _seen(self, conn: sqlite3.Connection, participant: str) -> str:
        now = self.database.now()
        conn.execute("UPDATE participant SET last_seen = ? WHERE participant = ?", (now, participant))
        return now

    def _log(
        self,
        conn: sqlite3.Connection,
        participant: str | None,
        kind: str,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        append_event(conn, participant, kind, data or {}, self.database.now())

    def _finish(self, conn: sqlite3.Connection, participant: str, excluded: str | None) -> None:
        if excluded is not None:
            self._end(conn, participant, "excluded", excluded)
            self._log(conn, participant, "excluded", {"reason": excluded})
            return
        now = self._seen(conn, participant)
        conn.execute(
            "UPDATE participant SET status = 'completed', completed_at = ? WHERE participant = ?", (now, participant)
        )
        self._log(conn, participant, "completed")

    def _end(self, conn: sqlite3.Connection, participant: str, status: str, reason: str) -> None:
        conn.execute(
            "UPDATE participant SET status = ?, exclusion_reason = ?, last_seen = ? WHERE participant = ?",
            (status, reason, self.database.now(), participant),
        )


def _study_of(conn: sqlite3.Connection, participant: str) -> Study:
    """The definition the participant started with."""
    return _parsed(participant_row(conn, participant)["source"])


@lru_cache(maxsize=64)
def _parsed(source: str) -> Study:
    return Study.from_canonical(source)
