"""Who owns which picture, and withdrawal (`Store.pictures`). The files themselves: `media.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from study_app.study.database import Database
from study_app.study.errors import Refused
from study_app.study.exposures import owns
from study_app.study.migration_backups import backups_of, erase_in
from study_app.study.snapshots import participant_row
from study_app.study.withdrawal import Erased, erase_rows


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

    def withdraw(self, participant: str, erase_files: Callable[[tuple[str, ...]], None]) -> Erased:
        """Erase what the participant gave, here and in the backups of migrations; a tombstone with the date stays.
        Called by `MediaStore.withdraw`, whose ``erase_files(pictures)`` removes those nobody else owns. Idempotent."""
        backups = backups_of(self._database)  # first, because it may be refused while nothing is erased yet
        with self._database.write() as conn:
            participant_row(conn, participant)
            now = self._database.now()
            erased = erase_rows(conn, participant, now)
            erase_files(erased.pictures)
        return replace(erased, backups_left=erase_in(backups, participant, now))
