"""The model server's pictures: PNG files in one folder, named by the SHA-256 of their bytes.

Participants' photos pass through here. The app's media store is where they live, for as long as the participant has
not withdrawn; here a picture is erased when the app says so, and at the latest `KEEP_S` seconds after its last use.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
        """``keep_s``: seconds since its last use after which `sweep` deletes a picture."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._keep_s = keep_s
        self._swept = time.monotonic()
        self._lock = threading.Lock()
        self._noted = threading.local()

    def put(self, png: bytes) -> str:
        """Store PNG bytes, return their SHA-256. Raises ValueError when they are not a PNG."""
        png_size(png)
        sha256 = hashlib.sha256(png).hexdigest()
        path = self._path(sha256)
        noted: set[str] | None = getattr(self._noted, "names", None)
        if noted is not None:
            noted.add(sha256)
        if not self._used(path):
            descriptor, draft = tempfile.mkstemp(dir=self.folder, suffix=".part")
            with os.fdopen(descriptor, "wb") as file:
                file.write(png)
            os.replace(draft, path)  # a reader sees the whole picture or none
        return sha256

    @contextmanager
    def noting(self, names: set[str]) -> Iterator[None]:
        """While the context is open, what this thread puts is added to ``names``, before its file is written."""
        self._noted.names = names
        try:
            yield
        finally:
            self._noted.names = None

    def get(self, sha256: str) -> bytes:
        """Raises KeyError when there is no such picture."""
        if not is_sha256(sha256):
            raise KeyError(sha256)
        path = self._path(sha256)
        try:
            png = path.read_bytes()
        except FileNotFoundError:
            raise KeyError(sha256) from None
        self._used(path)
        return png

    def __contains__(self, sha256: str) -> bool:
        """True counts as a use: the picture stays for another ``keep_s``."""
        return is_sha256(sha256) and self._used(self._path(sha256))

    def erase(self, sha256: str) -> None:
        """Nothing where there is no such picture."""
        if is_sha256(sha256):
            self._path(sha256).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Delete what nobody has used for ``keep_s``. Looks once a minute at most, however often it is called."""
        if time.monotonic() - self._swept < min(_SWEEP_EVERY_S, self._keep_s):
            return
        self._swept = time.monotonic()
        oldest = time.time() - self._keep_s
        for path in self.folder.glob("*.p*"):
            with self._lock:
                if _older(path, oldest):
                    path.unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.png"

    def _used(self, path: Path) -> bool:
        """Whether the picture is there; its time begins anew."""
        with self._lock:
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
