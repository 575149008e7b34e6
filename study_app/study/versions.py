"""Which versions of a study its completed participants answered: the file may be edited while the study runs."""

from __future__ import annotations

from dataclasses import dataclass

from study_app.study.database import Database
from study_app.study.state import RunKind


@dataclass(frozen=True)
class Version:
    """``registered_at``: ISO-8601 UTC, when it was first served."""

    definition_hash: str
    registered_at: str
    completed: int


def completed_versions(database: Database, study: str, run_kind: RunKind) -> tuple[Version, ...]:
    """The versions that somebody completed, the oldest first. Raises NotSaved."""
    with database.read() as conn:
        rows = conn.execute(
            "SELECT p.definition_hash, d.registered_at, count(*) FROM participants p "
            "JOIN definition d ON d.hash = p.definition_hash "
            "WHERE p.study = ? AND p.run_kind = ? AND p.outcome = 'completed' "
            "GROUP BY p.definition_hash ORDER BY d.registered_at, d.rowid",
            (study, run_kind),
        ).fetchall()
    return tuple(Version(*row) for row in rows)
