"""What the monitor shows beyond counts: the flow of each sequence, where people stopped, and how long things take.

Plain SELECTs over the views, all in one snapshot; medians are taken here (SQLite has none).
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from study_app.study import flow
from study_app.study.allocation import sequences
from study_app.study.database import Database
from study_app.study.definition import Study
from study_app.study.snapshots import read_state
from study_app.study.state import RunKind

NEWEST_ANSWERS_OF_MODELS = 200


@dataclass(frozen=True)
class SequenceFlow:
    """One arm of the crossover: how many of those allocated to ``sequence`` came how far."""

    sequence: str
    allocated: int
    finished: tuple[int, ...]
    """How many finished period 1, 2, ..."""
    completed: int
    left: int
    """Abandoned or withdrawn."""
    excluded: int


@dataclass(frozen=True)
class Latency:
    """Seconds from a question to its complete answer, of the newest ones of one explainer."""

    explainer: str
    answered: int
    failed: int
    median_s: float | None
    p95_s: float | None
    """None where nothing was answered."""


@dataclass(frozen=True)
class Live:
    """One moment of a run."""

    arms: tuple[SequenceFlow, ...]
    """In the design's order; every sequence is there, also one that nobody has."""
    stopped_at: Mapping[str, int]
    """Step key -> how many abandoned the study there. Of those who withdrew no step is kept."""
    whole_s: float | None
    """Median seconds from arrival to completion."""
    page_s: Mapping[str, float]
    """Step ("rating") -> median seconds from a page shown to its last answer."""
    models: tuple[Latency, ...]


def read_live(database: Database, study: Study, run_kind: RunKind) -> Live:
    """Raises NotSaved."""
    with database.read() as conn:
        run = (study.id, run_kind)
        return Live(
            arms=_arms(conn, study, run),
            stopped_at=_stopped_at(conn, run),
            whole_s=_median(
                row[0]
                for row in conn.execute(
                    "SELECT (julianday(completed_at) - julianday(arrived_at)) * 86400 FROM flow "
                    "WHERE study = ? AND run_kind = ? AND completed_at IS NOT NULL",
                    run,
                )
            ),
            page_s=_pages(conn, run),
            models=_models(conn, run),
        )


def _arms(conn: sqlite3.Connection, study: Study, run: tuple[str, str]) -> tuple[SequenceFlow, ...]:
    rows = conn.execute(
        "SELECT sequence, periods_finished, outcome FROM flow "
        "WHERE study = ? AND run_kind = ? AND sequence IS NOT NULL",
        run,
    ).fetchall()
    return tuple(_arm(study, ">".join(sequence), rows) for sequence in sequences(study))


def _arm(study: Study, sequence: str, rows: list[sqlite3.Row]) -> SequenceFlow:
    mine = [row for row in rows if row["sequence"] == sequence]
    outcomes = Counter(row["outcome"] for row in mine)
    periods = range(1, study.periods + 1)
    return SequenceFlow(
        sequence=sequence,
        allocated=len(mine),
        finished=tuple(sum(row["periods_finished"] >= period for row in mine) for period in periods),
        completed=outcomes["completed"],
        left=outcomes["abandoned"] + outcomes["withdrawn"],
        excluded=outcomes["excluded"],
    )


def _stopped_at(conn: sqlite3.Connection, run: tuple[str, str]) -> dict[str, int]:
    rows = conn.execute(
        "SELECT o.participant, d.source FROM outcomes o JOIN definition d ON d.hash = o.definition_hash "
        "WHERE o.study = ? AND o.run_kind = ? AND o.outcome = 'abandoned'",
        run,
    ).fetchall()
    parsed: dict[str, Study] = {}
    steps: Counter[str] = Counter()
    for participant, source in rows:
        if source not in parsed:
            parsed[source] = Study.from_canonical(source)
        steps[flow.next_step(parsed[source], read_state(conn, participant)).key] += 1
    return dict(steps.most_common())


def _pages(conn: sqlite3.Connection, run: tuple[str, str]) -> dict[str, float]:
    """``duration_s`` counts from the page shown: the largest of a page is the time to its last answer."""
    rows = conn.execute(
        "SELECT step, max(duration_s) AS seconds FROM answers WHERE study = ? AND run_kind = ? "
        "AND duration_s IS NOT NULL GROUP BY participant, step, period",
        run,
    ).fetchall()
    by_step: dict[str, list[float]] = {}
    for row in rows:
        by_step.setdefault(row["step"], []).append(row["seconds"])
    return {step: median(seconds) for step, seconds in by_step.items()}


def _models(conn: sqlite3.Connection, run: tuple[str, str]) -> tuple[Latency, ...]:
    rows = conn.execute(
        "SELECT coalesce(j.request ->> '$.condition', '?') AS explainer, j.status, "
        "(julianday(j.finished_at) - julianday(j.created_at)) * 86400 AS seconds "
        "FROM job j JOIN outcomes o ON o.participant = j.participant "
        "WHERE o.study = ? AND o.run_kind = ? AND j.status IN ('done', 'failed') ORDER BY j.id DESC LIMIT ?",
        (*run, NEWEST_ANSWERS_OF_MODELS),
    ).fetchall()
    return tuple(_latency(name, rows) for name in sorted({row["explainer"] for row in rows}))


def _latency(explainer: str, rows: list[sqlite3.Row]) -> Latency:
    mine = [row for row in rows if row["explainer"] == explainer]
    seconds = sorted(row["seconds"] for row in mine if row["status"] == "done")
    # nearest rank: the smallest value that 95 of 100 do not exceed
    p95 = seconds[-(-95 * len(seconds) // 100) - 1] if seconds else None
    failed = sum(row["status"] == "failed" for row in mine)
    return Latency(explainer, len(seconds), failed, _median(seconds), p95)


def _median(values: Iterable[float]) -> float | None:
    kept = list(values)
    return median(kept) if kept else None
