"""The researcher's password: set once, hashed, and not to be guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from study_app.study.store import Refused, Store

PASSWORD = "correct horse battery"


def test_a_password_is_set_once_and_kept_as_a_hash(store: Store, db: Path) -> None:
    assert not store.researcher.is_set()
    assert not store.researcher.check(PASSWORD).ok
    with pytest.raises(Refused, match="10 characters"):
        store.researcher.set_password("short")
    store.researcher.set_password(PASSWORD)
    with pytest.raises(Refused, match="set already"):
        store.researcher.set_password("another password")
    assert store.researcher.is_set()
    assert store.researcher.check(PASSWORD).ok
    assert PASSWORD.encode() not in db.read_bytes()
    assert b"$argon2id$" in db.read_bytes()


def test_wrong_passwords_wait_longer_and_longer_also_after_a_restart(db: Path) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    store = Store.open(db, clock=lambda: now)
    store.researcher.set_password(PASSWORD)
    waits = []
    for _ in range(6):
        result = store.researcher.check("wrong password")
        assert not result.ok
        waits.append(result.wait_s)
        now += timedelta(seconds=result.wait_s)
    assert waits == [0, 0, 0, 2, 4, 8]
    assert store.researcher.check("wrong password").wait_s == 16
    store.close()
    store = Store.open(db, clock=lambda: now)
    blocked = store.researcher.check(PASSWORD)
    assert (blocked.ok, blocked.wait_s) == (False, 16)
    now += timedelta(seconds=16)
    assert store.researcher.check(PASSWORD).ok
    assert store.researcher.check("wrong password").wait_s == 0
    store.close()
