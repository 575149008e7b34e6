"""The sheet a phantom is painted on: maps of what is in the skin, and shapes to paint with.

Coordinates are -1 to 1 in both directions whatever the size in pixels, and every random field is drawn
on a grid of fixed size and then interpolated: the same seed gives the same scene at any size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import zoom

from pipeline.phantom.optics import Field

Rng = np.random.Generator
Window = tuple[slice, slice]


@lru_cache(maxsize=256)
def _stretcher(n: int, size: int) -> Field:
    """Matrix of shape (size, n) that interpolates n values to ``size``; built once, as zooming is slow."""
    order: Literal[1, 3] = 1 if n > size / 2 else 3
    unit = [np.eye(1, n, i, dtype=np.float32)[0] for i in range(n)]
    columns = [zoom(u, size / n, order=order, grid_mode=True, mode="nearest")[:size] for u in unit]
    return np.stack(columns, axis=1).astype(np.float32)


def noise(rng: Rng, size: int, cells: int, octaves: int = 1) -> Field:
    """Smooth noise of shape (size, size), mean 0, about unit variance; ``cells`` bumps across."""
    total = np.zeros((size, size), dtype=np.float32)
    for octave in range(octaves):
        n = cells * 2**octave + 3
        stretcher = _stretcher(n, size)
        # 0.5**octave: each finer octave is half as strong, as in natural textures
        total += stretcher @ rng.standard_normal((n, n)).astype(np.float32) @ stretcher.T * np.float32(0.5**octave)
    return total


@lru_cache(maxsize=16)
def coordinates(size: int) -> tuple[Field, Field]:
    """x and y of every pixel's centre, -1 to 1, each of shape (size, size). Not to be written to."""
    line = (np.arange(size, dtype=np.float32) + 0.5) / np.float32(size / 2) - 1
    x, y = np.meshgrid(line, line)
    x.flags.writeable = y.flags.writeable = False
    return x, y


def strokes(size: int, lines: list[tuple[list[tuple[float, float]], float, float]]) -> Field:
    """Coverage 0 to 1, shape (size, size), of polylines given as (points, width, strength), in -1 to 1."""
    side = size * 3  # drawn large and averaged down: smooth edges at every size
    sheet = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(sheet)
    for points, width, strength in lines:
        pixels = [((x + 1) * side / 2, (y + 1) * side / 2) for x, y in points]
        pen.line(pixels, fill=int(255 * strength), width=max(1, round(width * side / 2)), joint="curve")
    return np.asarray(sheet.resize((size, size), Image.Resampling.BOX), dtype=np.float32) / np.float32(255)


@dataclass
class Canvas:
    """Maps of shape (size, size), float32. Painted in place by one condition, read once by `develop`."""

    size: int
    melanin: Field
    blood: Field
    saturation: Field
    deep: Field
    keratin: Field
    """0 to 1: white scale covering the skin."""
    pus: Field
    """0 to 1: yellow-white content."""
    height: Field
    """Relief in lesion heights; its gradient is what light shows."""
    gloss: Field
    """0 to 1: how strongly the relief shines."""
    mirror: Field
    """0 to 1: wet or pearly points that shine whatever the light's direction."""
    mask: Field
    """0 to 1: coverage by lesion."""
    concepts: list[str] = field(default_factory=list)

    @classmethod
    def of_skin(cls, size: int, melanin: Field, blood: Field) -> Canvas:
        def flat(value: float) -> Field:
            return np.full((size, size), value, dtype=np.float32)

        return cls(size, melanin, blood, flat(0.75), flat(0), flat(0), flat(0), flat(0), flat(0.03), flat(0), flat(0))

    def window(self, x: float, y: float, reach: float) -> tuple[Window, Field, Field]:
        """The pixels within ``reach`` of (x, y), and their coordinates relative to it."""
        half = self.size / 2
        x0, x1 = (int(np.clip(np.floor((c + 1) * half), 0, self.size)) for c in (x - reach, x + reach))
        y0, y1 = (int(np.clip(np.floor((c + 1) * half), 0, self.size)) for c in (y - reach, y + reach))
        rows = ((np.arange(y0, y1 + 1) + 0.5) / half - 1 - y)[: self.size - y0]
        cols = ((np.arange(x0, x1 + 1) + 0.5) / half - 1 - x)[: self.size - x0]
        dy, dx = np.meshgrid(rows.astype(np.float32), cols.astype(np.float32), indexing="ij")
        return (slice(y0, y0 + len(rows)), slice(x0, x0 + len(cols))), dx, dy

    def cover(self, where: Window, amount: Field) -> None:
        """Mark as lesion."""
        self.mask[where] = np.maximum(self.mask[where], amount)

    def redden(self, where: Window, amount: NDArray[np.floating[Any]], blood: float, pigment: float = 0.25) -> None:
        """Inflammation: more blood and, as in life, more melanin with it (visible on dark skin)."""
        self.blood[where] += amount * blood
        self.melanin[where] *= 1 + amount * pigment


def paint_within(c: Canvas, paint: Callable[[Canvas], None], extent: float, seed: int) -> None:
    """Let ``paint`` fill a smaller square of ``c``, ``extent`` of its side, at a place chosen by ``seed``.

    What it paints fades out towards the square's rounded border, so that a rash that fills a picture ends here as a
    region of skin does.
    """
    rng = np.random.default_rng([0x5C3, seed])
    side = round(c.size * extent)
    top, left = (round(v * (c.size - side)) for v in rng.uniform(0, 1, 2))
    where = (slice(top, top + side), slice(left, left + side))
    whole = {f.name: getattr(c, f.name) for f in fields(c) if isinstance(getattr(c, f.name), np.ndarray)}
    part = Canvas(side, **{name: values[where].copy() for name, values in whole.items()})
    part.height *= 0
    paint(part)
    x, y = coordinates(side)
    turn, power = float(rng.uniform(0, np.pi)), float(rng.uniform(2.5, 5))
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    reach = (np.abs(u) ** power + np.abs(v) ** power) ** (1 / power) * (1 + 0.06 * noise(rng, side, 4))
    fade = edge(np.asarray(reach, dtype=np.float32), 0.97, 0.1)
    part.height *= np.float32(extent)  # a smaller lesion is as steep as a large one, not steeper
    for name, values in whole.items():
        values[where] += (getattr(part, name) - (0 if name == "height" else values[where])) * fade
    c.concepts += part.concepts


@dataclass(frozen=True)
class Blob:
    """An irregular closed outline around (x, y): radius r(angle) = radius * (1 + Fourier terms)."""

    x: float
    y: float
    radius: float
    stretch: float
    turn: float
    waves: tuple[tuple[int, float, float], ...]

    @classmethod
    def random(
        cls,
        rng: Rng,
        x: float,
        y: float,
        radius: float,
        rough: float = 0.1,
        stretch: float | tuple[float, float] = 1.25,
        turn: float | None = None,
    ) -> Blob:
        """An outline of ``rough`` waves; ``stretch`` is the most (or least and most) it is longer than wide."""
        least, most = stretch if isinstance(stretch, tuple) else (1.0, stretch)
        waves = tuple((k, float(rng.normal(0, rough / k**0.9)), float(rng.uniform(0, 2 * np.pi))) for k in range(2, 9))
        longer, lie = float(rng.uniform(least, most)), float(rng.uniform(0, np.pi))
        return cls(x, y, radius, longer, lie if turn is None else turn, waves)

    def on(self, canvas: Canvas, reach: float = 1.35) -> tuple[Window, Field]:
        """Window and relative distance in it: 0 at the centre, 1 on the outline, more outside."""
        where, dx, dy = canvas.window(self.x, self.y, self.radius * reach * self.stretch)
        c, s = np.cos(self.turn), np.sin(self.turn)
        u = (dx * c + dy * s) / self.stretch**0.5
        v = (dy * c - dx * s) * self.stretch**0.5
        angle = np.arctan2(v, u)
        outline = np.ones_like(u)
        for k, a, phase in self.waves:
            outline += np.float32(a) * np.cos(k * angle + np.float32(phase))
        distance = np.sqrt(u * u + v * v) / (self.radius * np.maximum(outline, 0.3))
        return where, distance.astype(np.float32)


def edge(
    distance: NDArray[np.floating[Any]], at: float | NDArray[np.floating[Any]] = 1.0, width: float = 0.06
) -> Field:
    """1 inside ``at``, 0 outside, a smooth step of ``width`` between (both in relative distance)."""
    return (1 / (1 + np.exp(np.clip((distance - at) / (width / 2), -30, 30)))).astype(np.float32)


def dome(distance: Field) -> Field:
    """Height of a cap: 1 at the centre, 0 from the outline on, evenly steeper on the way."""
    return np.clip(1 - distance * distance, 0, 1).astype(np.float32)


def band(distance: Field, inner: float, outer: float, width: float = 0.06) -> Field:
    """1 between two relative distances."""
    return edge(distance, outer, width) * (1 - edge(distance, inner, width))


def scatter(rng: Rng, n: int, radius: float, spread: float = 0.72, gap: float = 1.15) -> list[tuple[float, float]]:
    """Up to ``n`` centres within ±``spread``, no two closer than two radii times ``gap``."""
    centres: list[tuple[float, float]] = []
    for _ in range(n * 12):
        if len(centres) == n:
            break
        x, y = (float(v) for v in rng.uniform(-spread, spread, 2))
        if all((x - a) ** 2 + (y - b) ** 2 > (2 * radius * gap) ** 2 for a, b in centres):
            centres.append((x, y))
    return centres
