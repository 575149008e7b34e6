"""What surrounds the lesion: the shape of the body part, what lies on the skin, and what lies beside it.

Everything here is drawn in -1 to 1 coordinates, so it is the same at every size. What hides a lesion is
taken out of the mask: the mask is what a reader of the picture could outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.phantom.canvas import Rng, coordinates, edge, noise, strokes
from pipeline.phantom.optics import Field

SITES = ("flat", "limb", "limb's edge", "knuckle")
HIDDEN_AT_MOST = 0.12
"""A ruler or the limb's end goes where it hides no more of the lesion than this share, or is left out."""
CLOTHS = ((0.014, 0.014, 0.015), (0.06, 0.06, 0.062), (0.022, 0.05, 0.10), (0.03, 0.075, 0.07))
"""Linear colours of what lies behind a limb: black, grey, blue and green cloth."""
STICKERS = ((0.03, 0.16, 0.50), (0.02, 0.30, 0.12), (0.75, 0.58, 0.04))
"""Linear colours of marker dots: blue, green, yellow; none is a colour of skin."""


@dataclass(frozen=True)
class Body:
    """The large shape under the skin: fields of shape (size, size)."""

    site: str
    tilt_x: Field
    """x component of the surface's unit normal, -1 to 1; 0 faces the camera."""
    tilt_y: Field
    skin: Field
    """0 to 1: 1 on skin, 0 beyond the limb's edge."""


def body(rng: Rng, mask: Field) -> Body:
    """A site of the body chosen by ``rng``; its edge keeps clear of the lesion in ``mask`` (size, size)."""
    size = mask.shape[0]
    site = str(rng.choice(SITES, p=[0.35, 0.3, 0.2, 0.15]))
    turn, radius = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(1.4, 2.2))
    aside, rest = rng.uniform(-0.35, 0.35, 2), float(rng.uniform(0.72, 0.92))
    x, y = coordinates(size)
    skin = np.ones((size, size), dtype=np.float32)
    if site == "flat":
        return Body(site, skin * 0, skin * 0, skin)
    if site == "knuckle":
        tilt_x, tilt_y = (x - aside[0]) / radius, (y - aside[1]) / radius
        steep = np.maximum(np.sqrt(tilt_x**2 + tilt_y**2) / 0.97, 1)
        return Body(site, (tilt_x / steep).astype(np.float32), (tilt_y / steep).astype(np.float32), skin)
    centre = float(aside[0])
    if site == "limb's edge":
        quarter = _clear_side(mask, turn, rest)
        if quarter is None:
            site = "limb"
        else:
            turn, radius = quarter, radius * 0.6
            centre = rest - radius
    across = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
    if site == "limb's edge":
        skin = edge(across, rest, 0.02)
    tilt = np.clip((across - centre) / radius, -0.97, 0.97)
    return Body(site, (tilt * np.cos(turn)).astype(np.float32), (tilt * np.sin(turn)).astype(np.float32), skin)


def _clear_side(mask: Field, turn: float, rest: float) -> float | None:
    """The first of four directions in which almost no lesion lies farther than ``rest`` from the centre."""
    x, y = coordinates(mask.shape[0])
    for quarter in turn + np.arange(4) * np.pi / 2:
        beyond = x * np.cos(quarter) + y * np.sin(quarter) > rest - 0.03
        if float((mask * beyond).sum()) <= HIDDEN_AT_MOST * float(mask.sum()):
            return float(quarter)
    return None


def hairs(rng: Rng, size: int) -> Field:
    """Coverage by hair, 0 to 1, shape (size, size); on about two pictures of five."""
    if rng.random() > 0.42:
        return np.zeros((size, size), dtype=np.float32)
    lie, lines = float(rng.uniform(0, 2 * np.pi)), []
    for _ in range(int(rng.integers(4, 20))):
        x, y = (float(v) for v in rng.uniform(-1, 1, 2))
        turn, bend, length = lie + rng.normal(0, 0.35), rng.normal(0, 1.0), float(rng.uniform(0.24, 0.8))
        points = []
        for t in np.linspace(0, 1, 9):
            points.append((x, y))
            x, y = x + float(np.cos(turn + bend * t)) * length / 8, y + float(np.sin(turn + bend * t)) * length / 8
        lines.append((points, 0.014, float(rng.uniform(0.3, 0.7))))
    return strokes(size, lines)


def behind(rng: Rng, size: int, linear: Field, skin: Field) -> Field:
    """Cloth where there is no skin; ``linear`` is (size, size, 3)."""
    cloth = np.array(CLOTHS[int(rng.integers(len(CLOTHS)))], dtype=np.float32)
    folds = np.exp(0.2 * noise(rng, size, 3, 2))[..., None]
    cover = skin[..., None]
    return np.asarray(linear * cover + cloth * folds * (1 - cover), dtype=np.float32)


def ruler(rng: Rng, linear: Field, mask: Field) -> tuple[Field, Field]:
    """A white strip with black ticks along one side, on about 7 % of pictures.

    linear, mask: (size, size, 3) and (size, size); returns both, the mask without what the strip covers
    """
    present, width = rng.random() < 0.07, float(rng.uniform(0.17, 0.24))
    start, lean, pitch = int(rng.integers(4)), float(rng.normal(0, 0.03)), float(rng.uniform(0.075, 0.1))
    if not present:
        return linear, mask
    x, y = coordinates(mask.shape[0])
    for side in range(start, start + 4):
        out, along = ((x, y), (y, x), (-x, y), (-y, x))[side % 4]
        depth = out + lean * along - (1 - width)  # how far inside the strip, 0 at its inner border
        strip = edge(-depth, 0, 0.02)
        if float((mask * strip).sum()) <= HIDDEN_AT_MOST * float(mask.sum()):
            break
    else:
        return linear, mask
    step = along / np.float32(pitch)
    number = np.rint(step)
    long = np.where(number % 5 == 0, 0.6 * width, 0.35 * width)
    tick = edge(np.abs(step - number) * pitch, 0.013, 0.012) * edge(depth, long, 0.02)
    paper = (0.62 - 0.56 * tick)[..., None] * np.array([1, 0.99, 0.96], dtype=np.float32)
    shadow = 1 - 0.3 * edge(-depth, 0.035, 0.04)[..., None]
    cover = strip[..., None]
    return np.asarray(linear * shadow * (1 - cover) + paper * cover, dtype=np.float32), mask * (1 - strip)


def sticker(rng: Rng, linear: Field, mask: Field) -> tuple[Field, Field]:
    """A coloured marker dot beside the lesion, on about 3 % of pictures; as `ruler` otherwise."""
    present, radius = rng.random() < 0.03, float(rng.uniform(0.08, 0.12))
    colour, places = STICKERS[int(rng.integers(len(STICKERS)))], rng.uniform(-0.85, 0.85, (12, 2))
    if not present:
        return linear, mask
    x, y = coordinates(mask.shape[0])
    for px, py in places:
        far = np.sqrt((x - np.float32(px)) ** 2 + (y - np.float32(py)) ** 2) / radius
        if float((mask * (far < 1.4)).max()) < 0.5:
            dot = edge(far, 1.0, 0.15)
            paint = np.array(colour, dtype=np.float32)
            return np.asarray(linear + (paint - linear) * dot[..., None], dtype=np.float32), mask * (1 - dot)
    return linear, mask
