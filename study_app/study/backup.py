"""A backup on request: the database and its pictures, of one moment, under names that fit each other."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from study_app.study.media import MediaStore, folder_of
from study_app.study.store import Store


@dataclass(frozen=True)
class Backup:
    """``database`` and ``folder`` stand to each other as study.db to study.media. ``lacking``: pictures of the database
    that are not on disk (any more)."""

    database: Path
    folder: Path
    pictures: int
    lacking: int


def write_backup(store: Store, media: MediaStore, target: Path) -> Backup:
    """Copy the database consistently, also while the app is running, and every picture that it names. Both are complete
    under their names or not there at all. Raises FileExistsError, NotSaved, OSError.

    On the same file system pictures are hard links, which cost neither time nor room: a picture is written once and
    never changed, so the copy stays when the study erases its own."""
    folder = folder_of(target)
    for taken in (target, folder):
        if taken.exists():
            raise FileExistsError(f"{taken} exists; choose another name")
    database_draft, folder_draft = (path.with_name(path.name + ".unfinished") for path in (target, folder))
    try:
        _remove(database_draft, folder_draft)  # a former attempt was killed
        store.database.backup(database_draft)
        named = _pictures_of(database_draft)
        copied = sum(_copied(media.path_of(sha256), folder_draft) for sha256 in named)
        if copied:
            os.replace(folder_draft, folder)
        os.replace(database_draft, target)
    finally:
        _remove(database_draft, folder_draft)
    return Backup(target, folder, copied, len(named) - copied)


def _pictures_of(database: Path) -> tuple[str, ...]:
    """By the copy: pictures that come meanwhile belong to the next backup."""
    with closing(sqlite3.connect(database)) as conn:
        return tuple(row[0] for row in conn.execute("SELECT DISTINCT sha256 FROM media_owner ORDER BY sha256"))


def _copied(picture: Path, folder: Path) -> bool:
    """False when it is not there: withdrawn meanwhile, or never written because the app was killed."""
    target = folder / picture.parent.name / picture.name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(picture, target)
    except FileNotFoundError:
        return False
    except OSError:  # another file system, or one without hard links
        try:
            shutil.copy2(picture, target)
        except FileNotFoundError:
            return False
    return True


def _remove(database: Path, folder: Path) -> None:
    database.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
