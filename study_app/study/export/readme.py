"""README.txt of an export: what it is, how many, and what is missing and why."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from study_app.study.export.tables import SCHEMA, WITHDRAWN
from study_app.study.export.variables import Definition
from study_app.study.state import RunKind

FILES = """\
  *.csv                one table a file, one observation a row (RFC 4180, UTF-8, no byte order mark)
  wide/STUDY.csv       one participant a row, one column an item and condition: SPSS, JASP, jamovi
  wide/STUDY.sps       SPSS syntax that reads it with the labels of variables and values
  parquet/             the same tables as *.csv, exact texts and types (R: arrow, Python: pandas)
  codebook.csv, .md    every variable: wording, values with labels, condition, type
  psych-ds/            what may be published, as a Psych-DS dataset
  study.db             the database (SQLite): python -m analysis report study.db
  SHA256SUMS           checksums: sha256sum -c SHA256SUMS
"""
READING = """\
run_kind says in every file with participants, and in the views of study.db, whether a row is of the pilot or of the
live run: take the live rows for results, as python -m analysis report does.
Empty cells are missing. In CSV files a text that a spreadsheet would take for a formula (it begins with = + - @, a
tab or a line break) has an apostrophe in front, and control characters are replaced by U+FFFD; study.db and
parquet/ have the exact texts. In the wide files line breaks are spaces. Open CSV files by import, as UTF-8 with commas
between cells and a point as decimal sign, whatever your country uses; wide/STUDY.sps sets that itself.
Numbers of participants are pseudonyms, not names; free text may still tell who somebody is (comments.csv,
conversations.csv, replies.csv, all_answers.csv, demographics in participants.csv, exclusion_reason there and in
flow.csv, manifests in exposures.csv and photo_exchanges.csv, wide/, study.db, parquet/): treat these files as personal
data.
"""


@dataclass(frozen=True)
class Pictures:
    """``wanted``: whether pictures were asked for. ``lost``: names of files that are gone or damaged."""

    wanted: bool
    owned: int
    lost: tuple[str, ...] = ()


def is_simulated(conn: sqlite3.Connection) -> bool:
    return conn.execute(f"SELECT 1 FROM {SCHEMA}.meta WHERE key = 'simulated' AND value = '1'").fetchone() is not None


def about(conn: sqlite3.Connection, definitions: Sequence[Definition]) -> str:
    """One paragraph for those who have nothing but the data."""
    conditions = dict.fromkeys(label for definition in definitions for _, label in definition.conditions)
    counts = conn.execute(
        f"SELECT run_kind, count(*), sum(outcome = 'completed') FROM {SCHEMA}.participants GROUP BY 1 ORDER BY 1"
    )
    people = "; ".join(f"{kind} run: {n} arrived, {completed} completed" for kind, n, completed in counts)
    simulated = "SIMULATED participants, not people. " if is_simulated(conn) else ""
    return f"{simulated}Conditions: {', '.join(conditions)}. Participants ({people or 'none'})."


def readme(
    conn: sqlite3.Connection,
    definitions: Sequence[Definition],
    rows: Mapping[str, int],
    pictures: Pictures,
    exported_at: str,
    run_kind: RunKind | None,
) -> str:
    """``rows``: CSV file -> rows without the header. ``run_kind``: the only run that was asked for, None for all."""
    database = conn.execute(f"SELECT value FROM {SCHEMA}.meta WHERE key = 'database_id'").fetchone()
    lines = ["EXPORT OF A STUDY", ""]
    if is_simulated(conn):
        lines += ["These participants are SIMULATED. Nothing here was answered by people.", ""]
    lines += [f"Exported      {exported_at}", f"Database      {database[0] if database else 'without an id'}"]
    lines += [f"Run           {f'{run_kind} only' if run_kind else 'all, told apart by run_kind'}", ""]
    lines += _versions(conn, definitions)
    lines += ["FILES", "", FILES, "ROWS", "", *(f"  {number:>8}  {file}" for file, number in rows.items()), ""]
    lines += [
        "WHAT IS MISSING, AND WHY",
        "",
        *(f"- {line}" for line in _missing(conn, definitions, pictures, run_kind)),
        "",
    ]
    return "\n".join([*lines, "HOW TO READ IT", "", READING])


def _versions(conn: sqlite3.Connection, definitions: Iterable[Definition]) -> Iterator[str]:
    for definition in definitions:
        yield f"Study         {definition.study}: {definition.title}"
        yield f"Definition    {definition.hash}, registered {definition.registered_at}"
        found = conn.execute(
            f"SELECT run_kind, outcome, count(*) FROM {SCHEMA}.participants WHERE definition_hash = ? "
            "GROUP BY 1, 2 ORDER BY 1, 2",
            (definition.hash,),
        ).fetchall()
        for kind in dict.fromkeys(row[0] for row in found):
            outcomes = [(outcome, number) for run, outcome, number in found if run == kind]
            listed = ", ".join(f"{number} {outcome}" for outcome, number in outcomes)
            yield f"  {kind} run    n = {sum(number for _, number in outcomes)}: {listed}"
        yield ""


def _missing(
    conn: sqlite3.Connection, definitions: Sequence[Definition], pictures: Pictures, run_kind: RunKind | None
) -> Iterator[str]:
    if run_kind is not None:
        yield f"Participants of another than the {run_kind} run: in no file, since that run was asked for (--run-kind)."
    withdrew = conn.execute(f"SELECT coalesce(sum(withdrawn), 0) FROM {SCHEMA}.{WITHDRAWN}").fetchone()[0]
    yield f"Participants who withdrew ({withdrew}): in no file; withdrawn.csv has their number for the flow diagram."
    yield f"Answers of those who completed ({_unanswered(conn, definitions)}): items left open."
    yield "Later answers of those who did not complete; 'outcome' says who."
    if not pictures.wanted:
        yield f"Photos and pictures ({pictures.owned}): not asked for (python -m study_app export --photos)."
    elif pictures.lost:
        yield f"Photos and pictures ({len(pictures.lost)} of {pictures.owned}): their files are gone or damaged:"
        yield from (f"  {name}" for name in pictures.lost)
    yield "The researchers' passwords and the participants' links: secrets, also not in study.db."
    yield "In psych-ds/: free text, also about the person; typed reasons and questions; photos and their hashes."


def _unanswered(conn: sqlite3.Connection, definitions: Iterable[Definition]) -> int:
    """What participants who completed were asked, free text apart, less what they answered."""
    missing = 0
    for definition in definitions:
        asked = [one for one in definition.asked if one.kind != "text"]
        repeated = sum(one.per_condition for one in asked)
        of_completed = f"FROM {SCHEMA}.{{}} WHERE outcome = 'completed' AND definition_hash = ?"
        for (sequence,) in conn.execute(f"SELECT sequence {of_completed.format('participants')}", (definition.hash,)):
            missing += len(asked) - repeated + repeated * definition.photos * len(sequence.split(">"))
        marks = ", ".join("?" * len(asked))
        missing -= conn.execute(
            f"SELECT count(*) {of_completed.format('all_answers')} AND item IN ({marks})",
            (definition.hash, *(one.item for one in asked)),
        ).fetchone()[0]
    return missing
