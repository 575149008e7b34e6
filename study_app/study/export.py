"""Everything a researcher takes home, as one ZIP: the views and meta as CSV and a copy of the database.

The CSV files are written from the copy, so all of them show the same moment. The copy lacks the password.
"""

from __future__ import annotations

import csv
import io
import sqlite3
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import sqlite_utils

from study_app.study.store import Store

# meta says whether the database is simulated: what is made from the CSV files must say so too
EXPORTED = (
    "ratings",
    "participants",
    "exposures",
    "photo_exchanges",
    "flow",
    "items",
    "conditions",
    "comments",
    "conversations",
    "meta",
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class ExportError(RuntimeError):
    """A file came out with another number of rows than the database has."""


def export_zip(store: Store) -> bytes:
    """The ZIP's bytes: ``ratings.csv`` and so on, and ``study.db``. Raises ExportError, NotSaved."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "study.db"
        store.database.backup(copy)
        conn = sqlite3.connect(copy)
        try:
            with conn:
                conn.execute("DELETE FROM login")
            conn.execute("VACUUM")
            files = {f"{view}.csv": view_csv(conn, view) for view in EXPORTED}
        finally:
            conn.close()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(name, text)
            archive.write(copy, "study.db")
    return packed.getvalue()


def view_csv(conn: sqlite3.Connection, view: str) -> str:
    """One view as CSV (RFC 4180, UTF-8), header first. Raises ExportError when a row is missing."""
    database = sqlite_utils.Database(conn)
    columns = [column.name for column in database[view].columns]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in database[view].rows:
        writer.writerow([safe_cell(row[column]) for column in columns])
    text = out.getvalue()
    written = sum(1 for _ in csv.reader(io.StringIO(text, newline=""))) - 1
    expected = database[view].count
    if written != expected:
        raise ExportError(f"{view}.csv has {written} rows, the database {expected}. Nothing was exported.")
    return text


def safe_cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets a leading apostrophe; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value
