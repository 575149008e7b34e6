"""One explanation from the command line: photo file in, folder of files out, no server."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.types import (
    Case,
    CasesFound,
    Diagnosis,
    DiagnosisMade,
    Event,
    Explained,
    GeneratedImage,
    ImagesReady,
    Manifest,
    Mask,
    MaskFound,
    TextDelta,
)


class NotExplained(RuntimeError):
    """The explainer stopped before its end; nothing was written."""


class MemoryImages:
    """A `pipeline.types.ImageStore` that ends with the process."""

    def __init__(self) -> None:
        self._pictures: dict[str, bytes] = {}

    def put(self, png: bytes) -> str:
        sha256 = hashlib.sha256(png).hexdigest()
        self._pictures[sha256] = png
        return sha256

    def get(self, sha256: str) -> bytes:
        return self._pictures[sha256]


@dataclass
class Collected:
    """The stream so far; complete once ``manifest`` is there."""

    text: str = ""
    diagnosis: Diagnosis | None = None
    cases: tuple[Case, ...] = ()
    mask: Mask | None = None
    drawn: tuple[GeneratedImage, ...] = ()
    manifest: Manifest | None = None

    def add(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self.text += text
            case DiagnosisMade(diagnosis):
                self.diagnosis = diagnosis
            case CasesFound(cases):
                self.cases += cases
            case MaskFound(mask):
                self.mask = mask
            case ImagesReady(drawn):
                self.drawn += drawn
            case Explained(manifest):
                self.manifest = manifest
            case _:  # progress: shown, not kept
                pass


def collect(events: Iterable[Event], seen: Callable[[Event], None]) -> Collected:
    """Read a stream to its end, showing each event to ``seen``. Raises NotExplained when it has none."""
    collected = Collected()
    for event in events:
        seen(event)
        collected.add(event)
    if collected.manifest is None:
        raise NotExplained("the models stopped before the answer was complete; nothing was written")
    return collected


def write(collected: Collected, photo: bytes, images: MemoryImages, folder: Path) -> tuple[Path, ...]:
    """Write photo.png, text.md, manifest.json, and what there is of mask.png, mask_overlay.png,
    image_N_LABEL.png and case_N_LABEL.png; returns the paths. Files of another name are left alone."""
    assert collected.manifest is not None, "collect() returns complete streams"
    files: dict[str, bytes] = {"photo.png": photo}
    if collected.mask is not None:
        files["mask.png"] = images.get(collected.mask.image)
        files["mask_overlay.png"] = images.get(collected.mask.overlay)
    for n, case in enumerate(collected.cases, start=1):
        files[f"case_{n}_{_plain(case.label)}.png"] = images.get(case.image)
    for n, drawn in enumerate(collected.drawn, start=1):
        files[f"image_{n}_{_plain(drawn.label)}.png"] = images.get(drawn.image)
    files["text.md"] = (collected.text.strip() + "\n").encode()
    manifest = dataclasses.asdict(collected.manifest)
    files["manifest.json"] = (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return tuple(folder / name for name in files)


def _plain(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
