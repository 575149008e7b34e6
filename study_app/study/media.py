"""Photos and pictures by content hash: PNG files in one folder, kept for and served to their owners."""

from __future__ import annotations

from pathlib import Path

from study_app.study.store import Store


class MediaStore:
    """``put`` and ``get`` make it a `pipeline.types.ImageStore`; pages use ``keep`` and ``read``."""

    def __init__(self, folder: str | Path, store: Store) -> None:
        raise NotImplementedError

    def put(self, png: bytes) -> str:
        """Store PNG bytes (atomically), return their SHA-256. Raises ValueError when it is not a PNG."""
        raise NotImplementedError

    def get(self, sha256: str) -> bytes:
        """Raises KeyError when there is no such picture."""
        raise NotImplementedError

    def keep(self, participant: str, png: bytes) -> str:
        """`put`, and the participant owns it: they may see it, and withdrawal erases it."""
        raise NotImplementedError

    def read(self, participant: str, sha256: str) -> bytes:
        """The picture if the participant owns it. KeyError for unknown and for forbidden alike."""
        raise NotImplementedError

    def withdraw(self, participant: str) -> None:
        """Withdrawal: photos, pictures, chat and answers of the participant are erased, in the database and
        on disk; a tombstone with the date stays. Pictures another participant owns stay. Idempotent."""
        raise NotImplementedError
