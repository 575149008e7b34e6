"""Training sets of phantoms, drawn once and kept as memory-mapped arrays under ``.cache``.

Seeds are cut into ranges that never meet, so that nothing is tested on what it was trained on.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.phantom import HELD_OUT, LABELS, draw
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
}
"""First seed of each range."""

CACHE = Path(".cache/phantoms")
CONCEPTS: tuple[str, ...] = tuple(PHRASES)


@dataclass(frozen=True)
class Phantoms:
    """``n`` phantoms in columns."""

    images: NDArray[np.uint8]
    """(n, SIZE, SIZE, 3)"""
    masks: NDArray[np.bool_]
    """(n, SIZE, SIZE)"""
    labels: NDArray[np.int64]
    """(n,) index into `LABELS`; -1 is clear skin, len(LABELS) the held-out condition"""
    skin_types: NDArray[np.int64]
    """(n,) 1 to 6"""
    concepts: NDArray[np.bool_]
    """(n, len(CONCEPTS))"""
    captions: list[str]

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, i: int) -> str | None:
        index = int(self.labels[i])
        return None if index < 0 else (*LABELS, HELD_OUT)[index]


def _plan(kind: str, n: int, label: str | None, clear: float) -> list[tuple[int, str | None, int]]:
    """(seed, label, skin type) for each: labels and types in turn, every k-th one clear skin."""
    every = round(1 / clear) if clear else 0
    plan: list[tuple[int, str | None, int]] = []
    for i in range(n):
        chosen = label if label else LABELS[i % len(LABELS)]
        plan.append((SEEDS[kind] + i, None if every and i % every == every - 1 else chosen, i // len(LABELS) % 6 + 1))
    return plan


def _draw_part(
    part: list[tuple[int, str | None, int]],
) -> list[tuple[NDArray[np.uint8], NDArray[np.bool_], tuple[str, ...], str]]:
    drawn = (draw(seed, SIZE, label, skin_type) for seed, label, skin_type in part)
    return [(p.image, p.mask, p.concepts, p.caption) for p in drawn]


def phantoms(kind: str, n: int, label: str | None = None, clear: float = 0.0) -> Phantoms:
    """``n`` phantoms of the seed range ``kind``, balanced over labels and skin types.

    ``label`` draws one condition only; ``clear`` is the share without any. The first call draws them on
    all cores (7 ms each on one), later calls map the cached files.
    """
    folder = CACHE / f"{kind}-{n}-{(label or 'all').replace(' ', '_')}-{clear:g}"
    plan = _plan(kind, n, label, clear)
    if not (folder / "done.json").exists():
        _draw_all(folder, plan)
    words = json.loads((folder / "done.json").read_text())
    names = (*LABELS, HELD_OUT)
    concepts = np.zeros((n, len(CONCEPTS)), dtype=np.bool_)
    for i, row in enumerate(words["concepts"]):
        concepts[i, [CONCEPTS.index(c) for c in row]] = True
    return Phantoms(
        np.load(folder / "images.npy", mmap_mode="r"),
        np.load(folder / "masks.npy", mmap_mode="r"),
        np.array([-1 if lab is None else names.index(lab) for _, lab, _ in plan]),
        np.array([skin_type for _, _, skin_type in plan]),
        concepts,
        words["captions"],
    )


def _draw_all(folder: Path, plan: list[tuple[int, str | None, int]]) -> None:
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
