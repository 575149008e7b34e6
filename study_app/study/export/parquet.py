"""The tidy tables as Parquet: exact texts, types instead of strings, and nothing defused for spreadsheets.

pyarrow comes with streamlit; it is imported when needed, because the command line starts faster without.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study_app.study.export.columns import ColumnKind, describe
from study_app.study.export.tables import SCHEMA, columns_of

if TYPE_CHECKING:
    import pyarrow  # type: ignore[import-untyped]

ROWS_AT_ONCE = 2000


def write_parquet(conn: sqlite3.Connection, table: str, file: Path) -> int:
    """Write one table in groups of rows; returns how many rows the closed file says it has."""
    import pyarrow
    from pyarrow import parquet

    names = columns_of(conn, table)
    kinds = [_stored_kind(conn, table, name) for name in names]
    schema = pyarrow.schema([(name, _arrow_type(kind)) for name, kind in zip(names, kinds, strict=True)])
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in _batches(conn, table):
            columns = [_values(values, kind) for values, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
            writer.write_table(pyarrow.table(dict(zip(names, columns, strict=True)), schema=schema))
    return int(parquet.read_metadata(file).num_rows)


def _stored_kind(conn: sqlite3.Connection, table: str, name: str) -> ColumnKind:
    """What the column holds; what it is described as while it is empty, and for times."""
    described = describe(table, name).kind
    found = {
        row[0]
        for row in conn.execute(f'SELECT DISTINCT typeof("{name}") FROM {SCHEMA}.{table} WHERE "{name}" IS NOT NULL')
    }
    if not found or (described == "time" and found == {"text"}):
        return described
    if found <= {"integer", "real"}:
        return "integer" if found == {"integer"} and described != "number" else "number"
    return "text"


def _arrow_type(kind: ColumnKind) -> pyarrow.DataType:
    import pyarrow

    if kind == "time":
        return pyarrow.timestamp("ms", tz="UTC")
    return {"integer": pyarrow.int64(), "number": pyarrow.float64()}.get(kind, pyarrow.string())


def _values(values: tuple[Any, ...], kind: ColumnKind) -> list[Any]:
    if kind == "time":
        return [None if value is None else datetime.fromisoformat(value) for value in values]
    if kind in ("text", "json"):
        return [None if value is None else str(value) for value in values]
    return list(values)


def _batches(conn: sqlite3.Connection, table: str) -> Iterator[list[tuple[Any, ...]]]:
    cursor = conn.execute(f"SELECT * FROM {SCHEMA}.{table} ORDER BY rowid")
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        yield rows
