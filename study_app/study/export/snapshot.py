"""The moment that is exported: a copy of the database without secrets and without those who withdrew.

Every file of an export is made from this copy, so all of them show the same moment. The number of those who
withdrew, which a flow diagram needs, is counted before they are left out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from study_app.study.export.tables import SCHEMA, WITHDRAWN, make_tables
from study_app.study.store import Store

COUNT_WITHDRAWN = f"""
    CREATE TABLE {SCHEMA}.{WITHDRAWN} AS
    SELECT d.study, p.definition_hash, p.run_kind, count(*) AS withdrawn,
           count(p.consented_at) AS of_these_consented, count(p.allocated_at) AS of_these_allocated
    FROM main.participant p JOIN main.definition d ON d.hash = p.definition_hash
    WHERE p.status = 'withdrawn' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""
WHO_WITHDREW = "SELECT participant FROM participant WHERE status = 'withdrawn'"


@contextmanager
def snapshot(store: Store, folder: Path) -> Iterator[sqlite3.Connection]:
    """A connection to ``folder/study.db``, the copy, with the tidy tables attached. Raises NotSaved."""
    with _copy(store, folder / "study.db") as conn:
        conn.execute(f"ATTACH ? AS {SCHEMA}", (str(folder / "tables.db"),))
        conn.execute("BEGIN")
        conn.execute(COUNT_WITHDRAWN)
        _leave_out_who_withdrew(conn)
        _leave_out_secrets(conn)
        make_tables(conn)
        conn.execute("COMMIT")
        conn.execute("VACUUM main")  # what was left out is not in free pages of the file either
        yield conn


def write_database(store: Store, target: Path) -> None:
    """The database alone, as it is in an export. Raises NotSaved, FileExistsError."""
    with _copy(store, target) as conn:
        _leave_out_who_withdrew(conn)
        _leave_out_secrets(conn)
        conn.execute("VACUUM")


@contextmanager
def _copy(store: Store, target: Path) -> Iterator[sqlite3.Connection]:
    store.database.backup(target)
    conn = sqlite3.connect(target, isolation_level=None)
    try:
        conn.execute("PRAGMA synchronous = OFF")  # nobody keeps the copy before it is complete
        yield conn
    finally:
        conn.close()


def _leave_out_secrets(conn: sqlite3.Connection) -> None:
    """The password, what would tell whose link leads to which number, and what a recruiting site calls people."""
    for table in ("login", "secret", "link", "invitation", "admission", "panel_id", "active_tab"):
        conn.execute(f"DELETE FROM {table}")
    conn.execute("UPDATE participant SET token_hash = lower(hex(randomblob(32)))")


def _leave_out_who_withdrew(conn: sqlite3.Connection) -> None:
    """Rows of the withdrawn in every table, the tombstone itself last: the logs let go of theirs only while
    it says "withdrawn"."""
    if conn.execute(f"SELECT 1 FROM ({WHO_WITHDREW})").fetchone() is None:
        return
    conn.execute(f"DELETE FROM job_event WHERE job IN (SELECT id FROM job WHERE participant IN ({WHO_WITHDREW}))")
    for table in _tables_of_people(conn):
        conn.execute(f"DELETE FROM {table} WHERE participant IN ({WHO_WITHDREW})")
    guards = conn.execute(
        "SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name = 'participant'"
    ).fetchall()
    for name, _ in guards:
        conn.execute(f"DROP TRIGGER {name}")
    conn.execute("DELETE FROM participant WHERE status = 'withdrawn'")
    for _, sql in guards:
        conn.execute(sql)


def _tables_of_people(conn: sqlite3.Connection) -> list[str]:
    """Every table with a column ``participant``, but the participants themselves."""
    names = [row[0] for row in conn.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")]
    return [
        name
        for name in names
        if name != "participant" and any(row[1] == "participant" for row in conn.execute(f"PRAGMA table_info({name})"))
    ]
