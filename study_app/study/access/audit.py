"""The audit: who did what, and when. Rows are only ever added; the file itself refuses anything else.

Nothing that was said of a participant belongs here, not the reason of an exclusion either: a withdrawal could not erase
it. The reason stands with the participant.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from study_app.study.access.file import AccessFile

COMMAND_LINE = "command line"


class Action(StrEnum):
    """What is written down. The value is what people read."""

    signed_in = "signed in"
    sign_in_failed = "sign-in failed"
    signed_out = "signed out"
    account_made = "first account made"
    invited = "invited"
    invitation_used = "password set by invitation"
    role_changed = "role changed"
    account_closed = "account closed"
    participant_opened = "participant opened"
    excluded = "participant excluded"
    withdrawn = "participant withdrawn and erased"
    link_renewed = "new link for participant"
    exported = "exported"
    invitations_made = "participants' invitations made"
    study_state = "study state changed"
    not_done = "failed, not done"


@dataclass(frozen=True)
class Entry:
    """``subject``: whom or what it was done to; ``detail``: the rest, for people. ``at``: ISO-8601 UTC."""

    at: str
    who: str
    action: str
    subject: str
    detail: str


def append(conn: sqlite3.Connection, now: str, who: str, action: Action, subject: str = "", detail: str = "") -> None:
    """Inside a write transaction of the access file."""
    conn.execute(
        "INSERT INTO audit (at, who, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
        (now, who, action.value, subject, detail),
    )


class Audit:
    """What is done to a study is written down before it is done: nothing is shown or changed unseen."""

    def __init__(self, file: AccessFile) -> None:
        self._file = file

    def add(self, who: str, action: Action, subject: str = "", detail: str = "") -> None:
        """Returns after the row is on the disk. Raises NotSaved: then do not go on."""
        with self._file.write() as conn:
            append(conn, self._file.now(), who, action, subject, detail)

    @contextmanager
    def around(self, who: str, action: Action, subject: str = "", detail: str = "") -> Iterator[None]:
        """Written down first; when the block fails, that it was not done is a second row."""
        self.add(who, action, subject, detail)
        try:
            yield
        except Exception as error:
            self.add(who, Action.not_done, subject, f"{action.value}: {error}")
            raise

    def entries(self, limit: int = 500, who: str = "", action: str = "") -> tuple[Entry, ...]:
        """The newest first; ``who`` and ``action`` narrow it down. Nothing where there is no file."""
        if not self._file.exists():
            return ()
        with self._file.read() as conn:
            rows = conn.execute(
                "SELECT at, who, action, subject, detail FROM audit WHERE (?1 = '' OR who = ?1) "
                "AND (?2 = '' OR action = ?2) ORDER BY id DESC LIMIT ?3",
                (who, action, limit),
            ).fetchall()
        return tuple(Entry(*row) for row in rows)

    def names(self) -> tuple[str, ...]:
        """Everybody who is in it, in alphabetical order."""
        if not self._file.exists():
            return ()
        with self._file.read() as conn:
            return tuple(row[0] for row in conn.execute("SELECT DISTINCT who FROM audit ORDER BY who"))
