"""Who comes in, and as whom: new participants, their links, and one person = one session (`Store.door`).

A person is known by a keyed hash alone: HMAC-SHA-256 of the study and the invitation code or panel id, under a key made
with the database and left out of every export. Whoever arrives as the same person again is led to the same session,
whatever became of it; a withdrawal does not open the door a second time, and nothing is recorded of who tries.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study_app.study.database import Database
from study_app.study.definition import Study
from study_app.study.entry import Arrival, new_code, plain_code
from study_app.study.errors import HasWithdrawn, Refused
from study_app.study.events import append_event
from study_app.study.running import check_open
from study_app.study.snapshots import participant_row
from study_app.study.state import RunKind, Status

MOST_CODES = 10_000


@dataclass(frozen=True)
class PanelRow:
    """One participant for the recruiting site. ``kept``: parameter -> value, as the study file says."""

    participant: str
    run_kind: RunKind
    status: Status
    exclusion_reason: str | None
    definition_hash: str
    arrived_at: str
    completed_at: str | None
    kept: Mapping[str, str]


class Door:
    """Each call that writes is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def arrive(self, study: Study, run_kind: RunKind) -> str:
        """A new participant of a registered study; returns the token for their link (stored hashed)."""
        with self._database.write() as conn:
            return _arrive(conn, study, run_kind, self._database.now())[1]

    def invite(self, study: Study, n: int) -> tuple[str, ...]:
        """``n`` new codes, stored hashed: this is the only time they are seen. Raises Refused for another entry."""
        if study.entry.kind != "invitation":
            raise Refused(
                f"{study.id} has no entry by invitation; write into the study file: entry: {{kind: invitation}}"
            )
        if not 1 <= n <= MOST_CODES:
            raise Refused(f"{n} codes; 1 to {MOST_CODES} can be made at once.")
        codes = tuple(new_code() for _ in range(n))
        with self._database.write() as conn:
            now = self._database.now()
            rows = [(study.id, _person(conn, study, plain_code(code)), now) for code in codes]
            conn.executemany("INSERT INTO invitation VALUES (?, ?, ?)", rows)
        return codes

    def invitations(self, study: Study, run_kind: RunKind) -> tuple[int, int]:
        """(codes made, codes that somebody came with)."""
        with self._database.read() as conn:
            made = conn.execute("SELECT count(*) FROM invitation WHERE study = ?", (study.id,)).fetchone()[0]
            used = conn.execute(
                "SELECT count(*) FROM admission JOIN invitation USING (study, person_hash) "
                "WHERE study = ? AND run_kind = ?",
                (study.id, run_kind),
            ).fetchone()[0]
        return int(made), int(used)

    def come_with_code(self, study: Study, run_kind: RunKind, code: str) -> str | None:
        """The token of a link to the session of this code: a new one, or the one begun with it. None: no such code.
        Raises HasWithdrawn."""
        with self._database.write() as conn:
            person = _person(conn, study, plain_code(code))
            query = "SELECT 1 FROM invitation WHERE study = ? AND person_hash = ?"
            if conn.execute(query, (study.id, person)).fetchone() is None:
                return None
            return self._come(conn, study, run_kind, person, {})

    def come_from_panel(self, study: Study, run_kind: RunKind, arrival: Arrival) -> str:
        """The token of a link to this person's session: a new one, or the one begun before. Raises Refused when the
        arrival does not say who comes, HasWithdrawn."""
        if arrival.lacking or not arrival.person:
            raise Refused(f"The link lacks {', '.join(arrival.lacking) or 'the person'}.")
        with self._database.write() as conn:
            return self._come(conn, study, run_kind, _person(conn, study, arrival.person), arrival.kept)

    def new_link(self, participant: str) -> str:
        """The token of a further link to the participant's session; those given before go on to work. Raises
        HasWithdrawn."""
        with self._database.write() as conn:
            _check_not_withdrawn(conn, participant)
            return _new_link(conn, participant, self._database.now())

    def kept(self, participant: str) -> Mapping[str, str]:
        """The participant's parameters of the recruiting site, as far as the study keeps them."""
        with self._database.read() as conn:
            return _kept(conn, participant)

    def panel(self) -> tuple[PanelRow, ...]:
        """Everybody of whom something is kept, in order of arrival."""
        columns = "participant, run_kind, status, exclusion_reason, definition_hash, arrived_at, completed_at"
        with self._database.read() as conn:
            rows = conn.execute(
                f"SELECT {columns} FROM participant p "
                "WHERE EXISTS (SELECT 1 FROM panel_id i WHERE i.participant = p.participant) ORDER BY rowid"
            ).fetchall()
            return tuple(PanelRow(**row, kept=_kept(conn, row["participant"])) for row in rows)

    def _come(
        self, conn: sqlite3.Connection, study: Study, run_kind: RunKind, person: str, kept: Mapping[str, str]
    ) -> str:
        now = self._database.now()
        known = conn.execute(
            "SELECT participant FROM admission WHERE study = ? AND run_kind = ? AND person_hash = ?",
            (study.id, run_kind, person),
        ).fetchone()
        if known is not None:
            _check_not_withdrawn(conn, known["participant"])
            append_event(conn, known["participant"], "came_again", {}, now)
            return _new_link(conn, known["participant"], now)
        participant, token = _arrive(conn, study, run_kind, now)
        conn.execute("INSERT INTO admission VALUES (?, ?, ?, ?)", (study.id, run_kind, person, participant))
        rows = [(participant, name, value) for name, value in kept.items()]
        conn.executemany("INSERT INTO panel_id VALUES (?, ?, ?)", rows)
        return token


def participant_of(conn: sqlite3.Connection, token: str) -> str | None:
    """Whose link it is; None for any token that is nobody's."""
    row = conn.execute(
        "SELECT participant FROM participant WHERE token_hash = :t "
        "UNION ALL SELECT participant FROM link WHERE token_hash = :t",
        {"t": hashed(token)},
    ).fetchone()
    return None if row is None else str(row["participant"])


def hashed(token: str) -> str:
    """A fast hash is enough: the token has 128 random bits, there is nothing to guess."""
    return hashlib.sha256(token.encode()).hexdigest()


def _arrive(conn: sqlite3.Connection, study: Study, run_kind: RunKind, now: str) -> tuple[str, str]:
    """A new participant and the token of their first link. Raises Refused where people and a reconstruction would mix,
    NotOpen while the study is paused or closed."""
    alone = conn.execute("SELECT 1 FROM meta WHERE key = 'reconstruction'").fetchone() is not None
    if alone != (run_kind == "reconstruction"):
        raise Refused("A reconstruction has a database of its own: nobody else takes part in it.")
    check_open(conn, study.id)
    token = secrets.token_urlsafe(16)
    number = conn.execute("SELECT count(*) + 1 FROM participant").fetchone()[0]
    participant = f"P{number:04d}"  # rows are never deleted, so the count is the last number
    conn.execute(
        "INSERT INTO participant (participant, token_hash, definition_hash, run_kind, arrived_at, last_seen) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (participant, hashed(token), study.hash, run_kind, now, now),
    )
    append_event(conn, participant, "arrived", {}, now)
    return participant, token


def _check_not_withdrawn(conn: sqlite3.Connection, participant: str) -> None:
    if participant_row(conn, participant)["status"] == "withdrawn":
        raise HasWithdrawn(f"{participant} withdrew; nothing is recorded of them any more.")


def _new_link(conn: sqlite3.Connection, participant: str, now: str) -> str:
    token = secrets.token_urlsafe(16)
    conn.execute("INSERT INTO link VALUES (?, ?, ?)", (hashed(token), participant, now))
    return token


def _person(conn: sqlite3.Connection, study: Study, name: str) -> str:
    """The keyed hash (hex) of a code or panel id."""
    key = conn.execute("SELECT value FROM secret WHERE name = 'entry_key'").fetchone()["value"]
    return hmac.new(bytes.fromhex(key), f"{study.id}|{study.entry.kind}|{name}".encode(), hashlib.sha256).hexdigest()


def _kept(conn: sqlite3.Connection, participant: str) -> dict[str, str]:
    rows: Sequence[sqlite3.Row] = conn.execute(
        "SELECT parameter, value FROM panel_id WHERE participant = ? ORDER BY parameter", (participant,)
    ).fetchall()
    return {row["parameter"]: row["value"] for row in rows}
