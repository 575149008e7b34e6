"""The tidy tables: the database's views, computed once for every file that is made of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

SCHEMA = "tidy"
"""The tables are in an attached file of their own, under this name."""

ALL_ANSWERS = """
    SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, o.outcome, a.period, e.condition,
           a.item, a.value, a.language, a.answered_at, a.duration_s,
           (SELECT count(*) - 1 FROM answer b
            WHERE b.participant = a.participant AND b.item = a.item AND b.period IS a.period) AS changes
    FROM newest_answers a
    JOIN outcomes o ON o.participant = a.participant
    LEFT JOIN exposure e ON e.participant = a.participant AND e.period = a.period
    WHERE a.value <> ''
    ORDER BY o.participant, a.id"""
"""Whatever was answered, of whatever kind: ratings, questions about the person, comments."""


@dataclass(frozen=True)
class Table:
    """``free_text``: holds what people wrote, row by row, so it is no part of what may be published."""

    name: str
    select: str
    free_text: bool = False


def _view(name: str, free_text: bool = False) -> Table:
    return Table(name, f"SELECT * FROM main.{name}", free_text)


TABLES: tuple[Table, ...] = (
    _view("ratings"),
    _view("participants"),
    _view("exposures"),
    _view("decisions"),
    _view("replies", free_text=True),
    _view("photo_exchanges"),
    _view("pairs"),
    _view("flow"),
    _view("questions"),
    _view("items"),
    _view("scores"),
    _view("conditions"),
    _view("comments", free_text=True),
    _view("conversations", free_text=True),
    Table("all_answers", ALL_ANSWERS, free_text=True),
    _view("meta"),  # says whether the database is simulated: what is made from the CSV files must say so too
)
WITHDRAWN = "withdrawn"
"""One more table, counted before those who withdrew were left out (`snapshot.py`)."""
NAMES = (*(table.name for table in TABLES), WITHDRAWN)


def make_tables(conn: sqlite3.Connection) -> None:
    """Fill the attached file with TABLES; WITHDRAWN is there already."""
    for table in TABLES:
        columns = [f'"{entry[0]}"' for entry in conn.execute(f"{table.select} LIMIT 0").description]
        # Columns without a type keep every value as it is stored: '007' stays text.
        conn.execute(f"CREATE TABLE {SCHEMA}.{table.name} ({', '.join(columns)})")
        conn.execute(f"INSERT INTO {SCHEMA}.{table.name} {table.select}")


def columns_of(conn: sqlite3.Connection, table: str) -> tuple[str, ...]:
    return tuple(row[1] for row in conn.execute(f"PRAGMA {SCHEMA}.table_info({table})"))


def rows_of(conn: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    """Row by row, in the order of the view."""
    return conn.execute(f"SELECT * FROM {SCHEMA}.{table} ORDER BY rowid")


def count_of(conn: sqlite3.Connection, table: str) -> int:
    return int(conn.execute(f"SELECT count(*) FROM {SCHEMA}.{table}").fetchone()[0])


def people_of(conn: sqlite3.Connection, study: str) -> int:
    """How many participants the study has."""
    return int(conn.execute(f"SELECT count(*) FROM {SCHEMA}.participants WHERE study = ?", (study,)).fetchone()[0])
