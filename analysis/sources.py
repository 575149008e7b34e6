"""A SQLite database or a CSV of ratings -> plain frames, before anything is judged.

Every cell is a Python object and a missing cell is None, whatever the source, so that the checks
that follow need one rule and not two.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.model import DECISIONS, EXPOSURES, PAIRS, QUESTIONS, REPLIES, SCORES

SQLITE_MAGIC = b"SQLite format 3\x00"
APPLICATION_ID = 0x534B474E
"""In the header of the study app's databases, "SKGN": tells them from tables made by hand."""
META = ("key", "value")
REQUIRED: dict[str, tuple[str, ...]] = {
    "ratings": ("study", "definition_hash", "run_kind", "participant", "condition", "item", "value"),
    "participants": ("study", "definition_hash", "run_kind", "participant", "outcome"),
    "items": (
        "definition_hash",
        "study",
        "item",
        "wording",
        "construct",
        "scale_min",
        "scale_max",
        "repeated",
    ),
    "conditions": ("definition_hash", "study", "condition", "label"),
    "flow": ("study", "definition_hash", "run_kind", "participant", "consented_at", "allocated_at"),
}
OPTIONAL: dict[str, tuple[str, ...]] = {
    "decisions": DECISIONS,
    "exposures": EXPOSURES,
    "replies": REPLIES,
    "pairs": PAIRS,
    "scores": SCORES,
    "questions": QUESTIONS,
}
"""Read where they exist: decisions before and after an advice, what was shown, how long it took to answer, which of two
was chosen, how scores are made, what was asked."""
COLUMNS = {
    **REQUIRED,
    **OPTIONAL,
    "exposures": ("participant", "condition"),
    "questions": tuple(name for name in QUESTIONS if name not in ("options", "unit")),
}
"""What each must have; of exposures and questions the rest is used where it is there."""
LEAST = ("participant", "condition", "item", "value")
"""What a CSV of ratings must have; the other columns describe one live run of one study without a hash."""
MISSING = frozenset({"", "NA", "NULL"})
"""What a CSV may hold for "nothing": an empty cell, R's NA, a dumped NULL."""


@dataclass(frozen=True)
class RawTables:
    """The views as read. Every frame but ``ratings`` is None where a CSV came without it; ``notes``: what a reader must
    know of a source that may not have everything."""

    source: Path
    ratings: pd.DataFrame
    participants: pd.DataFrame | None
    items: pd.DataFrame | None
    conditions: pd.DataFrame | None
    flow: pd.DataFrame | None
    simulated: bool
    decisions: pd.DataFrame | None = None
    exposures: pd.DataFrame | None = None
    replies: pd.DataFrame | None = None
    pairs: pd.DataFrame | None = None
    scores: pd.DataFrame | None = None
    questions: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()


def read_tables(path: Path) -> RawTables:
    """Read a study database, or a CSV of ratings with its siblings.

    Beside ``X.csv``, the files participants.csv, items.csv, conditions.csv, flow.csv and meta.csv, and those of
    ``OPTIONAL`` (scores.csv, questions.csv, ...), are read where they exist. A database is opened read-only and read in
    one transaction.

    Raises:
        InputError: no such file, not a study database, one that an older version of the app wrote, or a column is
            missing.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file. Give a study database or a CSV of its ratings.")
    with path.open("rb") as file:
        head = file.read(len(SQLITE_MAGIC))
    if not head:
        raise InputError(f"{path}: the file is empty. Export the study again.")
    return _read_database(path) if head == SQLITE_MAGIC else _read_csv_folder(path)


def _read_database(path: Path) -> RawTables:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("BEGIN")  # one snapshot, also while participants are answering
            _refuse_older(connection, path)
            frames = {name: _read_view(connection, path, name) for name in REQUIRED}
            frames |= {name: _read_view(connection, path, name) for name in OPTIONAL if _has(connection, name)}
            simulated = _is_simulated(connection)
    except sqlite3.Error as error:
        raise InputError(f"{path}: SQLite cannot read it ({error}). Try a backup.") from error
    return RawTables(source=path, simulated=simulated, notes=(), **frames)


def _refuse_older(connection: sqlite3.Connection, path: Path) -> None:
    """The views of an older app lack scores and sliders, and have means in the place of several cases. As they are,
    they would give another analysis than today's views of the same rows, and nobody would see it."""
    ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if ours and not _has(connection, "scores"):
        raise InputError(
            f"{path}: written by an older version of the study app. Bring it up to date once with "
            f"python -m study_app status --db {path} (a copy of how it was stays beside it)."
        )


def _read_view(connection: sqlite3.Connection, path: Path, name: str) -> pd.DataFrame:
    if not _has(connection, name):
        raise InputError(f"{path}: no view '{name}'. This is not a study database.")
    # Of optional views only what is used: some of their columns are dear. Names are keys and values of above.
    there = {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
    wanted = ", ".join(f'"{column}"' for column in OPTIONAL.get(name, ()) if column in there) or "*"
    cursor = connection.execute(f"SELECT {wanted} FROM {name}")
    columns = [column[0] for column in cursor.description]
    return _require(
        pd.DataFrame(cursor.fetchall(), columns=columns, dtype=object), name, f"{path}: view '{name}'", COLUMNS[name]
    )


def _has(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def _is_simulated(connection: sqlite3.Connection) -> bool:
    if not _has(connection, "meta"):
        return False
    row = connection.execute("SELECT value FROM meta WHERE key = 'simulated'").fetchone()
    return row is not None and _is_set(row[0])


def _is_set(mark: object) -> bool:
    return str(mark or "").strip().lower() not in ("", "0", "false", "no")


def _read_csv_folder(path: Path) -> RawTables:
    siblings = {name: path.with_name(f"{name}.csv") for name in (*REQUIRED, *OPTIONAL) if name != "ratings"}
    frames = {
        name: _read_csv(file, name) if file.is_file() and file != path else None for name, file in siblings.items()
    }
    ratings = _read_csv(path, "ratings")
    for name, value in (("study", path.stem), ("definition_hash", ""), ("run_kind", "live")):
        if name not in ratings:
            ratings[name] = value
    meta = path.with_name("meta.csv")
    marks = _read_csv(meta, "meta") if meta.is_file() else pd.DataFrame(columns=["key", "value"])
    simulated = any(_is_set(value) for value in marks["value"][marks["key"] == "simulated"])
    return RawTables(source=path, ratings=ratings, simulated=simulated, notes=_said_of_older(frames), **frames)


def _said_of_older(frames: Mapping[str, pd.DataFrame | None]) -> tuple[str, ...]:
    """A note where items are described, but not as exports describe them today; none on ratings that come alone."""
    items = frames["items"]
    if items is None:
        return ()
    lacking = ["scores.csv"] if frames["scores"] is None else []
    lacking += [] if "kind" in items else ["the column 'kind' in items.csv"]
    if not lacking:
        return ()
    return (
        f"Without {' and '.join(lacking)}, scores and sliders that the study has are not in this report, and several "
        "cases in a condition may be one mean. Of an export of an older version, bring the database up to date with "
        "python -m study_app status --db FILE and export it again.",
    )


def _read_csv(path: Path, name: str) -> pd.DataFrame:
    try:
        # utf-8-sig: spreadsheets put a byte order mark in front. Strings only: a participant
        # called "NA" or "007" keeps that name.
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path}: not a CSV in UTF-8 ({error}). Export it again as CSV, UTF-8.") from error
    required = LEAST if name == "ratings" else COLUMNS.get(name, META)
    return _require(pd.DataFrame({name: _cells(frame[name]) for name in frame}), name, str(path), required)


def _cells(column: pd.Series) -> pd.Series:
    """Stripped text, None where there is none. dtype object: pandas' own strings turn None into NaN."""
    empty = frozenset({""}) if column.name == "participant" else MISSING
    codes, distinct = pd.factorize(column)  # a text that stands in many rows is looked at once
    texts = [str(text).strip() for text in distinct]
    cleaned = np.array([*(None if text in empty else text for text in texts), None], dtype=object)
    return pd.Series(cleaned[codes], dtype=object)


def _require(frame: pd.DataFrame, name: str, where: str, required: tuple[str, ...]) -> pd.DataFrame:
    missing = [column for column in required if column not in frame.columns]
    if missing:
        raise InputError(
            f"{where}: missing column {', '.join(missing)}. "
            f"It has {', '.join(map(str, frame.columns))}; {name} needs {', '.join(required)}."
        )
    return frame
