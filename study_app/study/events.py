"""The event log: what happened that is no answer. It only grows, until its participant withdraws."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any


def append_event(
    conn: sqlite3.Connection, participant: str | None, kind: str, data: Mapping[str, Any], now: str
) -> None:
    """Runs inside a write transaction."""
    conn.execute(
        "INSERT INTO event (participant, kind, data, at) VALUES (?, ?, ?, ?)",
        (participant, kind, json.dumps(dict(data)), now),
    )
