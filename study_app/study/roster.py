"""Participants as a researcher sees them: the list, and what one of them answered. Reads only, but for their links."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from study_app.study import flow
from study_app.study.answers import chosen_options
from study_app.study.database import Database
from study_app.study.definition import Study
from study_app.study.definition_items import Likert, Multiple, Pairwise, Ranking, Single, YesNo
from study_app.study.snapshots import read_state
from study_app.study.state import RunKind, Value
from study_app.study.visit import Visit


@dataclass(frozen=True)
class Person:
    """One row of the list. Stamps are ISO-8601 UTC; ``outcome`` as in the view of that name."""

    participant: str
    outcome: str
    sequence: str
    periods_finished: int
    answers: int
    arrived_at: str
    last_seen: str
    reason: str
    """Why they were screened out or excluded; empty otherwise."""


@dataclass(frozen=True)
class Given:
    """The newest answer to one item. ``value`` is in the words of the study's first language; ``changes``: how often
    it was changed or taken back before; ``duration_s``: seconds since the page appeared, None where not known."""

    step: str
    period: int | None
    item: str
    wording: str
    value: str
    answered_at: str
    duration_s: float | None
    changes: int


def read_people(database: Database, study: Study, run_kind: RunKind) -> tuple[Person, ...]:
    """Everybody of one study and run kind, the newest first. Raises NotSaved."""
    with database.read() as conn:
        rows = conn.execute(
            "SELECT f.participant, f.outcome, coalesce(f.sequence, ''), f.periods_finished, "
            "(SELECT count(*) FROM newest_answers a WHERE a.participant = f.participant AND a.value <> ''), "
            "f.arrived_at, p.last_seen, coalesce(f.exclusion_reason, '') "
            "FROM flow f JOIN participant p ON p.participant = f.participant "
            "WHERE f.study = ? AND f.run_kind = ? ORDER BY p.rowid DESC",
            (study.id, run_kind),
        ).fetchall()
    return tuple(Person(*row) for row in rows)


def look_at(database: Database, participant: str) -> Visit:
    """Where they are, by the definition they started with; unlike `visit.current` it carries nothing out. Raises
    UnknownParticipant, NotSaved."""
    with database.read() as conn:
        state = read_state(conn, participant)
        source = conn.execute("SELECT source FROM definition WHERE hash = ?", (state.definition_hash,)).fetchone()[0]
    study = Study.from_canonical(source)
    return Visit(study.in_language(study.languages[0]), state, flow.next_step(study, state))


def read_answers(database: Database, visit: Visit) -> tuple[Given, ...]:
    """What they answered, in the order of the answers. Raises NotSaved."""
    with database.read() as conn:
        rows = conn.execute(
            "SELECT a.item, a.period, a.value, a.answered_at, a.duration_s, "
            "(SELECT count(*) - 1 FROM answer b WHERE b.participant = a.participant AND b.item = a.item "
            "AND b.period IS a.period) AS changes, q.step "
            "FROM newest_answers a LEFT JOIN questions q ON q.definition_hash = ? AND q.item = a.item "
            "WHERE a.participant = ? AND a.value <> '' ORDER BY a.id",
            (visit.state.definition_hash, visit.state.participant),
        ).fetchall()
    return tuple(_given(visit.study, row) for row in rows)


def in_words(study: Study, item: str, value: Value) -> str:
    """ "4" on a labelled scale -> "4 (agree)"; options by their labels; everything else as it is."""
    match asked := study.item(item):
        case Likert():
            scale = study.scale_of(asked)
            label = scale.labels[int(value) - scale.minimum] if value in scale.points else ""
            return f"{value} ({label})" if label else str(value)
        case YesNo():
            return {"yes": asked.label_yes, "no": asked.label_no}.get(str(value), str(value))
        case Pairwise():
            return {side.value: side.text or side.value for side in asked.sides}.get(str(value), str(value))
        case Single() | Multiple() | Ranking():
            return _options({option.value: option.label for option in asked.options}, str(value))
    return str(value)


def _options(labels: dict[str, str], value: str) -> str:
    """Labels of the options in ``value``: one, or a JSON list of several."""
    several = chosen_options(value)
    return ", ".join(labels.get(each, each) for each in several) if several else labels.get(value, value)


def _given(study: Study, row: sqlite3.Row) -> Given:
    comments = study.comments
    item = study.item(row["item"])
    wording = item.wording if item else comments.wording if comments and comments.id == row["item"] else row["item"]
    return Given(
        step=(row["step"] or "comments").replace("_", " "),
        period=row["period"],
        item=row["item"],
        wording=wording,
        value=in_words(study, row["item"], row["value"]),
        answered_at=row["answered_at"],
        duration_s=row["duration_s"],
        changes=row["changes"],
    )
