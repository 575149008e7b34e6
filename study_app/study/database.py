"""One SQLite file: how it is opened, written, read and copied. What is in it: `migrations.py`.

Journal mode DELETE with synchronous EXTRA, on purpose. SQLite before 3.51.3 (Debian 12 has 3.40.1) can in
rare races corrupt a database in WAL mode when it is reset while others write; and WAL is durable against
power loss only with synchronous FULL, when most of its speed is gone. DELETE + EXTRA has neither problem: the
rollback journal and its directory entry are on the disk before a commit returns. It costs one to three
flushes a commit (0.7 ms on a virtual disk, 13 ms on a slow one): a study of a hundred people writes a few
rows a second. Readers wait for the length of a commit.

secure_delete overwrites what withdrawal erases, so that it is not found in free pages of the file.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, LifoQueue

from study_app.study.errors import CannotOpen, NotSaved

BUSY_S = 5.0
"""How long a call waits for another writer before it gives up with NotSaved."""

Clock = Callable[[], datetime]
TRY_AGAIN = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    }
)


def utc_now() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """ISO-8601 UTC with milliseconds and Z: sorts as text, like SQLite's own strftime."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def connect(path: Path) -> sqlite3.Connection:
    """A connection with the settings above, in autocommit: transactions are begun explicitly."""
    conn = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    conn.row_factory = sqlite3.Row
    conn.execute("PRAGMA foreign_keys = ON")
    conn.execute("PRAGMA journal_mode = DELETE")
    conn.execute("PRAGMA synchronous = EXTRA")
    conn.execute("PRAGMA secure_delete = ON")
    return conn


class Database:
    """Connections to one file, lent to one caller at a time; may be used from any thread.

    Streamlit runs every page in a new thread, so connections are pooled, not tied to a thread. Writers of
    this process queue on a lock: SQLite's own waiting is by sleeping, and unfair.
    """

    def __init__(self, path: Path, clock: Clock = utc_now) -> None:
        self.path = path
        self.clock = clock
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        self._writing = threading.Lock()

    def now(self) -> str:
        return stamp(self.clock())

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A consistent snapshot for several SELECTs. Raises NotSaved when the file is locked too long."""
        with self._lent() as conn, _plain_errors():
            conn.execute("BEGIN")
            try:
                yield conn
            finally:
                conn.execute("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, BEGIN IMMEDIATE to COMMIT: what the block wrote is on the disk when it ends, or
        nothing of it is. Raises NotSaved when the file is locked too long or the disk is full."""
        if not self._writing.acquire(timeout=BUSY_S):
            raise NotSaved("Not saved: the database is busy. Try again.")
        try:
            with self._lent() as conn, _plain_errors():
                conn.execute("BEGIN IMMEDIATE")
                try:
                    yield conn
                    conn.execute("COMMIT")
                except BaseException:
                    if conn.in_transaction:  # a full disk makes SQLite roll back by itself
                        conn.execute("ROLLBACK")
                    raise
        finally:
            self._writing.release()

    def backup(self, target: Path) -> None:
        """A consistent copy by SQLite's backup API, complete under its name or not there at all. A plain
        copy of a database in use is not one. Raises FileExistsError."""
        if target.exists():
            raise FileExistsError(f"{target} exists; choose another name")
        part = target.with_name(target.name + ".part")
        part.unlink(missing_ok=True)
        copy = sqlite3.connect(part)
        try:
            with self._lent() as conn, _plain_errors():
                conn.backup(copy)
        finally:
            copy.close()
        os.replace(part, target)

    def close(self) -> None:
        """Close idle connections; those lent out are closed when they come back."""
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        try:
            conn = self._idle.get_nowait()
        except Empty:
            with _plain_errors():
                if not self.path.exists():
                    raise NotSaved(f"{self.path} is gone. Put it back or restart the app.") from None
                conn = connect(self.path)
        try:
            yield conn
        finally:
            if self._idle.qsize() < 8:
                self._idle.put(conn)
            else:
                conn.close()


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Locked, full or unwritable becomes NotSaved; corruption CannotOpen; the rest are bugs and stay."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in TRY_AGAIN:
            raise NotSaved(f"Not saved: {error}. Try again.") from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise CannotOpen(f"The database is damaged: {error}. Restore a backup.") from error
        raise
