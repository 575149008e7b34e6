"""Researchers' accounts: hashed, invited, with roles; not to be guessed; everything they do stays written down."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher, Type

from study_app.study.access import accounts, sessions
from study_app.study.access.accounts import HASHER as REAL
from study_app.study.access.audit import Action
from study_app.study.access.file import access_path
from study_app.study.errors import CannotOpen
from study_app.study.store import Refused, Store

PASSWORD = "correct horse battery"
OTHER = "another long password"


@pytest.fixture(autouse=True)
def fast_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real argon2id that takes a millisecond; `test_hashes_cost_a_guesser_time_and_memory` looks at the real one."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "HASHER", cheap)
    monkeypatch.setattr(sessions, "HASHER", cheap)


def test_hashes_cost_a_guesser_time_and_memory() -> None:
    assert (REAL.type, REAL.time_cost, REAL.memory_cost) == (Type.ID, 3, 65536)


class Hour:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def owner(store: Store) -> str:
    store.researcher.set_password(PASSWORD, "anna")
    return "anna"


def member(store: Store, name: str, role: str) -> str:
    """An account that set its password; returns the token of a session."""
    code = store.researcher.accounts.invite("anna", name, role)  # type: ignore[arg-type]
    return store.researcher.sessions.open(store.researcher.accounts.accept(code, OTHER))


def actions(store: Store) -> list[tuple[str, str, str]]:
    """Oldest first."""
    return [(entry.who, entry.action, entry.subject) for entry in reversed(store.researcher.audit.entries())]


def test_looking_at_a_database_leaves_no_file_of_accounts(store: Store, db: Path) -> None:
    assert not store.researcher.is_set()
    assert store.researcher.sessions.who("x") is None
    assert store.researcher.audit.entries() == ()
    assert not access_path(db).exists()


def test_the_first_account_is_an_owner_and_its_password_a_hash_beside_the_study(store: Store, db: Path) -> None:
    assert not store.researcher.sign_in("anna", PASSWORD).ok
    with pytest.raises(Refused, match="10 characters"):
        store.researcher.set_password("short", "anna")
    with pytest.raises(Refused, match="2 to 40 letters"):
        store.researcher.set_password(PASSWORD, "<b>")
    owner(store)
    with pytest.raises(Refused, match="set already"):
        store.researcher.set_password(OTHER)
    result = store.researcher.sign_in(" Anna ", PASSWORD)
    account = store.researcher.sessions.who(result.token)
    assert account is not None
    assert (account.name, account.role) == ("anna", "owner")
    kept = access_path(db).read_bytes()
    assert PASSWORD.encode() not in kept
    assert result.token.encode() not in kept
    assert b"$argon2id$" in kept
    assert b"$argon2id$" not in db.read_bytes()
    assert access_path(db).stat().st_mode & 0o077 == 0


def test_the_one_password_of_before_becomes_the_owners_and_leaves_the_study(store: Store, db: Path) -> None:
    with store.database.write() as conn:
        conn.execute("INSERT INTO login (id, password_hash) VALUES (1, ?)", (REAL.hash(PASSWORD),))
    assert store.researcher.is_set()
    assert store.researcher.sign_in("owner", PASSWORD).ok
    assert [account.role for account in store.researcher.accounts.people()] == ["owner"]
    assert b"$argon2id$" not in db.read_bytes()


def test_wrong_passwords_wait_longer_and_longer_also_after_a_restart(db: Path) -> None:
    hour = Hour()
    store = Store.open(db, clock=hour)
    owner(store)
    waits = []
    for _ in range(6):
        result = store.researcher.sign_in("anna", "wrong password")
        assert not result.ok
        waits.append(result.wait_s)
        hour.now += timedelta(seconds=result.wait_s)
    assert waits == [0, 0, 0, 2, 4, 8]
    assert store.researcher.sign_in("ANNA", "wrong password").wait_s == 16
    store.close()
    store = Store.open(db, clock=hour)
    blocked = store.researcher.sign_in("anna", PASSWORD)
    assert (blocked.ok, blocked.wait_s) == (False, 16)
    assert actions(store).count(("anna", "sign-in failed", "")) == 7, "an attempt while waiting is not looked at"
    hour.now += timedelta(seconds=16)
    assert store.researcher.sign_in("anna", PASSWORD).ok
    assert store.researcher.sign_in("anna", "wrong password").wait_s == 0
    store.close()


def test_names_that_do_not_exist_wait_together_and_are_not_kept(store: Store, db: Path) -> None:
    owner(store)
    for n in range(4):
        result = store.researcher.sign_in(f"{PASSWORD} {n}", "x")
    assert result.wait_s == 2
    assert store.researcher.sign_in("anna", PASSWORD).ok, "others need not wait"
    assert PASSWORD.encode() not in access_path(db).read_bytes()


def test_a_session_outlives_a_restart_and_ends_after_eight_hours_or_by_signing_out(db: Path) -> None:
    hour = Hour()
    store = Store.open(db, clock=hour)
    owner(store)
    first, second = (store.researcher.sign_in("anna", PASSWORD).token for _ in range(2))
    store.close()
    store = Store.open(db, clock=hour)
    signed = store.researcher.sessions
    store.researcher.sessions.sign_out(first)
    store.researcher.sessions.sign_out(first)
    assert signed.who(first) is None
    assert signed.who(second) is not None
    assert signed.who("") is None
    hour.now += timedelta(hours=7, minutes=59)
    assert signed.who(second) is not None
    hour.now += timedelta(minutes=2)
    assert signed.who(second) is None
    assert actions(store).count(("anna", "signed out", "")) == 1
    store.close()


def test_an_invitation_is_used_once_and_within_seven_days(db: Path) -> None:
    hour = Hour()
    store = Store.open(db, clock=hour)
    people = store.researcher.accounts
    owner(store)
    code = people.invite("anna", "ben", "viewer")
    assert not store.researcher.sign_in("ben", "").ok
    invited = people.invited(code)
    assert invited is not None
    assert (invited.name, invited.role, invited.state) == ("ben", "viewer", "invited")
    with pytest.raises(Refused, match="already"):
        people.invite("anna", "Ben", "editor")
    assert people.accept(code, OTHER) == "ben"
    assert store.researcher.sign_in("ben", OTHER).ok
    for late in (code, "made up"):
        with pytest.raises(Refused, match="used already or is too old"):
            people.accept(late, PASSWORD)
    code = people.invite("anna", "carla", "editor")
    hour.now += timedelta(days=7, seconds=1)
    assert people.invited(code) is None
    store.close()


def test_only_an_owner_changes_accounts_and_the_last_one_stays(store: Store) -> None:
    people = store.researcher.accounts
    owner(store)
    token = member(store, "ben", "editor")
    for refused in (
        lambda: people.invite("ben", "carla", "owner"),
        lambda: people.invite_again("ben", "anna"),
        lambda: people.change_role("ben", "ben", "owner"),
        lambda: people.close("ben", "anna"),
    ):
        with pytest.raises(Refused, match="ben is not an owner"):
            refused()
    with pytest.raises(Refused, match="last owner"):
        people.change_role("anna", "anna", "viewer")
    with pytest.raises(Refused, match="last owner"):
        people.close("anna", "anna")
    people.change_role("anna", "ben", "owner")
    now = store.researcher.sessions.who(token)
    assert now is not None
    assert now.role == "owner", "a change counts for sessions that are open"
    people.close("ben", "anna")
    with pytest.raises(Refused, match="anna is not an owner"):
        people.change_role("anna", "ben", "viewer")


def test_a_closed_account_is_out_at_once_and_comes_back_by_a_new_link_only(store: Store) -> None:
    people, signed = store.researcher.accounts, store.researcher.sessions
    owner(store)
    token = member(store, "ben", "viewer")
    people.close("anna", "ben")
    assert signed.who(token) is None
    assert not store.researcher.sign_in("ben", OTHER).ok
    people.accept(people.invite_again("anna", "ben"), PASSWORD)
    assert store.researcher.sign_in("ben", PASSWORD).ok


def test_a_new_password_ends_the_sessions_of_the_old_one(store: Store) -> None:
    owner(store)
    token = member(store, "ben", "viewer")
    store.researcher.accounts.accept(store.researcher.accounts.invite_again("anna", "ben"), PASSWORD)
    assert store.researcher.sessions.who(token) is None
    assert not store.researcher.sign_in("ben", OTHER).ok


def test_what_was_done_stays_written_down(store: Store, db: Path) -> None:
    owner(store)
    member(store, "ben", "viewer")
    store.researcher.sign_in("anna", "wrong password")
    store.researcher.audit.add("ben", Action.exported, "everything", "3 participants")
    assert actions(store) == [
        ("anna", "first account made", "anna"),
        ("anna", "invited", "ben"),
        ("ben", "password set by invitation", ""),
        ("ben", "signed in", ""),
        ("anna", "sign-in failed", ""),
        ("ben", "exported", "everything"),
    ]
    assert [entry.action for entry in store.researcher.audit.entries(who="ben", limit=1)] == ["exported"]
    assert store.researcher.audit.names() == ("anna", "ben")
    with closing(sqlite3.connect(access_path(db))) as conn:
        for attack in (
            "UPDATE audit SET who = 'nobody'",
            "DELETE FROM audit",
            "INSERT OR REPLACE INTO audit VALUES (1, '', 'nobody', '', '', '')",
            "UPDATE OR REPLACE audit SET id = 2 WHERE id = 1",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                conn.execute(attack)
        assert conn.execute("SELECT count(*) FROM audit").fetchone() == (6,)


def test_an_action_that_fails_is_written_down_as_not_done(store: Store) -> None:
    owner(store)
    with (
        pytest.raises(Refused),
        store.researcher.audit.around("anna", Action.excluded, "P0001", "double"),
    ):
        raise Refused("gone")
    assert [row[1:] for row in actions(store)[1:]] == [
        ("participant excluded", "P0001"),
        ("failed, not done", "P0001"),
    ]


def test_a_backup_of_the_study_takes_no_account_along(store: Store, db: Path, tmp_path: Path) -> None:
    owner(store)
    store.database.backup(tmp_path / "copy.db")
    copy = Store.open(tmp_path / "copy.db")
    assert not copy.researcher.is_set()
    copy.close()


def test_a_foreign_or_broken_file_is_refused_and_left_alone(store: Store, db: Path, tmp_path: Path) -> None:
    for content in (b"a letter, not a database" * 100, None):
        path = access_path(db)
        if content is None:
            with closing(sqlite3.connect(tmp_path / "foreign.db")) as conn:
                conn.execute("CREATE TABLE mine (x)")
                conn.commit()
            shutil.copy(tmp_path / "foreign.db", path)
        else:
            path.write_bytes(content)
        before = path.read_bytes()
        with pytest.raises(CannotOpen, match=r"Restore a backup|not written by"):
            store.researcher.audit.add("anna", Action.exported)
        assert path.read_bytes() == before
