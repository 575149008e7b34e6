"""Photos and pictures by content hash: PNG files in one folder, kept for and served to their owners."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from study_app.study.store import Store

PNG = b"\x89PNG\r\n\x1a\n"
SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def folder_of(database: str | Path) -> Path:
    """data/study.db -> data/study.media. One folder per database: a withdrawal erases the pictures that
    nobody in its database owns, and must not reach those of another study beside it."""
    return Path(database).with_suffix(".media")


class MediaStore:
    """``put`` and ``get`` make it a `pipeline.types.ImageStore`; pages use ``keep`` and ``read``."""

    def __init__(self, folder: str | Path, store: Store) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._pictures = store.pictures

    def put(self, png: bytes) -> str:
        """Store PNG bytes (atomically), return their SHA-256. Raises ValueError when it is not a PNG."""
        if not png.startswith(PNG):
            raise ValueError("Not a PNG: pictures are decoded and re-encoded before they are stored.")
        sha256 = hashlib.sha256(png).hexdigest()
        path = self._path(sha256)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            _write_atomically(path, png)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Raises KeyError when there is no such picture."""
        if not SHA256.match(sha256):
            raise KeyError(sha256)
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError:
            raise KeyError(sha256) from None

    def keep(self, participant: str, png: bytes) -> str:
        """`put`, and the participant owns it: they may see it, and withdrawal erases it. Raises Refused
        after a withdrawal."""
        sha256 = hashlib.sha256(png).hexdigest()
        self._pictures.own(participant, sha256, lambda: self.put(png))
        return sha256

    def read(self, participant: str, sha256: str) -> bytes:
        """The picture if the participant owns it. KeyError for unknown and for forbidden alike."""
        if not self._pictures.owns(participant, sha256):
            raise KeyError(sha256)
        return self.get(sha256)

    def withdraw(self, participant: str) -> None:
        """Withdrawal: photos, pictures, chat and answers of the participant are erased, in the database and
        on disk; a tombstone with the date stays. Pictures another participant owns stay. Idempotent."""
        self._pictures.withdraw(participant, lambda sha256: self._path(sha256).unlink(missing_ok=True))

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / f"{sha256}.png"


def _write_atomically(path: Path, content: bytes) -> None:
    """After a power loss the file is complete or not there: contents, then name, then folder are flushed."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
