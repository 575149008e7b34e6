"""The researcher's password: argon2 hash and the throttle, both in the database (`Store.researcher`)."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from study_app.study.database import Database, stamp
from study_app.study.errors import Refused

MIN_LENGTH = 10
FREE_TRIES = 3
LONGEST_WAIT_S = 900.0
_HASHER = PasswordHasher()  # argon2id, RFC 9106's low-memory profile


@dataclass(frozen=True)
class LoginResult:
    """``wait_s``: seconds until the next attempt is looked at; 0 when one may try at once."""

    ok: bool
    wait_s: float


class ResearcherLogin:
    """One password for the researcher's side of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_set(self) -> bool:
        with self._database.read() as conn:
            return conn.execute("SELECT 1 FROM login").fetchone() is not None

    def set_password(self, password: str) -> None:
        """Set at first start. Raises Refused when one is set already or it is shorter than 10 characters."""
        if len(password) < MIN_LENGTH:
            raise Refused(f"The password needs {MIN_LENGTH} characters or more.")
        hashed = _HASHER.hash(password)
        with self._database.write() as conn:
            if conn.execute("SELECT 1 FROM login").fetchone() is not None:
                raise Refused("A password is set already. Log in with it.")
            conn.execute("INSERT INTO login (id, password_hash) VALUES (1, ?)", (hashed,))
            self._log(conn, "researcher_password_set")

    def check(self, password: str) -> LoginResult:
        """Is it the password? After three failures each further one doubles the wait (2 s to 15 min), for
        everybody; the wait is in the database and survives a restart. An attempt while waiting is not
        looked at."""
        attempt = self._claim_attempt()
        if isinstance(attempt, LoginResult):
            return attempt
        hashed, wait_s = attempt
        try:
            _HASHER.verify(hashed, password)
        except VerificationError:
            return LoginResult(ok=False, wait_s=wait_s)
        with self._database.write() as conn:
            conn.execute("UPDATE login SET failures = 0, blocked_until = NULL")
            self._log(conn, "researcher_login")
        return LoginResult(ok=True, wait_s=0.0)

    def _claim_attempt(self) -> LoginResult | tuple[str, float]:
        """Count the attempt as failed before looking at it, so that many at once are not all free."""
        with self._database.write() as conn:
            row = conn.execute("SELECT password_hash, failures, blocked_until FROM login").fetchone()
            if row is None:
                return LoginResult(ok=False, wait_s=0.0)
            now = self._database.clock()
            if row["blocked_until"] and row["blocked_until"] > stamp(now):
                left = datetime.fromisoformat(row["blocked_until"]) - now
                return LoginResult(ok=False, wait_s=left.total_seconds())
            failures = row["failures"] + 1
            wait_s = min(2.0 ** min(failures - FREE_TRIES, 20), LONGEST_WAIT_S) if failures > FREE_TRIES else 0.0
            until = stamp(now + timedelta(seconds=wait_s)) if wait_s else None
            conn.execute("UPDATE login SET failures = ?, blocked_until = ?", (failures, until))
            self._log(conn, "researcher_login_attempt")
            return str(row["password_hash"]), wait_s

    def _log(self, conn: sqlite3.Connection, kind: str) -> None:
        conn.execute("INSERT INTO event (kind, data, at) VALUES (?, '{}', ?)", (kind, self._database.now()))
