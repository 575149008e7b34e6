"""Which side of a pair a participant sees on the left: drawn at random once and stored (`Store.pairs`).

The draw is an event ``sides_drawn`` {item, period, drawn, pictures}: ``drawn`` are the values of the two sides, the
left one first; ``pictures`` what was shown, value -> SHA-256, since a file may change after the study.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Mapping

from study_app.study.database import Database
from study_app.study.definition import Study
from study_app.study.definition_items import Pairwise
from study_app.study.events import append_event
from study_app.study.exposures import check_active
from study_app.study.snapshots import read_state

DRAWN = "sides_drawn"


class Pairs:
    def __init__(self, database: Database) -> None:
        self._database = database

    def order(self, participant: str, item: str, period: int | None) -> tuple[str, ...] | None:
        """The sides as they were drawn, the left one first; None before. Raises NotSaved."""
        with self._database.read() as conn:
            return _drawn(conn, participant, item, period)

    def draw(
        self, study: Study, participant: str, item: Pairwise, period: int | None, pictures: Mapping[str, str]
    ) -> tuple[str, ...]:
        """The sides as they were drawn, now or before. Raises NotSaved, and Refused after the participant's end."""
        with self._database.write() as conn:
            check_active(read_state(conn, participant))
            return draw_sides(conn, study, participant, item, period, pictures, self._database.now())


def draw_sides(
    conn: sqlite3.Connection,
    study: Study,
    participant: str,
    item: Pairwise,
    period: int | None,
    pictures: Mapping[str, str],
    now: str,
) -> tuple[str, ...]:
    """Draw and store the order, unless it is stored. Runs inside a write transaction."""
    before = _drawn(conn, participant, item.id, period)
    if before is not None:
        return before
    chance = random.Random(f"{study.id}|{study.seed}|{participant}|{item.id}|{period}")
    order = tuple(chance.sample([side.value for side in item.sides], len(item.sides)))
    data = {"item": item.id, "period": period, "drawn": order, "pictures": dict(pictures)}
    append_event(conn, participant, DRAWN, data, now)
    return order


def _drawn(conn: sqlite3.Connection, participant: str, item: str, period: int | None) -> tuple[str, ...] | None:
    row = conn.execute(
        "SELECT data -> '$.drawn' FROM event WHERE participant = ? AND kind = ? AND data ->> '$.item' = ? "
        "AND data ->> '$.period' IS ?",
        (participant, DRAWN, item, period),
    ).fetchone()
    return None if row is None else tuple(json.loads(row[0]))
