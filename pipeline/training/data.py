"""Training sets of phantoms, drawn once and kept as memory-mapped arrays under ``.cache``.

Seeds are cut into ranges that never meet, so that nothing is tested on what it was trained on.
"""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import phantom
from pipeline.phantom import HELD_OUT, LABELS, STRANGE, draw
from pipeline.wording import PHRASES

SIZE = 96
"""Pixels on a side of everything the embedded models see."""

SEEDS = {
    "train": 0,
    "validate": 50_000_000,
    "test": 100_000_000,
    "gallery": 200_000_000,
    "cases": 300_000_000,
    "held_out": 400_000_000,
    "judge": 500_000_000,
    "strange": 600_000_000,
}
"""First seed of each range."""

CACHE = Path(".cache/phantoms")
CONCEPTS: tuple[str, ...] = tuple(PHRASES)


@dataclass(frozen=True)
class Phantoms:
    """``n`` phantoms in columns."""

    name: str
    """Of the set: another name for other phantoms, and for the same drawn by other code"""
    images: NDArray[np.uint8]
    """(n, SIZE, SIZE, 3)"""
    masks: NDArray[np.bool_]
    """(n, SIZE, SIZE)"""
    labels: NDArray[np.int64]
    """(n,) index into `LABELS`; -1 is clear skin, len(LABELS) the held-out condition, one more a strange lesion"""
    skin_types: NDArray[np.int64]
    """(n,) 1 to 6"""
    concepts: NDArray[np.bool_]
    """(n, len(CONCEPTS))"""
    captions: list[str]

    def __len__(self) -> int:
        return len(self.labels)

    def condition(self, i: int) -> str | None:
        index = int(self.labels[i])
        return None if index < 0 else (*LABELS, HELD_OUT, STRANGE)[index]


Planned = tuple[int, str | None, int, float]
"""Seed, label, skin type, extent: what `draw` needs to know of one phantom."""


def _plan(kind: str, n: int, label: str | None, clear: float, least_extent: float) -> list[Planned]:
    """Labels and types in turn, every k-th one clear skin, extents as their seeds have it."""
    every = round(1 / clear) if clear else 0
    plan: list[Planned] = []
    for i in range(n):
        seed = SEEDS[kind] + i
        chosen = label if label else LABELS[i % len(LABELS)]
        extent = float(np.random.default_rng([0x5C4, seed]).uniform(least_extent, 1))
        plan.append((seed, None if every and i % every == every - 1 else chosen, i // len(LABELS) % 6 + 1, extent))
    return plan


def _draw_part(part: list[Planned]) -> list[tuple[NDArray[np.uint8], NDArray[np.bool_], tuple[str, ...], str]]:
    drawn = (draw(seed, SIZE, label, skin_type, extent) for seed, label, skin_type, extent in part)
    return [(p.image, p.mask, p.concepts, p.caption) for p in drawn]


def phantoms(kind: str, n: int, label: str | None = None, clear: float = 0.0, least_extent: float = 1.0) -> Phantoms:
    """``n`` phantoms of the seed range ``kind``; labels and skin types take turns.

    ``label`` draws one condition only (`HELD_OUT` and `STRANGE` too); ``clear`` is the share without any, which takes
    the place of some labels more often than of others (of every twentieth: four of sixteen are shown a fifth less
    often); the affected skin takes up from ``least_extent`` to all of the picture's side. The first call draws them on
    all cores (7 ms each on one), later calls map the cached files.
    """
    which = f"{kind}-{n}-{(label or 'all').replace(' ', '_')}-{clear:g}-{least_extent:g}"
    name = f"{which}-{_drawing()[:8]}"
    folder = CACHE / name
    plan = _plan(kind, n, label, clear, least_extent)
    if not (folder / "done.json").exists():
        _draw_all(folder, plan)
    words = json.loads((folder / "done.json").read_text())
    names = (*LABELS, HELD_OUT, STRANGE)
    concepts = np.zeros((n, len(CONCEPTS)), dtype=np.bool_)
    for i, row in enumerate(words["concepts"]):
        concepts[i, [CONCEPTS.index(c) for c in row]] = True
    return Phantoms(
        name,
        np.load(folder / "images.npy", mmap_mode="r"),
        np.load(folder / "masks.npy", mmap_mode="r"),
        np.array([-1 if lab is None else names.index(lab) for _, lab, _, _ in plan]),
        np.array([skin_type for _, _, skin_type, _ in plan]),
        concepts,
        words["captions"],
    )


@cache
def _drawing() -> str:
    """SHA-256 of the code that draws, in hex: what it drew before it was changed is drawn again."""
    files = sorted(Path(phantom.__file__).parent.glob("*.py"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _draw_all(target: Path, plan: list[Planned]) -> None:
    folder = target.with_name(f"{target.name}.{os.getpid()}")  # two trainings may draw the same set at once
    folder.mkdir(parents=True, exist_ok=True)
    parts = [plan[i : i + 100] for i in range(0, len(plan), 100)]
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (len(plan), SIZE, SIZE, 3))
    masks = np.lib.format.open_memmap(folder / "masks.npy", "w+", np.bool_, (len(plan), SIZE, SIZE))
    concepts: list[tuple[str, ...]] = []
    captions: list[str] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for part in pool.map(_draw_part, parts):
            for image, mask, shown, caption in part:
                images[len(captions)], masks[len(captions)] = image, mask
                concepts.append(shown)
                captions.append(caption)
    images.flush()
    masks.flush()
    (folder / "done.json").write_text(json.dumps({"concepts": concepts, "captions": captions}))
    try:
        folder.rename(target)
    except OSError:  # the other one was first
        shutil.rmtree(folder)
