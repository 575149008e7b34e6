"""What the tables must hold, counted from what is stored and not from the views that made them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from study_app.study.export.errors import ExportError
from study_app.study.export.tables import TABLES, WITHDRAWN, count_of
from study_app.study.export.variables import Definition

NEWEST = "SELECT * FROM answer WHERE id IN (SELECT max(id) FROM answer GROUP BY participant, item, period)"
"""The answers that count, found in another way than by the view ``newest_answers``."""
STORED = {
    "participants": "SELECT count(*) FROM participant",
    "flow": "SELECT count(*) FROM participant",
    "exposures": "SELECT count(*) FROM exposure",
    "photo_exchanges": "SELECT count(*) FROM event WHERE kind = 'photo_exchanged'",
    "pairs": "SELECT count(*) FROM event WHERE kind = 'sides_drawn'",
    "replies": "SELECT count(*) FROM job WHERE status = 'done'",
    "conversations": "SELECT count(*) FROM turn",
    "all_answers": f"SELECT count(*) FROM ({NEWEST}) WHERE value <> ''",
    "meta": "SELECT count(*) FROM main.meta",
}
BY_ITEM = f"""
    SELECT p.definition_hash, a.item, sum(typeof(a.value) IN ('integer', 'real')), sum(a.value <> '')
    FROM ({NEWEST}) a JOIN participant p USING (participant) GROUP BY 1, 2"""
"""Per item, how many answers are a number, and how many are anything at all."""


def checked_counts(conn: sqlite3.Connection, definitions: Sequence[Definition]) -> dict[str, int]:
    """Rows per table. Raises ExportError where a view shows more or fewer than is stored."""
    expected = {table: int(conn.execute(sql).fetchone()[0]) for table, sql in STORED.items()}
    expected["ratings"], expected["comments"] = _ratings_and_comments(conn, definitions)
    found = {table.name: count_of(conn, table.name) for table in TABLES} | {WITHDRAWN: count_of(conn, WITHDRAWN)}
    for table, number in expected.items():
        must_agree(f"the view {table}", found[table], number)
    return found


def must_agree(what: str, found: int, expected: int) -> None:
    """Raises ExportError when the numbers differ."""
    if found != expected:
        raise ExportError(
            f"Nothing was exported: {what} has {found} rows, the database {expected}. Keep a copy of the database "
            "(python -m study_app backup) and report this."
        )


def _ratings_and_comments(conn: sqlite3.Connection, definitions: Sequence[Definition]) -> tuple[int, int]:
    known = {definition.hash: definition for definition in definitions}
    ratings = comments = 0
    for definition, item, numbers, given in conn.execute(BY_ITEM):
        ratings += numbers if item in known[definition].rated else 0
        comments += given if item == known[definition].comments else 0
    return ratings, comments
