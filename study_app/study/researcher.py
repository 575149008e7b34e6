"""The researchers of one study: accounts, sessions and the audit (`Store.researcher`). What is where: `access/`."""

from __future__ import annotations

from study_app.study.access.accounts import FIRST_OWNER, Accounts, insert_owner
from study_app.study.access.audit import Audit
from study_app.study.access.file import AccessFile
from study_app.study.access.sessions import LoginResult, Sessions
from study_app.study.database import Database
from study_app.study.errors import Refused

__all__ = ["LoginResult", "Researchers"]


class Researchers:
    """Of the study in ``database``. Nothing is written there; the accounts' file is made at the first use."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.file = AccessFile(database)
        self.accounts = Accounts(self.file)
        self.sessions = Sessions(self.file)
        self.audit = Audit(self.file)

    def is_set(self) -> bool:
        """Whether anybody can sign in: as long as nobody can, the app asks for the setup code."""
        self.take_over_password()
        return self.file.exists() and bool(self.accounts.people())

    def set_password(self, password: str, name: str = FIRST_OWNER) -> None:
        """The first account, at the first start. Raises Refused when there is one, or for the wrong form."""
        self.take_over_password()
        self.accounts.first(name, password)

    def sign_in(self, name: str, password: str) -> LoginResult:
        """See `Sessions.sign_in`."""
        self.take_over_password()
        return self.sessions.sign_in(name, password)

    def new_link(self, by: str, name: str) -> str:
        """The code of a new invitation for an account, without an owner (see `Accounts.recover`). Raises Refused."""
        if not self.is_set():
            raise Refused("Nobody has an account yet. Start the app: it prints the code for the first one.")
        return self.accounts.recover(by, name)

    def take_over_password(self) -> None:
        """A database from before there were accounts has one password: it becomes the owner's. It leaves the study's
        database, so that it cannot come back after it was changed. Idempotent, also after a kill in between."""
        with self._database.read() as conn:
            row = conn.execute("SELECT password_hash FROM login").fetchone()
        if row is None:
            return
        with self.file.write() as conn:
            if conn.execute("SELECT 1 FROM account").fetchone() is None:
                before = "the password from before there were accounts"
                insert_owner(conn, FIRST_OWNER, row["password_hash"], self.file.now(), before)
        with self._database.write() as conn:
            conn.execute("DELETE FROM login")

    def close(self) -> None:
        self.file.close()
