"""What went wrong lately, for the monitor: answers that failed and pages that broke."""

from __future__ import annotations

from dataclasses import dataclass

from study_app.study.store import Store

_NEWEST = """
    SELECT finished_at AS at, participant, error AS what FROM job WHERE status = 'failed'
    UNION ALL
    SELECT at, coalesce(participant, ''), 'A page failed, reference ' || (data ->> '$.reference')
    FROM event WHERE kind = 'page_failed'
    ORDER BY at DESC LIMIT ?"""


@dataclass(frozen=True)
class Trouble:
    """``at``: ISO-8601 UTC; ``participant``: public id, empty where nobody's."""

    at: str
    participant: str
    what: str


def newest(store: Store, limit: int = 5) -> tuple[Trouble, ...]:
    """The newest first. Raises NotSaved when the database is locked too long."""
    with store.database.read() as conn:
        return tuple(Trouble(*row) for row in conn.execute(_NEWEST, (limit,)).fetchall())
