"""What was measured before: an evaluation that was broken off goes on with the parts that it had not finished.

A part's figures are kept under a digest of all that they follow from: the code, the libraries, the profile, and the
files of those models that the part asks. So a change of the drawings leaves the figures of the words as they are, and
a change of the words measures anew everything in which they are read. Seconds and memory are never kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from pipeline.evaluation.figures import Figure
from pipeline.profile import Profile
from pipeline.weights import fingerprint_of, sha256_of

WORK = Path(".cache/evaluation")
CODE = Path(__file__).resolve().parents[1]

ASKED: dict[str, tuple[str, ...]] = {
    "seeing": ("diagnose", "caption"),
    "talking": ("diagnose",),
    "abstaining": ("diagnose",),
    "masking": ("detect", "segment"),
    "retrieving": ("diagnose", "caption", "clip", "cases"),
    "drawing": ("diagnose", "caption", "detect", "segment", "clip", "cases", "generate", "adapters"),
}
"""The roles that each part asks; tests take the other models away and let it run."""

JUDGES = {"drawing": ("judge", "dino")}
"""Folders of the pack that no role names"""

_CODE_KINDS = (".py", ".txt", ".yaml")
_LIBRARIES = ("torch", "diffusers", "transformers", "peft", "numpy", "pillow")


def key(part: str, profile: Profile, photos: Path | None, sizes: Sequence[int]) -> str:
    """What ``part``'s figures follow from, in hex.

    photos: folder of real photographs, read where abstaining is measured; sizes: how many phantoms. Raises
    ProfileError when weights are missing.
    """
    folders = [profile.folder(role) for role in ASKED[part]] + [profile.root / one for one in JUDGES.get(part, ())]
    asked: dict[str, object] = {
        "part": part,
        "sizes": list(sizes),
        "profile": {"settings": profile.settings, "knowledge": [asdict(about) for about in profile.knowledge]},
        "models": {folder.name: _digest(sorted(folder.rglob("*")), folder) for folder in folders},
        "photos": _digest(sorted(photos.iterdir()), photos) if photos and part == "abstaining" else None,
        "code": _digest(_code(), CODE),
        "libraries": {library: version(library) for library in _LIBRARIES},
    }
    return sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def read(part: str, under: str) -> tuple[Figure, ...] | None:
    """The figures of ``part`` measured under this key; None when there are none that can be read."""
    try:
        return tuple(Figure.from_json(row) for row in json.loads(_file(part, under).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write(part: str, under: str, figures: Sequence[Figure]) -> None:
    """Keep what was measured; older figures of the part stay, as weights may come back."""
    file = _file(part, under)
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".part")
    beside.write_text(json.dumps([figure.as_json() for figure in figures], indent=1) + "\n")
    beside.replace(file)  # whole or not at all: the run may be killed here


def _file(part: str, under: str) -> Path:
    return WORK / f"{part}-{under[:16]}.json"


def _code() -> list[Path]:
    """The package's own text; packs and profiles are asked for by themselves."""
    aside = {CODE / "packs", CODE / "profiles"}
    return [p for p in sorted(CODE.rglob("*")) if p.suffix in _CODE_KINDS and aside.isdisjoint(p.parents)]


def _digest(paths: Iterable[Path], root: Path) -> str:
    return fingerprint_of((sha256_of(p), p.relative_to(root).as_posix()) for p in paths if p.is_file())
