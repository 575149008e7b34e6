"""Which covered pictures a participant asked to see (`Store.shield`): read from the event log, so that a refresh,
another tab or another device covers nothing again that was open.

In a study with ``sensitive_images: shield``. Three kinds of events:
``picture_uncovered`` {picture, step}: the participant asked for this one picture (SHA-256);
``all_pictures`` {shown, step}: the switch for all of them was turned on or off, the newest counts;
``own_photo`` {picture}: they brought it themselves, so it was never covered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from study_app.study.database import Database
from study_app.study.events import append_event
from study_app.study.exposures import check_active
from study_app.study.snapshots import read_state

UNCOVERED, ALL, OWN = "picture_uncovered", "all_pictures", "own_photo"


@dataclass(frozen=True)
class Open:
    """``all_shown``: the switch for all is on; ``pictures``: those open whatever the switch says."""

    all_shown: bool
    pictures: frozenset[str]

    def shows(self, picture: str) -> bool:
        return self.all_shown or picture in self.pictures


class Shield:
    def __init__(self, database: Database) -> None:
        self._database = database

    def open_to(self, participant: str) -> Open:
        """What the participant may see without asking (again). Raises NotSaved."""
        with self._database.read() as conn:
            rows = conn.execute(
                "SELECT kind, data ->> '$.picture' AS picture, data ->> '$.shown' AS shown FROM event "
                "WHERE participant = ? AND kind IN (?, ?, ?) ORDER BY id",
                (participant, UNCOVERED, ALL, OWN),
            ).fetchall()
        switched = [bool(row["shown"]) for row in rows if row["kind"] == ALL]
        return Open(bool(switched) and switched[-1], frozenset(row["picture"] for row in rows if row["kind"] != ALL))

    def uncover(self, participant: str, picture: str, step: str) -> None:
        """They asked for ``picture`` on the page of ``step``. Once; raises NotSaved, and Refused after the end."""
        if picture not in self.open_to(participant).pictures:
            self._append(participant, UNCOVERED, {"picture": picture, "step": step})

    def show_all(self, participant: str, shown: bool, step: str) -> None:
        """The switch for all pictures. Raises NotSaved, and Refused after the end."""
        if shown != self.open_to(participant).all_shown:
            self._append(participant, ALL, {"shown": shown, "step": step})

    def own(self, participant: str, picture: str) -> None:
        """Their own photo, just chosen, needs no cover. Raises NotSaved, and Refused after the end."""
        if picture not in self.open_to(participant).pictures:
            self._append(participant, OWN, {"picture": picture})

    def _append(self, participant: str, kind: str, data: Mapping[str, str | bool]) -> None:
        with self._database.write() as conn:
            check_active(read_state(conn, participant))
            append_event(conn, participant, kind, data, self._database.now())
