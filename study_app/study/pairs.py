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
FIRST_DRAWN = """
    SELECT e.event ->> '$.images[0].image' AS image
    FROM exposure x
    JOIN job j ON j.participant = x.participant AND j.period = x.period AND j.status = 'done'
              AND j.request ->> '$.photo' = x.photo
    JOIN job_event e ON e.job = j.id AND e.event ->> '$.type' = 'images_ready'
    WHERE x.participant = ? AND x.condition = ? AND image IS NOT NULL
    ORDER BY x.period, j.id, e.n LIMIT 1"""


class Pairs:
    def __init__(self, database: Database) -> None:
        self._database = database

    def order(self, participant: str, item: str, period: int | None) -> tuple[str, ...] | None:
        """The sides as they were drawn, the left one first; None before. Raises NotSaved."""
        with self._database.read() as conn:
            return _drawn(conn, participant, item, period)

    def first_drawn(self, participant: str, condition: str) -> str | None:
        """SHA-256 of the first picture drawn for the participant in ``condition``, on the photo that counts; None
        where none was drawn."""
        with self._database.read() as conn:
            row = conn.execute(FIRST_DRAWN, (participant, condition)).fetchone()
        return None if row is None else str(row[0])

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
