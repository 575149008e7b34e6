"""A small study for the exports, and its people written by hand: every value in the tests can be read off here."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from study_app.study.definition import Study, load_study
from study_app.study.store import Store

YAML = """\
id: two_lamps
title: Which lamp?
institution: Institute of Light
ethics: E-1
contact: A. Person
planned_n: 4
steps: [consent, demographics, periods, final_items, comments]
conditions:
  - {key: a, label: Lamp A, explainer: text}
  - {key: b, label: Lamp B, explainer: cases}
photo: {instruction: Choose., sources: [gallery]}
consent:
  summary: s
  bullets: [{lead: l, text: t}]
  sheet: s
  agreements: [yes I do]
demographics:
  - id: hand
    wording: Which hand?
    options: [{value: left, label: Left}, {value: right, label: "Right | other"}]
scales:
  three: {labels: ["No", Perhaps, "Yes"], minimum: 0}
items:
  - {id: bright, wording: It is bright., construct: Light, scale: three, repeated: true}
  - {id: all, wording: I like it all., construct: Liking, scale: three, repeated: false}
comments: {wording: "Anything else?"}
debrief: {title: t, text: t}
completion_codes: {completed: SECRET-CODE, declined: DECLINED}
"""
HOSTILE = '@SUM(1)\r\n"x",;\t\x00\x1bé 皮肤 👩🏽‍⚕️'


def lamps(folder: Path, yaml: str = YAML) -> Study:
    file = folder / "two_lamps.yaml"
    file.write_text(yaml, "utf-8")
    return load_study(file)


def fill(store: Store, study: Study) -> None:
    """P0001 completed (b, a) and wrote HOSTILE; P0002 left after the first lamp; P0003 declined; P0004 is of a
    pilot and changed an answer twice."""
    store.register(study)
    conn = sqlite3.connect(store.database.path)
    with conn:
        for row in (
            ("P0001", "live", "completed", None, "b>a", "c", "c", "2026-01-01T10:09:00.000Z"),
            ("P0002", "live", "active", None, "a>b", "c", "c", None),
            ("P0003", "live", "screened_out", "declined", None, None, None, None),
            ("P0004", "pilot", "active", None, "a>b", "c", "c", None),
        ):
            _person(conn, study.hash, *row)
        for participant, period, condition, finished in (
            ("P0001", 1, "b", "2026-01-01T10:01:30.500Z"),
            ("P0001", 2, "a", "2026-01-01T10:02:00.000Z"),
            ("P0002", 1, "a", None),
            ("P0004", 1, "a", "2026-01-01T10:01:01.000Z"),
        ):
            conn.execute(
                "INSERT INTO exposure (participant, period, condition, photo, started_at, finished_at) "
                "VALUES (?, ?, ?, ?, '2026-01-01T10:01:00.000Z', ?)",
                (participant, period, condition, participant[-1] * 64, finished),
            )
        for answer in (
            ("P0001", "hand", None, "left"),
            ("P0001", "bright", 1, 2),
            ("P0001", "bright", 2, 0),
            ("P0001", "all", None, 1),
            ("P0001", "comments", None, HOSTILE),
            ("P0002", "hand", None, "right"),
            ("P0004", "bright", 1, 0),
            ("P0004", "bright", 1, 1),
            ("P0004", "bright", 1, 2),
            ("P0004", "comments", None, "007"),
        ):
            conn.execute(
                "INSERT INTO answer (participant, item, period, value, answered_at, duration_s) "
                "VALUES (?, ?, ?, ?, '2026-01-01T10:05:00.000Z', 1.5)",
                answer,
            )
    conn.close()


def _person(
    conn: sqlite3.Connection,
    definition: str,
    participant: str,
    run_kind: str,
    status: str,
    reason: str | None,
    sequence: str | None,
    consented: str | None,
    allocated: str | None,
    completed: str | None,
) -> None:
    at = "2026-01-01T10:00:00.000Z"
    conn.execute(
        "INSERT INTO participant (participant, token_hash, definition_hash, run_kind, status, exclusion_reason, "
        "sequence, arrived_at, last_seen, consented_at, allocated_at, completed_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, '2999-01-01T00:00:00.000Z', ?, ?, ?)",
        (
            participant,
            participant[-1] * 64,
            definition,
            run_kind,
            status,
            reason,
            sequence,
            at,
            consented and at,
            allocated and at,
            completed,
        ),
    )
