"""A small study for the exports, and its people written by hand: every value in the tests can be read off here."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from pathlib import Path

from study_app.study.definition import Study, load_study
from study_app.study.export import write_export
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
KINDS = """\
id: kinds
title: {de: Lampen, zh: 灯}
languages: [de, zh]
institution: "[to be named]"
ethics: E-1
contact: A. Person
planned_n: 4
steps: [consent, demographics, periods, final_items]
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
  - {id: age, kind: number, wording: "Wie alt?", minimum: 18, maximum: 99, unit: Jahre, missing: prefer_not_to_say}
scales:
  seven: {labels: [nein, "", "", "", "", "", ja]}
items:
  - {id: clear, wording: {de: Es war klar., zh: 很清楚。}, construct: Klarheit, scale: seven, repeated: true}
  - {id: muddled, wording: Verworren., construct: Klarheit, scale: seven, repeated: true, missing: may_skip}
  - {id: sure, kind: slider, wording: "Sicher?", ends: [unsicher, sicher], step: 10, repeated: true}
  - {id: doctor, kind: yes_no, wording: Arzt, label_yes: J, label_no: N, repeated: true, missing: prefer_not_to_say}
  - id: heard
    kind: multiple
    wording: "Wovon?"
    options: [{value: app, label: App}, {value: book, label: Buch}, {value: friend, label: Freunde}]
  - id: order
    kind: ranking
    wording: Ordnen.
    options: [{value: app, label: App}, {value: book, label: Buch}, {value: friend, label: Freunde}]
  - {id: tick, wording: Hier eins., construct: Achtung, scale: seven, repeated: false, attention_check: 1}
  - {id: word, kind: short_text, wording: "Ein Wort?"}
  - {id: story, kind: long_text, wording: "Erlebt?", missing: may_skip}
  - {id: weight, kind: number, wording: "Gewicht?", minimum: 0.05, maximum: 1, decimals: 2}
scores:
  - {id: clarity, name: Klarheit, items: [clear, muddled], reverse: [muddled], method: mean}
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
        done = "2026-01-01T10:09:00.000Z"
        person(conn, study.hash, "P0001", "live", "completed", sequence="b>a", completed=done)
        person(conn, study.hash, "P0002", "live", "active", sequence="a>b")
        person(conn, study.hash, "P0003", "live", "screened_out", reason="declined")
        person(conn, study.hash, "P0004", "pilot", "active", sequence="a>b")
        exposure(conn, "P0001", 1, "b", "2026-01-01T10:01:30.500Z")
        exposure(conn, "P0001", 2, "a", "2026-01-01T10:02:00.000Z")
        exposure(conn, "P0002", 1, "a", None)
        exposure(conn, "P0004", 1, "a", "2026-01-01T10:01:01.000Z")
        for given in (
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
            answer(conn, *given)
    conn.close()


def person(
    conn: sqlite3.Connection,
    definition: str,
    participant: str,
    run_kind: str,
    status: str,
    *,
    reason: str | None = None,
    sequence: str | None = None,
    completed: str | None = None,
) -> None:
    """A participant; one with a sequence has agreed to take part. Never abandoned: seen last in 2999."""
    at = "2026-01-01T10:00:00.000Z"
    agreed = at if sequence else None
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
            agreed,
            agreed,
            completed,
        ),
    )


def exposure(conn: sqlite3.Connection, participant: str, period: int, condition: str, finished: str | None) -> None:
    """Started at 10:01:00."""
    conn.execute(
        "INSERT INTO exposure (participant, period, condition, photo, started_at, finished_at) "
        "VALUES (?, ?, ?, ?, '2026-01-01T10:01:00.000Z', ?)",
        (participant, period, condition, participant[-1] * 64, finished),
    )


def answer(conn: sqlite3.Connection, participant: str, item: str, period: int | None, value: int | float | str) -> None:
    conn.execute(
        "INSERT INTO answer (participant, item, period, value, answered_at, duration_s) "
        "VALUES (?, ?, ?, ?, '2026-01-01T10:05:00.000Z', 1.5)",
        (participant, item, period, value),
    )


def unpacked(store: Store, folder: Path) -> Path:
    """Export everything into ``folder/out``; returns the Psych-DS folder in it."""
    write_export(store, folder / "export.zip")
    with zipfile.ZipFile(folder / "export.zip") as content:
        content.extractall(folder / "out")
    return folder / "out" / "psych-ds"


def described(dataset: Path) -> dict[str, dict[str, object]]:
    """The variables that the dataset describes, by name."""
    metadata = json.loads((dataset / "dataset_description.json").read_text("utf-8"))
    return {variable["name"]: variable for variable in metadata["variableMeasured"]}
