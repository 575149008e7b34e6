"""A seed -> one phantom: skin of a type, a condition on it, a light, and a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.phantom.canvas import Canvas, Rng, noise, paint_within
from pipeline.phantom.lesions import PAINTERS
from pipeline.phantom.oddity import oddity
from pipeline.phantom.optics import MELANIN_BY_TYPE
from pipeline.phantom.photograph import photograph
from pipeline.phantom.words import caption_of

HELD_OUT = "keloid"
"""The condition that no base model is trained on: only its LoRA knows it."""

LABELS: tuple[str, ...] = tuple(label for label in PAINTERS if label != HELD_OUT)
"""The closed label set of the embedded models, named as in Fitzpatrick17k."""

STRANGE = "strange"
"""Lesions that are no condition (`pipeline.phantom.oddity`): what models learn to refuse."""

SKIN_TYPES = (1, 2, 3, 4, 5, 6)


@dataclass(frozen=True)
class Phantom:
    """A drawn photograph of skin, with everything about it known."""

    seed: int
    label: str | None
    """Condition, or None for clear skin."""
    skin_type: int
    """Fitzpatrick type, 1 to 6."""
    image: NDArray[np.uint8]
    """(size, size, 3), sRGB."""
    mask: NDArray[np.bool_]
    """(size, size), True on lesion that can be seen: not where a ruler or the end of a limb hides it."""
    concepts: tuple[str, ...]
    """SKINCON concepts shown in this picture."""
    caption: str


def draw(
    seed: int, size: int = 96, label: str | None = "", skin_type: int | None = None, extent: float = 1.0
) -> Phantom:
    """Draw the phantom of ``seed``: the same seed is the same scene at every size.

    seed: any non-negative integer
    size: pixels on a side, 32 or more
    label: one of `PAINTERS`, `STRANGE`, None for clear skin, "" to let the seed choose among `LABELS`
    skin_type: Fitzpatrick type 1 to 6, or None to let the seed choose
    extent: 0.3 to 1, the part of the picture's side that the affected skin may take up: how far the camera is
    Raises ValueError for an unknown label, type or extent, or a size below 32.
    """
    if size < 32:
        raise ValueError(f"size is {size}; a phantom needs at least 32 pixels")
    rng = np.random.default_rng([0x5C1, seed])
    chosen_label, chosen_type = str(rng.choice(LABELS)), int(rng.integers(1, 7))
    label = chosen_label if label == "" else label
    skin_type = chosen_type if skin_type is None else skin_type
    painters = PAINTERS | {STRANGE: oddity}
    if label is not None and label not in painters:
        raise ValueError(f"no phantom of {label!r}; there are {', '.join(painters)}")
    if skin_type not in SKIN_TYPES:
        raise ValueError(f"skin type is {skin_type}; Fitzpatrick types are 1 to 6")
    if not 0.3 <= extent <= 1:
        raise ValueError(f"extent is {extent}; it is 0.3 to 1 of the picture's side")
    # streams of their own: the skin and the photograph of a seed are the same with and without a lesion
    canvas = _skin(np.random.default_rng([0x5C1, seed, 1]), size, skin_type)
    if label is not None:
        if extent < 1:
            paint_within(canvas, lambda part: painters[label](part, rng), extent, seed)
        else:
            painters[label](canvas, rng)
    image, mask = photograph(canvas, np.random.default_rng([0x5C1, seed, 2]), seed)
    concepts = tuple(dict.fromkeys(canvas.concepts))
    return Phantom(seed, label, skin_type, image, mask, concepts, caption_of(skin_type, concepts))


def _skin(rng: Rng, size: int, skin_type: int) -> Canvas:
    low, high = MELANIN_BY_TYPE[skin_type - 1]
    melanin = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    blood = float(rng.uniform(0.011, 0.022))
    freckled = float(rng.uniform(0.02, 0.07))
    pores = noise(rng, size, 30, 2) * 0.02
    return Canvas.of_skin(
        size,
        np.asarray(melanin * np.exp(freckled * noise(rng, size, 6, 3) + pores), dtype=np.float32),
        np.asarray(blood * np.exp(0.12 * noise(rng, size, 3, 3)), dtype=np.float32),
    )
