"""The moment that is exported: a copy of the database without secrets and without those who withdrew.

Every file of an export is made from this copy, so all of them show the same moment. The number of those who
withdrew, which a flow diagram needs, is counted before they are left out. Where one run is asked for, the
participants of the other one are left out in the same way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from study_app.study.export.counts import must_agree
from study_app.study.export.errors import ExportError
from study_app.study.export.tables import SCHEMA, WITHDRAWN, make_tables
from study_app.study.state import RunKind
from study_app.study.store import Store

COUNT_WITHDRAWN = f"""
    CREATE TABLE {SCHEMA}.{WITHDRAWN} AS
    SELECT d.study, p.definition_hash, p.run_kind, count(*) AS withdrawn,
           count(p.consented_at) AS of_these_consented, count(p.allocated_at) AS of_these_allocated
    FROM main.participant p JOIN main.definition d ON d.hash = p.definition_hash
    WHERE p.status = 'withdrawn' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""


@contextmanager
def snapshot(store: Store, folder: Path, run_kind: RunKind | None = None) -> Iterator[sqlite3.Connection]:
    """A connection to ``folder/study.db``, the copy, with the tidy tables attached; of the participants of one run, or
    of all where ``run_kind`` is None. Raises NotSaved, and ExportError where that run has no participants."""
    with _copy(store, folder / "study.db") as conn:
        conn.execute(f"ATTACH ? AS {SCHEMA}", (str(folder / "tables.db"),))
        conn.execute("BEGIN")
        if run_kind is not None:
            _leave_out_other_runs(conn, run_kind)
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
    _leave_out(conn, "status = 'withdrawn'")


def _leave_out_other_runs(conn: sqlite3.Connection, run_kind: RunKind) -> None:
    """Raises ExportError where nobody is left."""
    counted = conn.execute("SELECT run_kind, count(*) FROM participant GROUP BY 1 ORDER BY 1").fetchall()
    people = {str(kind): int(number) for kind, number in counted}
    if run_kind not in people:
        held = ", ".join(f"{number} of a {kind} run" for kind, number in people.items()) or "none"
        raise ExportError(
            f"Nothing was exported: the database has no participants of a {run_kind} run; it has {held}. Without "
            "--run-kind all are exported."
        )
    _leave_out(conn, f"run_kind <> '{run_kind}'")
    left = int(conn.execute("SELECT count(*) FROM participant").fetchone()[0])
    must_agree(f"the {run_kind} run", left, people[run_kind])


def _leave_out(conn: sqlite3.Connection, whom: str) -> None:
    """Rows in every table of the participants for whom the condition ``whom`` is true. The triggers that keep the logs
    whole are put away meanwhile: this is a copy."""
    those = f"SELECT participant FROM participant WHERE {whom}"
    if conn.execute(f"SELECT 1 FROM ({those})").fetchone() is None:
        return
    guards = conn.execute("SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in guards:
        conn.execute(f"DROP TRIGGER {name}")
    conn.execute(f"DELETE FROM job_event WHERE job IN (SELECT id FROM job WHERE participant IN ({those}))")
    for table in _tables_of_people(conn):
        conn.execute(f"DELETE FROM {table} WHERE participant IN ({those})")
    conn.execute(f"DELETE FROM participant WHERE {whom}")
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
