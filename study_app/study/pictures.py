"""Who owns which picture, and withdrawal (`Store.pictures`). The files themselves: `media.py`."""

from __future__ import annotations

from collections.abc import Callable

from study_app.study.database import Database
from study_app.study.errors import Refused
from study_app.study.events import append_event
from study_app.study.exposures import owns
from study_app.study.snapshots import participant_row
from study_app.study.withdrawal import erase_rows


class PictureOwners:
    """No picture without an owner who can withdraw it, also after a kill: the owner is committed before the
    file is written, and the file is removed before its owner is. Both happen under the write lock, so that
    a picture that one participant keeps while another withdraws stays."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def own(self, participant: str, sha256: str, write_file: Callable[[], object]) -> None:
        """Write a picture and make the participant an owner of it. Raises Refused after a withdrawal."""
        withdrew = Refused(f"{participant} withdrew; nothing is kept for them.")
        with self._database.write() as conn:
            if participant_row(conn, participant)["status"] == "withdrawn":
                raise withdrew
            conn.execute("INSERT INTO media_owner VALUES (?, ?) ON CONFLICT DO NOTHING", (sha256, participant))
        with self._database.write() as conn:
            if not owns(conn, participant, sha256):
                raise withdrew
            write_file()

    def owns(self, participant: str, sha256: str) -> bool:
        with self._database.read() as conn:
            return owns(conn, participant, sha256)

    def withdraw(self, participant: str, erase_file: Callable[[str], None]) -> None:
        """Erase what the participant gave; a tombstone with the date stays. Called by `MediaStore.withdraw`,
        whose ``erase_file(sha256)`` removes a picture nobody else owns. Idempotent."""
        with self._database.write() as conn:
            participant_row(conn, participant)
            now = self._database.now()
            for sha256 in erase_rows(conn, participant, now):
                erase_file(sha256)
            append_event(conn, participant, "withdrawn", {}, now)
