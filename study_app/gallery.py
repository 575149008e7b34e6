"""The photos offered to participants who bring none: shipped beside the models, named in gallery.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

PACKS = Path(__file__).resolve().parents[1] / "pipeline" / "packs"


@dataclass(frozen=True)
class GalleryPhoto:
    """What the photo shows is in gallery.json too, and stays out of the page."""

    id: str
    file: Path


def offered(profile: str, packs: Path = PACKS) -> tuple[GalleryPhoto, ...]:
    """The gallery of a profile in its own order; empty when it has none."""
    folder = packs / Path(profile).stem / "gallery"
    listing = folder / "gallery.json"
    if not listing.is_file():
        return ()
    entries = json.loads(listing.read_text(encoding="utf-8"))
    return tuple(GalleryPhoto(str(entry["id"]), folder / Path(entry["file"]).name) for entry in entries)
