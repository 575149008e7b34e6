"""Signing in, staying signed in, signing out. A guess costs time, and the wait outlives a restart."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from argon2.exceptions import VerificationError

from study_app.study.access.accounts import HASHER, MAX_LENGTH, hashed_token
from study_app.study.access.audit import Action, append
from study_app.study.access.file import AccessFile
from study_app.study.access.roles import Account
from study_app.study.database import stamp

FREE_TRIES = 3
LONGEST_WAIT_S = 900.0
SIGNED_IN_FOR = timedelta(hours=8)
NOBODY = "(unknown name)"
"""All names without an account wait together. What was typed is not kept: it may be a password in the wrong field."""


@dataclass(frozen=True)
class LoginResult:
    """``wait_s``: seconds until the next attempt is looked at, 0 when one may try at once. ``token``: proof of being
    signed in, for the browser to keep; stored hashed."""

    ok: bool
    wait_s: float
    token: str = ""


@dataclass(frozen=True)
class _Attempt:
    bucket: str
    password_hash: str | None
    wait_s: float


class Sessions:
    """Who is signed in."""

    def __init__(self, file: AccessFile) -> None:
        self._file = file

    def sign_in(self, name: str, password: str) -> LoginResult:
        """Is it their password? After three failures each further one doubles the wait (2 s to 15 min) of that name;
        the wait is stored. An attempt while waiting is not looked at. Raises NotSaved."""
        attempt = self._claim(name)
        if isinstance(attempt, LoginResult):
            return attempt
        if not _fits(attempt.password_hash, password):
            with self._file.write() as conn:
                append(conn, self._file.now(), attempt.bucket, Action.sign_in_failed)
            return LoginResult(ok=False, wait_s=attempt.wait_s)
        return LoginResult(ok=True, wait_s=0.0, token=self.open(attempt.bucket))

    def open(self, name: str) -> str:
        """A session for somebody who has just proved who they are; returns its token."""
        token, now = secrets.token_urlsafe(32), self._file.now()
        until = stamp(self._file.database.clock() + SIGNED_IN_FOR)
        with self._file.write() as conn:
            conn.execute("DELETE FROM session WHERE until <= ?", (now,))
            conn.execute("INSERT INTO session VALUES (?, ?, ?, ?)", (hashed_token(token), name, now, until))
            conn.execute("DELETE FROM throttle WHERE bucket = ?", (name,))
            append(conn, now, name, Action.signed_in)
        return token

    def who(self, token: str) -> Account | None:
        """Whose session it is, with the role of this moment; None when it is over or their account closed."""
        if not token or not self._file.exists():
            return None
        with self._file.read() as conn:
            row = conn.execute(
                "SELECT a.name, a.role, a.created_at FROM session s JOIN account a ON a.name = s.account "
                "WHERE s.token_hash = ? AND s.until > ? AND a.closed_at IS NULL",
                (hashed_token(token), self._file.now()),
            ).fetchone()
        return None if row is None else Account(row["name"], row["role"], "active", row["created_at"])

    def sign_out(self, token: str) -> None:
        """The token is worth nothing afterwards, wherever a copy of it is. Idempotent."""
        now = self._file.now()
        with self._file.write() as conn:
            row = conn.execute("SELECT account FROM session WHERE token_hash = ?", (hashed_token(token),)).fetchone()
            if row is not None:
                conn.execute("DELETE FROM session WHERE token_hash = ?", (hashed_token(token),))
                append(conn, now, row["account"], Action.signed_out)

    def _claim(self, name: str) -> LoginResult | _Attempt:
        """Count the attempt as failed before looking at it, so that many at once are not all free."""
        with self._file.write() as conn:
            now = self._file.database.clock()
            bucket, password_hash = _bucket(conn, name)
            row = conn.execute("SELECT failures, blocked_until FROM throttle WHERE bucket = ?", (bucket,)).fetchone()
            if row is not None and row["blocked_until"] and row["blocked_until"] > stamp(now):
                left = datetime.fromisoformat(row["blocked_until"]) - now
                return LoginResult(ok=False, wait_s=left.total_seconds())
            failures = (row["failures"] if row is not None else 0) + 1
            wait_s = min(2.0 ** min(failures - FREE_TRIES, 20), LONGEST_WAIT_S) if failures > FREE_TRIES else 0.0
            until = stamp(now + timedelta(seconds=wait_s)) if wait_s else None
            conn.execute("INSERT OR REPLACE INTO throttle VALUES (?, ?, ?)", (bucket, failures, until))
        return _Attempt(bucket, password_hash, wait_s)


def _bucket(conn: sqlite3.Connection, name: str) -> tuple[str, str | None]:
    """The name as its account writes it and the hash to check; strangers, the invited and the closed share one."""
    row = conn.execute(
        "SELECT name, password_hash FROM account WHERE name = ? AND closed_at IS NULL AND password_hash IS NOT NULL",
        (name.strip(),),
    ).fetchone()
    return (NOBODY, None) if row is None else (row["name"], row["password_hash"])


def _fits(password_hash: str | None, password: str) -> bool:
    """As slow for a name that does not exist: the time does not tell which names do."""
    try:
        HASHER.verify(password_hash or _nobodys_hash(), password[:MAX_LENGTH])
    except VerificationError:
        return False
    return password_hash is not None


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return HASHER.hash(secrets.token_urlsafe(32))
