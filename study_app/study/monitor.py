"""How a study stands: the counts of the researcher's monitor, and the load of each sequence."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from study_app.study import flow
from study_app.study.allocation import Sequence, sequences
from study_app.study.database import stamp
from study_app.study.definition import Study
from study_app.study.outcomes import NOT_ELIGIBLE
from study_app.study.snapshots import read_state
from study_app.study.state import RunKind


@dataclass(frozen=True)
class Counts:
    """For the monitor; one study and run kind."""

    arrived: int
    consented: int
    active: int
    completed: int
    left_early: int
    """Abandoned or withdrawn."""
    declined: int
    not_eligible: int
    """By the study's rules, after the demographics."""
    excluded: int
    per_sequence: Mapping[str, tuple[int, int]]
    """"text>cases>generated" -> (completed, recently active); every sequence of the study is listed."""
    at_step: Mapping[str, int]
    """Step key of those active now -> how many."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.__dict__, "per_sequence": dict(self.per_sequence), "at_step": dict(self.at_step)}


@dataclass(frozen=True)
class Trouble:
    """An answer that failed or a page that broke. ``at``: ISO-8601 UTC; ``participant``: public id, empty
    where nobody's."""

    at: str
    participant: str
    what: str


def sequence_load(
    conn: sqlite3.Connection, study: Study, run_kind: RunKind, now: datetime
) -> dict[Sequence, tuple[int, int]]:
    """(completed, recently active) of every sequence. Counted within the study's id, not its hash: an edit
    of the study does not start the balance anew."""
    since = stamp(now - timedelta(minutes=study.design.inactive_after_minutes))
    rows = conn.execute(
        "SELECT p.sequence, sum(p.status = 'completed'), sum(p.status = 'active' AND p.last_seen >= ?) "
        "FROM participant p JOIN definition d ON d.hash = p.definition_hash "
        "WHERE d.study = ? AND p.run_kind = ? AND p.sequence IS NOT NULL GROUP BY p.sequence",
        (since, study.id, run_kind),
    ).fetchall()
    found = {tuple(row[0].split(">")): (int(row[1]), int(row[2])) for row in rows}
    return {sequence: found.get(sequence, (0, 0)) for sequence in sequences(study)}


def read_runs(conn: sqlite3.Connection) -> list[tuple[str, RunKind]]:
    """(canonical definition, run kind) of every study with participants, in order of arrival. Of several
    definitions of one study it is the one registered last."""
    rows = conn.execute(
        "SELECT o.run_kind, (SELECT source FROM definition d WHERE d.study = o.study "
        "ORDER BY d.registered_at DESC, d.rowid DESC) AS source "
        "FROM outcomes o GROUP BY o.study, o.run_kind ORDER BY min(o.participant)"
    ).fetchall()
    return [(row["source"], row["run_kind"]) for row in rows]


def read_troubles(conn: sqlite3.Connection, limit: int) -> tuple[Trouble, ...]:
    """The newest first, at most ``limit``."""
    rows = conn.execute(
        "SELECT finished_at AS at, participant, error AS what FROM job WHERE status = 'failed' "
        "UNION ALL "
        "SELECT at, coalesce(participant, ''), 'A page failed, reference ' || (data ->> '$.reference') "
        "FROM event WHERE kind = 'page_failed' "
        "ORDER BY at DESC LIMIT ?",
        (limit,),
    ).fetchall()
    return tuple(Trouble(*row) for row in rows)


def read_counts(conn: sqlite3.Connection, study: Study, run_kind: RunKind, now: datetime) -> Counts:
    people = conn.execute(
        "SELECT participant, outcome, consented_at, exclusion_reason FROM flow WHERE study = ? AND run_kind = ?",
        (study.id, run_kind),
    ).fetchall()
    outcomes = Counter(row["outcome"] for row in people)
    active = [row["participant"] for row in people if row["outcome"] == "active"]
    reasons = [row["exclusion_reason"] or "" for row in people if row["outcome"] == "screened_out"]
    not_eligible = sum(reason.startswith(NOT_ELIGIBLE) for reason in reasons)
    load = sequence_load(conn, study, run_kind, now)
    return Counts(
        arrived=len(people),
        consented=sum(row["consented_at"] is not None for row in people),
        active=len(active),
        completed=outcomes["completed"],
        left_early=outcomes["abandoned"] + outcomes["withdrawn"],
        declined=outcomes["screened_out"] - not_eligible,
        not_eligible=not_eligible,
        excluded=outcomes["excluded"],
        per_sequence={">".join(sequence): both for sequence, both in load.items()},
        at_step=Counter(_step_key(conn, participant) for participant in active),
    )


def _step_key(conn: sqlite3.Connection, participant: str) -> str:
    """By the definition the participant started with."""
    state = read_state(conn, participant)
    source = conn.execute("SELECT source FROM definition WHERE hash = ?", (state.definition_hash,)).fetchone()[0]
    return flow.next_step(Study.from_canonical(source), state).key
