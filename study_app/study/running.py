"""Whether a study takes new participants, and which run they belong to (`Running(store.database)`).

Set on the Studies page while the app runs, stored in the study's database: it outlives a restart, and no start says
otherwise. Whoever is inside may finish, whatever is set.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal, cast, get_args

from study_app.study.database import Database
from study_app.study.errors import Refused
from study_app.study.events import append_event
from study_app.study.state import RunKind

StudyState = Literal["open", "paused", "closed"]
STATES: tuple[StudyState, ...] = get_args(StudyState)


class NotOpen(Refused):
    """Nobody new is let in at present; ``state`` says whether that may change."""

    def __init__(self, state: StudyState) -> None:
        super().__init__(f"The study is {state}: nobody new is let in.")
        self.state = state


@dataclass(frozen=True)
class Running:
    """Reads and sets the state of the studies in one database."""

    database: Database

    def state(self, study: str) -> StudyState:
        """Raises NotSaved."""
        with self.database.read() as conn:
            return read_state_of(conn, study)

    def set_state(self, study: str, state: StudyState) -> None:
        """Counts from the next arrival on. Raises NotSaved, and Refused for a state that does not exist."""
        if state not in STATES:
            raise Refused(f"There is no state '{state}'; states are {', '.join(STATES)}.")
        self._set(study, "state", state)

    def run_kind(self, study: str, otherwise: RunKind) -> RunKind:
        """The run of those who arrive: as set here, else ``otherwise``. Raises NotSaved."""
        return self._run_kind_set(study) or otherwise

    def start(self, study: str, asked: RunKind | None) -> RunKind:
        """The run of those who arrive after a start of the app. ``asked``: what the start says; None: as set before,
        else pilot. A live run is set by this, so that no later start makes a pilot of it.

        Raises NotSaved, and Refused where the start contradicts what is set: whoever arrives in the wrong run stays
        in it."""
        before = self._run_kind_set(study)
        if before is not None and asked is not None and asked != before:
            raise Refused(
                f"New participants of '{study}' belong to the {before} run, as set on the Studies page or by "
                f"an earlier start, but --run-kind says {asked}. Start without --run-kind; "
                "the Studies page changes the run."
            )
        if before is None and asked == "live":
            self.set_run_kind(study, asked)
        return before or asked or "pilot"

    def _run_kind_set(self, study: str) -> RunKind | None:
        with self.database.read() as conn:
            row = conn.execute("SELECT value FROM meta WHERE key = ?", (_key("run_kind", study),)).fetchone()
        return None if row is None else cast(RunKind, row["value"])

    def set_run_kind(self, study: str, run_kind: RunKind) -> None:
        """Counts from the next arrival on; those inside stay in their run. Raises NotSaved, and Refused for a live
        run among simulated participants."""
        if run_kind not in ("pilot", "live"):
            raise Refused(f"There is no run '{run_kind}'; runs are pilot and live.")
        if run_kind == "live":
            with self.database.read() as conn:
                if conn.execute("SELECT 1 FROM meta WHERE key = 'simulated'").fetchone() is not None:
                    raise Refused("This database holds simulated participants; give people one of their own (--db).")
        self._set(study, "run_kind", run_kind)

    def _set(self, study: str, what: str, value: str) -> None:
        with self.database.write() as conn:
            query = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            conn.execute(query, (_key(what, study), value))
            append_event(conn, None, "study_changed", {"study": study, what: value}, self.database.now())


def read_state_of(conn: sqlite3.Connection, study: str) -> StudyState:
    """Inside a transaction."""
    row = conn.execute("SELECT value FROM meta WHERE key = ?", (_key("state", study),)).fetchone()
    return "open" if row is None else cast(StudyState, row["value"])


def check_open(conn: sqlite3.Connection, study: str) -> None:
    """In the transaction that makes a new participant. Raises NotOpen."""
    state = read_state_of(conn, study)
    if state != "open":
        raise NotOpen(state)


def _key(what: str, study: str) -> str:
    return f"{what}:{study}"
