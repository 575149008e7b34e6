"""<profile>.lock.json: for every role that was downloaded or pinned, the revision and each file's size and SHA-256.

Beside the profile, to be kept with a study: with it, `download` fetches the same bytes again and `check` knows them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.weights import sha256_of

PRIVATE = ".cache"
"""Where the hub's library notes what it has fetched; no part of a model."""


@dataclass(frozen=True)
class PinnedFile:
    size: int
    sha256: str


@dataclass(frozen=True)
class Pinned:
    """What one role's files were."""

    hub: str
    """"" where they came by hand"""
    revision: str
    """The commit, not the branch's name"""
    files: dict[str, PinnedFile]
    """Path below the role's folder; "" where the role is a single file"""
    at: float = field(default_factory=time.time, compare=False)
    """When its files were read, in seconds since 1970; 0 in locks of before it was noted"""

    def unchanged(self, name: str, path: Path) -> bool:
        """Whether ``path`` is the pinned file ``name`` as far as can be told without reading it.

        It has its size, and since then nothing was written there, copied or moved there (ctime; mtime comes along with
        a moved file): weights trained again are as large as before.
        """
        there = path.stat()
        return name in self.files and self.files[name].size == there.st_size and there.st_ctime <= self.at


def files_of(place: Path) -> dict[str, Path]:
    """All files of a role by their path below it."""
    if place.is_file():
        return {"": place}
    found = (path for path in sorted(place.rglob("*")) if path.is_file())
    inside = {path.relative_to(place).as_posix(): path for path in found}
    return {name: path for name, path in inside.items() if not name.startswith(PRIVATE + "/")}


def pin(place: Path, hub: str = "", revision: str = "") -> Pinned:
    """Hash what is there."""
    began = time.time()
    files = {name: PinnedFile(path.stat().st_size, sha256_of(path)) for name, path in files_of(place).items()}
    return Pinned(hub, revision, files, began)


def differences(place: Path, pinned: Pinned) -> Iterator[str]:
    """One sentence per file that is missing or not the pinned one. Files that came in addition are no difference."""
    root = place if place.is_dir() else place.parent
    for name, file in pinned.files.items():
        path = place if not name else root / name
        if not path.is_file():
            yield f"{path} is missing"
        elif path.stat().st_size != file.size or sha256_of(path) != file.sha256:
            yield f"{path} is not the file that was pinned"


def read_lock(path: Path) -> dict[str, Pinned]:
    """By role; empty where nothing was pinned yet. Raises ValueError for a damaged file."""
    if not path.exists():
        return {}
    try:
        return {role: _pinned(row) for role, row in json.loads(path.read_text()).items()}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}); restore it, or remove it and pin again") from error


def _pinned(row: dict[str, Any]) -> Pinned:
    files = {name: PinnedFile(**file) for name, file in row["files"].items()}
    return Pinned(row["hub"], row["revision"], files, float(row.get("at", 0)))


def write_lock(path: Path, pinned: dict[str, Pinned]) -> None:
    """Replace the file in one step."""
    rows = {role: asdict(entry) for role, entry in sorted(pinned.items())}
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps(rows, indent=1) + "\n")
    os.replace(draft, path)
