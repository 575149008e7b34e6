"""A temporary folder for participants' pictures that does not outlive its process, however that ends.

The process holds a lock on its folder. The system gives the lock back when the process dies, so a folder nobody holds
is one that a killed process left, and the next start removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PREFIX = "skingen-locked-"
UNLOCKED = "skingen-pictures-"
"""What versions before the lock made: nobody can tell whether such a folder is in use."""
OLD_S = 24 * 3600.0


class PictureFolder:
    """``path`` exists until `remove`. Making one removes what killed processes left beside it."""

    def __init__(self) -> None:
        remove_abandoned()
        self.path, self._lock = _made_and_locked()

    def empty(self) -> None:
        """Remove what is in it: whoever wrote it has died."""
        for inside in self.path.glob("*"):
            if inside.is_dir() and not inside.is_symlink():
                shutil.rmtree(inside, ignore_errors=True)
            else:
                inside.unlink(missing_ok=True)

    def remove(self) -> None:
        """May be repeated."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def __enter__(self) -> PictureFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def remove_abandoned() -> None:
    """Remove the folders of processes that were killed; other users' folders, and those in use, stay.

    Of folders without a lock those that were not written to for `OLD_S` seconds go: a server of an earlier version may
    be running.
    """
    here = Path(tempfile.gettempdir())
    for folder in here.glob(f"{UNLOCKED}*"):
        with suppress(OSError):
            if folder.is_dir() and not folder.is_symlink() and time.time() - folder.stat().st_mtime > OLD_S:
                shutil.rmtree(folder, ignore_errors=True)
    for folder in here.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another user's, held by its process, or gone meanwhile
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _made_and_locked() -> tuple[Path, int]:
    """Again where another process took the new folder for an abandoned one before it was locked."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY)
            with suppress(OSError):  # a file system without locks: then nobody can lock it to remove it either
                fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)
