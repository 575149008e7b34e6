"""The model server's pictures: PNG files in one folder, named by the SHA-256 of their bytes.

Participants' photos pass through here, so pictures nobody has used for `KEEP_S` seconds are deleted;
the app's media store is where they live, for as long as the participant has not withdrawn.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import tempfile
import threading
import time
from pathlib import Path

KEEP_S = 2 * 3600.0
_SWEEP_EVERY_S = 60.0
_NAME = re.compile(r"[0-9a-f]{64}")
_MAGIC = b"\x89PNG\r\n\x1a\n"


def is_sha256(name: str) -> bool:
    """True for 64 lower-case hex digits: nothing else ever becomes part of a path."""
    return _NAME.fullmatch(name) is not None


def png_size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels from a PNG's header. Raises ValueError when it is not a PNG."""
    if not png.startswith(_MAGIC) or png[12:16] != b"IHDR" or len(png) < 33:
        raise ValueError("not a PNG")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


class DiskImages:
    """A `pipeline.types.ImageStore` in a folder. Safe to use from several threads."""

    def __init__(self, folder: str | Path, keep_s: float = KEEP_S) -> None:
        """``keep_s``: seconds since its last use after which a picture may be deleted."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._keep_s = keep_s
        self._kept: frozenset[str] = frozenset()
        self._swept = time.monotonic()
        self._lock = threading.Lock()

    def put(self, png: bytes) -> str:
        """Store PNG bytes, return their SHA-256. Raises ValueError when they are not a PNG."""
        png_size(png)
        sha256 = hashlib.sha256(png).hexdigest()
        path = self._path(sha256)
        if not _touched(path):
            descriptor, draft = tempfile.mkstemp(dir=self.folder, suffix=".part")
            with os.fdopen(descriptor, "wb") as file:
                file.write(png)
            os.replace(draft, path)  # a reader sees the whole picture or none
        self._sweep()
        return sha256

    def get(self, sha256: str) -> bytes:
        """Raises KeyError when there is no such picture."""
        if not is_sha256(sha256):
            raise KeyError(sha256)
        path = self._path(sha256)
        try:
            png = path.read_bytes()
        except FileNotFoundError:
            raise KeyError(sha256) from None
        _touched(path)
        return png

    def __contains__(self, sha256: str) -> bool:
        """True counts as a use: the picture stays for another ``keep_s``."""
        return is_sha256(sha256) and _touched(self._path(sha256))

    def keep_present(self) -> None:
        """Never delete what is stored now: the case library, put here while the models were loaded."""
        self._kept = frozenset(path.stem for path in self.folder.glob("*.png"))

    def _path(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.png"

    def _sweep(self) -> None:
        with self._lock:
            if time.monotonic() - self._swept < min(_SWEEP_EVERY_S, self._keep_s):
                return
            self._swept = time.monotonic()
        oldest = time.time() - self._keep_s
        for path in self.folder.glob("*.p*"):
            if path.stem not in self._kept and _older(path, oldest):
                path.unlink(missing_ok=True)


def _touched(path: Path) -> bool:
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _older(path: Path, stamp: float) -> bool:
    try:
        return path.stat().st_mtime < stamp
    except FileNotFoundError:
        return False
