"""Researchers' accounts. An owner invites by a link that works once; whoever opens it chooses the password."""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
from datetime import timedelta

from argon2 import PasswordHasher

from study_app.study.access.audit import Action, append
from study_app.study.access.file import AccessFile
from study_app.study.access.roles import ROLES, Account, Role
from study_app.study.database import stamp
from study_app.study.errors import Refused

MIN_LENGTH = 10
MAX_LENGTH = 256
"""Characters of a password."""
INVITED_FOR = timedelta(days=7)
FIRST_OWNER = "owner"
"""Name of the account that a password from before there were accounts becomes."""
INVITATION = "invitation"
"""Parameter of the link that somebody invited opens."""
_NAME = re.compile(r"[\w][\w .@+-]{0,38}[\w]\Z")
_SELECT = "SELECT name, role, password_hash, invitation_until, created_at, closed_at FROM account"
HASHER = PasswordHasher()  # argon2id, RFC 9106's low-memory profile


def hashed_token(token: str) -> str:
    """A fast hash is enough: tokens have 256 random bits, there is nothing to guess."""
    return hashlib.sha256(token.encode()).hexdigest()


def invitation_page(code: str) -> str:
    """Where the invited choose their password; comes after the app's address and a slash."""
    return f"researcher?{INVITATION}={code}"


class Accounts:
    """Every change is one transaction with its row of the audit. ``by`` is the owner who makes it."""

    def __init__(self, file: AccessFile) -> None:
        self._file = file

    def people(self) -> tuple[Account, ...]:
        """All accounts, by name; closed ones stay, so that the audit's names keep their meaning."""
        with self._file.read() as conn:
            return tuple(_account(row) for row in conn.execute(f"{_SELECT} ORDER BY name"))

    def first(self, name: str, password: str) -> None:
        """The first account, an owner. Raises Refused where there is one, or for a name or password of the wrong
        form."""
        check_name(name)
        hashed = hashed_password(password)
        with self._file.write() as conn:
            if conn.execute("SELECT 1 FROM account").fetchone() is not None:
                raise Refused("A password is set already. Log in with it.")
            insert_owner(conn, name.strip(), hashed, self._file.now())

    def invite(self, by: str, name: str, role: Role) -> str:
        """A new account; returns the code of its invitation, good for seven days and one use. Raises Refused for a
        name that is taken or of the wrong form."""
        check_name(name)
        name, code, now = name.strip(), secrets.token_urlsafe(32), self._file.now()
        with self._file.write() as conn:
            check_owner(conn, by)
            _check_role(role)
            if conn.execute("SELECT 1 FROM account WHERE name = ?", (name,)).fetchone() is not None:
                raise Refused(f"There is an account '{name}' already. Give it a new link instead.")
            conn.execute(
                "INSERT INTO account (name, role, invitation_hash, invitation_until, created_at) "
                "VALUES (?, ?, ?, ?, ?)",
                (name, role, hashed_token(code), self._until(), now),
            )
            append(conn, now, by, Action.invited, name, role)
        return code

    def invite_again(self, by: str, name: str) -> str:
        """A new link for a forgotten password or a closed account. The old password works until it is used. Raises
        Refused."""
        with self._file.write() as conn:
            check_owner(conn, by)
            return self._new_link(conn, by, name)

    def recover(self, by: str, name: str) -> str:
        """As `invite_again`, by whoever has the files: the only owner has nobody to ask. Raises Refused."""
        with self._file.write() as conn:
            return self._new_link(conn, by, name)

    def invited(self, code: str) -> Account | None:
        """Whose invitation it is; None when it is unknown, used or too old."""
        if not self._file.exists():
            return None
        with self._file.read() as conn:
            return _invited(conn, code, self._file.now())

    def accept(self, code: str, password: str) -> str:
        """Set the password by invitation; the account's other sessions end. Returns its name. Raises Refused."""
        hashed, now = hashed_password(password), self._file.now()
        with self._file.write() as conn:
            account = _invited(conn, code, now)
            if account is None:
                raise Refused("This invitation was used already or is too old. Ask an owner for a new link.")
            conn.execute(
                "UPDATE account SET password_hash = ?, invitation_hash = NULL, invitation_until = NULL, "
                "closed_at = NULL WHERE name = ?",
                (hashed, account.name),
            )
            conn.execute("DELETE FROM session WHERE account = ?", (account.name,))
            conn.execute("DELETE FROM throttle WHERE bucket = ?", (account.name,))
            append(conn, now, account.name, Action.invitation_used)
        return account.name

    def change_role(self, by: str, name: str, role: Role) -> None:
        """Counts from the next page on. Raises Refused for the last owner."""
        now = self._file.now()
        with self._file.write() as conn:
            check_owner(conn, by)
            _check_role(role)
            known = _known(conn, name)
            if known.role == role:
                return
            conn.execute("UPDATE account SET role = ? WHERE name = ?", (role, known.name))
            _check_an_owner_is_left(conn)
            append(conn, now, by, Action.role_changed, known.name, f"{known.role} -> {role}")

    def close(self, by: str, name: str) -> None:
        """Its sessions and invitation end at once. Raises Refused for the last owner."""
        now = self._file.now()
        with self._file.write() as conn:
            check_owner(conn, by)
            known = _known(conn, name)
            conn.execute(
                "UPDATE account SET closed_at = ?, invitation_hash = NULL, invitation_until = NULL WHERE name = ?",
                (now, known.name),
            )
            conn.execute("DELETE FROM session WHERE account = ?", (known.name,))
            _check_an_owner_is_left(conn)
            append(conn, now, by, Action.account_closed, known.name)

    def _new_link(self, conn: sqlite3.Connection, by: str, name: str) -> str:
        known, code = _known(conn, name.strip()), secrets.token_urlsafe(32)
        conn.execute(
            "UPDATE account SET invitation_hash = ?, invitation_until = ? WHERE name = ?",
            (hashed_token(code), self._until(), known.name),
        )
        append(conn, self._file.now(), by, Action.invited, known.name, f"{known.role}, new link")
        return code

    def _until(self) -> str:
        return stamp(self._file.database.clock() + INVITED_FOR)


def check_name(name: str) -> None:
    """Raises Refused."""
    if not _NAME.match(name.strip()):
        raise Refused("A name has 2 to 40 letters, digits, spaces or . _ @ + - and begins and ends with a letter.")


def hashed_password(password: str) -> str:
    """Raises Refused for one that is too short or too long."""
    if len(password) < MIN_LENGTH:
        raise Refused(f"The password needs {MIN_LENGTH} characters or more.")
    if len(password) > MAX_LENGTH:
        raise Refused(f"The password may have {MAX_LENGTH} characters at most.")
    return HASHER.hash(password)


def insert_owner(conn: sqlite3.Connection, name: str, password_hash: str, now: str, detail: str = "") -> None:
    conn.execute(
        "INSERT INTO account (name, role, password_hash, created_at) VALUES (?, 'owner', ?, ?)",
        (name, password_hash, now),
    )
    append(conn, now, name, Action.account_made, name, detail)


def check_owner(conn: sqlite3.Connection, by: str) -> None:
    """Raises Refused for whoever is not (any more) an owner, whatever their page showed."""
    row = conn.execute(f"{_SELECT} WHERE name = ?", (by,)).fetchone()
    if row is None or _account(row).state != "active" or row["role"] != "owner":
        raise Refused(f"{by} is not an owner of this study.")


def _check_an_owner_is_left(conn: sqlite3.Connection) -> None:
    owners = "SELECT 1 FROM account WHERE role = 'owner' AND closed_at IS NULL AND password_hash IS NOT NULL"
    if conn.execute(owners).fetchone() is None:
        raise Refused("This is the last owner. Make somebody else an owner first.")


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise Refused(f"There is no role '{role}'; roles are {', '.join(ROLES)}.")


def _known(conn: sqlite3.Connection, name: str) -> Account:
    row = conn.execute(f"{_SELECT} WHERE name = ?", (name,)).fetchone()
    if row is None:
        names = ", ".join(each["name"] for each in conn.execute("SELECT name FROM account ORDER BY name"))
        raise Refused(f"There is no account '{name}'; accounts are {names}.")
    return _account(row)


def _invited(conn: sqlite3.Connection, code: str, now: str) -> Account | None:
    row = conn.execute(
        f"{_SELECT} WHERE invitation_hash = ? AND invitation_until > ?", (hashed_token(code), now)
    ).fetchone()
    return None if row is None else _account(row)


def _account(row: sqlite3.Row) -> Account:
    active = "invited" if row["password_hash"] is None else "active"
    return Account(row["name"], row["role"], "closed" if row["closed_at"] else active, row["created_at"])  # type: ignore[arg-type]
