"""The embedded case library and the gallery of photos that participants may choose, both drawn as phantoms."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.casefile import write_vectors
from pipeline.diagnose import SkinGPT
from pipeline.phantom import LABELS, Phantom, draw
from pipeline.retrieve import ClipEmbedder
from pipeline.training.data import SEEDS
from pipeline.training.session import Session
from pipeline.training.text import PROMPT
from pipeline.weights import fingerprint

CASE_SIZE, GALLERY_SIZE = 192, 384
PER_CELL = 4
"""Cases for each condition and skin type. With two, precision at 4 by label was 0.91; with four 0.99 (192 photos)."""


def _save(phantom: Phantom, path: Path, quality: int = 88) -> None:
    """JPEG or, at half the size, WebP, as the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(phantom.image).save(path, quality=quality)


def build_cases(pack: Path) -> None:
    """``cases/``: `PER_CELL` phantoms of every condition on every skin type, with CLIP vectors of image and prompt."""
    folder, clip = pack / "cases", ClipEmbedder.load(pack / "clip")
    cells = [(label, t) for label in LABELS for t in range(1, 7) for _ in range(PER_CELL)]
    drawn = [draw(SEEDS["cases"] + i, CASE_SIZE, label, t) for i, (label, t) in enumerate(cells)]
    rows: list[dict[str, Any]] = []
    shutil.rmtree(folder / "images", ignore_errors=True)  # of an earlier library
    for i, phantom in enumerate(drawn):
        file = f"images/{i:03d}.webp"
        _save(phantom, folder / file, quality=84)
        rows.append({"id": f"C{i:03d}", "label": phantom.label, "caption": phantom.caption, "file": file,
                     "skin_type": phantom.skin_type, "seed": phantom.seed})  # fmt: skip
    images = clip.images([Image.open(folder / r["file"]).convert("RGB") for r in rows])
    texts = clip.texts([PROMPT.format(label=r["label"], caption=r["caption"]) for r in rows])
    (folder / "cases.json").write_text(json.dumps(rows, indent=1) + "\n")
    write_vectors(folder, images, texts, fingerprint(pack / "clip"))


def _is_familiar(skingpt: SkinGPT, phantom: Phantom, path: Path) -> bool:
    """Save the phantom and look at the file, as the app will."""
    _save(phantom, path)
    return skingpt.is_familiar(skingpt.see(Image.open(path).convert("RGB")))


def build_gallery(pack: Path, most: int = 18) -> None:
    """``gallery/``: photos offered to participants, over conditions and skin types; the label is not shown to them.

    A phantom on whose file the pack's SkinGPT abstains is passed over: an offered photo should get an answer. That
    answer may still be wrong; nobody looked at it here.
    """
    folder = pack / "gallery"
    skingpt = SkinGPT.load(pack / "skingpt", LABELS)
    rows: list[dict[str, Any]] = []
    for i in range(most):
        seeds = range(SEEDS["gallery"] + i, SEEDS["gallery"] + i + 100 * most, most)
        drawn = (draw(seed, GALLERY_SIZE, LABELS[(5 * i) % len(LABELS)], i % 6 + 1) for seed in seeds)
        path = folder / f"{i + 1:02d}.jpg"
        phantom = next(p for p in drawn if _is_familiar(skingpt, p, path))
        rows.append({"id": f"G{i + 1:02d}", "file": f"{i + 1:02d}.jpg", "label": phantom.label,
                     "skin_type": phantom.skin_type, "seed": phantom.seed})  # fmt: skip
    (folder / "gallery.json").write_text(json.dumps(rows, indent=1) + "\n")


def run(session: Session) -> None:
    """Write ``cases/`` and ``gallery/`` (nothing is trained: steps have no meaning here)."""
    build_cases(session.pack)
    build_gallery(session.pack)
