"""A seed -> one phantom: skin of a type, a condition on it, a light, and a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from pipeline.phantom.canvas import Canvas, Rng, noise
from pipeline.phantom.lesions import PAINTERS
from pipeline.phantom.optics import MELANIN_BY_TYPE, Field, encode, reflectance
from pipeline.phantom.words import caption_of

HELD_OUT = "keloid"
"""The condition that no base model is trained on: only its LoRA knows it."""

LABELS: tuple[str, ...] = tuple(label for label in PAINTERS if label != HELD_OUT)
"""The closed label set of the embedded models, named as in Fitzpatrick17k."""

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
    """(size, size), True on lesion."""
    concepts: tuple[str, ...]
    """SKINCON concepts shown in this picture."""
    caption: str


def draw(seed: int, size: int = 96, label: str | None = "", skin_type: int | None = None) -> Phantom:
    """Draw the phantom of ``seed``: the same seed is the same scene at every size.

    seed: any non-negative integer
    size: pixels on a side, 32 or more
    label: one of `PAINTERS`, None for clear skin, "" to let the seed choose among `LABELS`
    skin_type: Fitzpatrick type 1 to 6, or None to let the seed choose
    Raises ValueError for an unknown label, type, or a size below 32.
    """
    if size < 32:
        raise ValueError(f"size is {size}; a phantom needs at least 32 pixels")
    rng = np.random.default_rng([0x5C1, seed])
    chosen_label, chosen_type = str(rng.choice(LABELS)), int(rng.integers(1, 7))
    label = chosen_label if label == "" else label
    skin_type = chosen_type if skin_type is None else skin_type
    if label is not None and label not in PAINTERS:
        raise ValueError(f"no phantom of {label!r}; there are {', '.join(PAINTERS)}")
    if skin_type not in SKIN_TYPES:
        raise ValueError(f"skin type is {skin_type}; Fitzpatrick types are 1 to 6")
    canvas = _skin(rng, size, skin_type)
    if label is not None:
        PAINTERS[label](canvas, rng)
    image = _photograph(canvas, rng, seed)
    concepts = tuple(dict.fromkeys(canvas.concepts))
    return Phantom(seed, label, skin_type, image, canvas.mask > 0.5, concepts, caption_of(skin_type, concepts))


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


def _photograph(c: Canvas, rng: Rng, seed: int) -> NDArray[np.uint8]:
    linear = reflectance(
        np.clip(c.melanin, 0.001, 0.9),
        np.clip(c.blood, 0.001, 0.2),
        np.clip(c.saturation, 0.05, 0.95),
        c.deep,
    )
    # scale and pus lie on or in the skin: on dark skin they are seen through more melanin
    veil = 0.45 + 0.55 * min(1.0, float(linear.mean()) / 0.35)
    keratin, pus = np.clip(c.keratin, 0, 1)[..., None], np.clip(c.pus, 0, 1)[..., None]
    linear = linear * (1 - 0.75 * keratin) + np.array([0.70, 0.66, 0.62], dtype=np.float32) * 0.75 * veil * keratin
    linear = linear * (1 - pus) + np.array([0.70, 0.60, 0.36], dtype=np.float32) * veil * pus
    linear = linear + np.float32(0.022)  # what the surface itself mirrors (Fresnel), colourless
    linear = _light(c, rng, linear)
    linear = _hairs(rng, c.size, linear)
    # a camera that half-compensates: dark skin stays dark, but no photo is black or burnt out
    exposure = 0.82 * float(linear.mean()) ** -0.45 * 0.33**0.45 * float(rng.uniform(0.9, 1.1))
    cast = np.array([rng.normal(1, 0.025), 1.0, rng.normal(1, 0.035)], dtype=np.float32)
    blur = float(rng.uniform(0.0, 0.7)) * c.size / 96
    linear = gaussian_filter(linear * exposure * cast, (blur, blur, 0)) if blur > 0.2 else linear * exposure * cast
    sensor = np.random.default_rng([0x5C2, seed])
    grain = sensor.standard_normal(linear.shape).astype(np.float32) * float(rng.uniform(0.003, 0.012))
    return encode(linear + grain * np.sqrt(np.clip(linear, 0.02, 1)))


def _light(c: Canvas, rng: Rng, linear: Field) -> Field:
    """Lambert shading of relief and body shape, a soft gradient, and shine."""
    turn = float(rng.uniform(0, 2 * np.pi))
    lx, ly = np.cos(turn), np.sin(turn)
    relief = c.height + noise(rng, c.size, 24, 2) * 0.07
    gy, gx = np.gradient(gaussian_filter(relief, c.size / 160))
    slope = (gx * lx + gy * ly).astype(np.float32) * np.float32(c.size / 96)
    y, x = np.meshgrid(*(np.linspace(-1, 1, c.size, dtype=np.float32),) * 2, indexing="ij")
    body = 1 + float(rng.uniform(0.0, 0.22)) * (x * lx + y * ly)
    axis = float(rng.uniform(0, np.pi))  # a limb is a cylinder: darker towards its sides
    limb = 1 - float(rng.choice([0, 0.1, 0.25])) * (x * np.cos(axis) + y * np.sin(axis)) ** 2
    shine = np.clip(slope * 3 - 0.25, 0, 1) * c.gloss * 0.3 + c.mirror
    return np.asarray(
        linear * (np.clip(1 + slope * 0.9, 0.45, 1.6) * body * limb)[..., None] + shine[..., None],
        dtype=np.float32,
    )


def _hairs(rng: Rng, size: int, linear: Field) -> Field:
    count = int(rng.integers(4, 22)) if rng.random() < 0.45 else 0
    if count == 0:
        return linear
    scale = 4
    sheet = Image.new("L", (size * scale // 2, size * scale // 2), 0)
    pen = ImageDraw.Draw(sheet)
    lie = float(rng.uniform(0, 2 * np.pi))
    side = sheet.size[0]
    for _ in range(count):
        x, y = rng.uniform(0, 1, 2)
        turn, bend, length = lie + rng.normal(0, 0.35), rng.normal(0, 1.0), rng.uniform(0.12, 0.4)
        points = []
        for t in np.linspace(0, 1, 9):
            points.append((x * side, y * side))
            x, y = x + np.cos(turn + bend * t) * length / 8, y + np.sin(turn + bend * t) * length / 8
        pen.line(points, fill=int(rng.uniform(90, 200)), width=max(1, round(side / 190)))
    cover = np.asarray(sheet.resize((size, size), Image.Resampling.BOX), dtype=np.float32)[..., None] / 255
    return np.asarray(linear * (1 - cover) + np.array([0.03, 0.022, 0.018], dtype=np.float32) * cover, dtype=np.float32)
