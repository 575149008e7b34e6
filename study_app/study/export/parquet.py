"""The tidy tables as Parquet: exact texts, types instead of strings, and nothing defused for spreadsheets.

pyarrow comes with streamlit; it is imported when needed, because the command line starts faster without.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study_app.study.export.columns import ColumnKind, describe
from study_app.study.export.tables import SCHEMA, columns_of

if TYPE_CHECKING:
    import pyarrow  # type: ignore[import-untyped]


class ParquetFile:
    """One table, in groups of rows: ``with ParquetFile(conn, table, file) as out: out.add(rows)``."""

    def __init__(self, conn: sqlite3.Connection, table: str, file: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        self._file = file
        self._kinds = _stored_kinds(conn, table)
        self._schema = pyarrow.schema([(name, _arrow_type(kind)) for name, kind in self._kinds.items()])
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Rows as they are stored, with all columns of the table."""
        import pyarrow

        columns = zip(zip(*rows, strict=True), self._kinds.values(), strict=True)
        arrays = [_array(values, kind) for values, kind in columns]
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema))

    def __enter__(self) -> ParquetFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def rows(self) -> int:
        """How many rows the closed file says it has."""
        from pyarrow import parquet

        return int(parquet.read_metadata(self._file).num_rows)


def _stored_kinds(conn: sqlite3.Connection, table: str) -> dict[str, ColumnKind]:
    """Column -> what it holds; what it is described as while it is empty, and for times."""
    names = columns_of(conn, table)
    found = ", ".join(f'group_concat(DISTINCT typeof("{name}"))' for name in names)
    stored = conn.execute(f"SELECT {found} FROM {SCHEMA}.{table}").fetchone()
    return {
        name: _kind(describe(table, name).kind, set((types or "").split(",")) - {"null", ""})
        for name, types in zip(names, stored, strict=True)
    }


def _kind(described: ColumnKind, found: set[str]) -> ColumnKind:
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


def _array(values: Sequence[Any], kind: ColumnKind) -> pyarrow.Array:
    """The values of one column. Arrow takes texts and times as they are stored, but for the rare column of texts that
    holds numbers, too, and times in another form of ISO-8601."""
    import pyarrow

    wanted = _arrow_type(kind)
    try:
        stored = pyarrow.array(values, pyarrow.string() if kind == "time" else wanted)
        return stored.cast(wanted) if kind == "time" else stored
    except pyarrow.ArrowException:
        if kind == "time":
            values = [None if value is None else datetime.fromisoformat(value) for value in values]
        elif kind in ("text", "json"):
            values = [None if value is None else str(value) for value in values]
        return pyarrow.array(values, wanted)
