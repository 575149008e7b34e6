"""Photos and pictures by content hash: PNG files in one folder, kept for and served to their owners."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from study_app.study.store import Store
from study_app.study.withdrawal import Erased

PNG = b"\x89PNG\r\n\x1a\n"
SHA256 = re.compile(r"[0-9a-f]{64}\Z")
DRAFT = ".part"


def folder_of(database: str | Path) -> Path:
    """data/study.db -> data/study.media. One folder per database: a withdrawal erases the pictures that
    nobody in its database owns, and must not reach those of another study beside it."""
    return Path(database).with_suffix(".media")


class Copies(Protocol):
    """Where else pictures and questions are: with the models."""

    def forget(self, jobs: Iterable[str], pictures: Iterable[str]) -> None:
        """Let go of jobs, by key, and of pictures, by SHA-256, as far as that can be done now. Never raises."""


class MediaStore:
    """``put`` and ``get`` make it a `pipeline.types.ImageStore`; pages use ``keep`` and ``read``."""

    def __init__(self, folder: str | Path, store: Store, copies: Copies | None = None) -> None:
        """``copies`` hears of withdrawals; None where no models are at hand, as on the command line."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._pictures = store.pictures
        self._copies = copies

    def put(self, png: bytes) -> str:
        """Store PNG bytes (atomically), return their SHA-256. Raises ValueError when it is not a PNG. One writer of a
        picture at a time: `keep` sees to that."""
        if not png.startswith(PNG):
            raise ValueError("Not a PNG: pictures are decoded and re-encoded before they are stored.")
        sha256 = hashlib.sha256(png).hexdigest()
        path = self.path_of(sha256)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            _write_atomically(path, png)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Raises KeyError when there is no such picture."""
        if not SHA256.match(sha256):
            raise KeyError(sha256)
        try:
            return self.path_of(sha256).read_bytes()
        except FileNotFoundError:
            raise KeyError(sha256) from None

    def has(self, sha256: str) -> bool:
        """Whether somebody's picture is kept under this name."""
        return SHA256.match(sha256) is not None and self.path_of(sha256).exists()

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

    def withdraw(self, participant: str) -> Erased:
        """Withdrawal: photos, pictures, chat and answers of the participant are erased, in the database and the backups
        that migrations left beside it, on disk and with the models; a tombstone stays (`study_app.study.withdrawal`).
        Pictures another participant owns stay. Idempotent."""
        erased = self._pictures.withdraw(participant, self._erase)
        if self._copies is not None:
            self._copies.forget(erased.jobs, erased.pictures)
        return erased

    def _erase(self, pictures: Iterable[str]) -> None:
        """Under the write lock, so no picture is being written: every draft was left by a process that was killed."""
        for sha256 in pictures:
            self.path_of(sha256).unlink(missing_ok=True)
        for draft in self.folder.glob(f"*/*{DRAFT}"):
            draft.unlink(missing_ok=True)

    def path_of(self, sha256: str) -> Path:
        """Where the picture is, or would be."""
        return self.folder / sha256[:2] / f"{sha256}.png"


def _write_atomically(path: Path, content: bytes) -> None:
    """After a power loss the file is complete or not there: contents, then name, then folder are flushed."""
    draft = path.with_name(path.name + DRAFT)
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
