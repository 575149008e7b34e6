"""Pictures, only when asked for: under their content hash, which the tables name, never under a person's number.

``photos/`` has what participants chose or uploaded, ``pictures/`` what they were shown: cases and pictures drawn on
their photos.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator

from study_app.study.export.tables import SCHEMA
from study_app.study.media import MediaStore

CHOSEN = f"""
    SELECT photo FROM {SCHEMA}.exposures UNION SELECT photo FROM {SCHEMA}.photo_exchanges
    UNION SELECT new_photo FROM {SCHEMA}.photo_exchanges"""


def owned(conn: sqlite3.Connection) -> int:
    """How many pictures belong to the participants of the export."""
    return int(conn.execute("SELECT count(DISTINCT sha256) FROM media_owner").fetchone()[0])


def pictures(conn: sqlite3.Connection, media: MediaStore) -> Iterator[tuple[str, bytes | None]]:
    """(name in the ZIP, PNG), one at a time; None for a file that is gone or is not what its name says."""
    chosen = {row[0] for row in conn.execute(CHOSEN)}
    for (sha256,) in conn.execute("SELECT DISTINCT sha256 FROM media_owner ORDER BY sha256"):
        folder = "photos" if sha256 in chosen else "pictures"
        yield f"{folder}/{sha256}.png", _intact(media, sha256)


def _intact(media: MediaStore, sha256: str) -> bytes | None:
    try:
        png = media.get(sha256)
    except KeyError:
        return None
    return png if hashlib.sha256(png).hexdigest() == sha256 else None
