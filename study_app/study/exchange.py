"""After "I cannot tell": another photo instead, within the same exposure (`Store.photos`).

Each call is one transaction and harmless when repeated. Each names the photo it is about, so that a click in a tab
that shows an older photo changes nothing. Nothing is overwritten: the questions, the answers and the photo given back
stay, and the event log says when which photo took whose place.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Any

from study_app.study.database import Database
from study_app.study.errors import Refused
from study_app.study.events import append_event
from study_app.study.exposures import check_active, check_label, owns
from study_app.study.snapshots import read_state
from study_app.study.state import Exposure

SHOWN_BEFORE = (
    "The assistant has seen this photo already and would say the same again. "
    "Choose another one, or keep the one you have."
)


class PhotoExchange:
    """From `want_another` to `replace` or `keep` the participant is at the photo step of the period again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def want_another(self, participant: str, period: int, photo: str) -> None:
        """The participant wants to choose another photo in place of ``photo``. Raises Refused unless the
        assistant could not tell what ``photo`` shows and has nothing left to answer."""
        with self._database.write() as conn:
            exposure = _exposure(conn, participant, period, photo)
            if exposure.another_photo_wanted_at is not None:
                return
            if any(job.open for job in exposure.jobs):
                raise Refused("The assistant is still answering the last question.")
            if not exposure.abstained:
                raise Refused("Another photo is chosen only when the assistant cannot tell from this one.")
            now = self._database.now()
            _set(conn, participant, period, now, another_photo_wanted_at=now)
            append_event(conn, participant, "another_photo_wanted", {"period": period, "photo": photo}, now)

    def keep(self, participant: str, period: int, photo: str) -> None:
        """The participant stays with ``photo`` after all and is back in the conversation."""
        with self._database.write() as conn:
            exposure = _exposure(conn, participant, period, photo)
            if exposure.another_photo_wanted_at is None:
                return
            now = self._database.now()
            _set(conn, participant, period, now, another_photo_wanted_at=None)
            kept = {"period": period, "photo": photo, "wanted_at": exposure.another_photo_wanted_at}
            append_event(conn, participant, "photo_kept", kept, now)

    def replace(
        self,
        participant: str,
        period: int,
        photo: str,
        new_photo: str,
        known_label: str | None,
        labels: Collection[str] = (),
    ) -> None:
        """``new_photo`` takes the place of ``photo``; the participant owns it (`MediaStore.keep`), and says it
        shows ``known_label``: one of ``labels``, the conditions that the models know, or None. Raises Refused for
        another label, for a photo this exposure had already (it would get the same answer), and unless another
        one is wanted."""
        check_label(known_label, labels)
        with self._database.write() as conn:
            exposure = _exposure(conn, participant, period, None)
            if exposure.photo == new_photo != photo and photo in exposure.earlier_photos:
                return  # done already: a double click
            if exposure.had(new_photo):
                raise Refused(SHOWN_BEFORE)
            if exposure.photo != photo or exposure.another_photo_wanted_at is None:
                raise Refused(f"{participant} does not exchange the photo {photo[:12]} now.")
            if not owns(conn, participant, new_photo):
                raise Refused(f"The photo {new_photo[:12]} is not kept for {participant}.")
            now = self._database.now()
            change = {"photo": new_photo, "known_label": known_label, "another_photo_wanted_at": None}
            _set(conn, participant, period, now, **change)
            append_event(conn, participant, "photo_exchanged", _given_back(exposure, new_photo), now)


def _exposure(conn: sqlite3.Connection, participant: str, period: int, photo: str | None) -> Exposure:
    """The exposure, under way; ``photo``: the one it must be about. Raises Refused."""
    state = read_state(conn, participant)
    check_active(state)
    exposure = state.exposures.get(period)
    if exposure is None:
        raise Refused(f"{participant} has no photo in period {period} yet.")
    if exposure.finished_at is not None:
        raise Refused(f"{participant} has finished the conversation of period {period}.")
    if photo is not None and exposure.photo != photo:
        raise Refused("Another photo has taken the place of this one.")
    return exposure


def _given_back(exposure: Exposure, new_photo: str) -> dict[str, Any]:
    return {
        "period": exposure.period,
        "photo": exposure.photo,
        "known_label": exposure.known_label,
        "wanted_at": exposure.another_photo_wanted_at,
        "new_photo": new_photo,
    }


def _set(conn: sqlite3.Connection, participant: str, period: int, now: str, **columns: str | None) -> None:
    """Change the exposure's columns; a sign of life of the participant as well."""
    assignments = ", ".join(f"{column} = ?" for column in columns)
    conn.execute(
        f"UPDATE exposure SET {assignments} WHERE participant = ? AND period = ?",
        (*columns.values(), participant, period),
    )
    conn.execute("UPDATE participant SET last_seen = ? WHERE participant = ?", (now, participant))
