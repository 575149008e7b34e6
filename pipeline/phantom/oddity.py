"""Lesions that no atlas names: what a model must learn to refuse (outlier exposure, Hendrycks et al. 2019).

Shape, relief, colour and surface are drawn independently of each other, so that almost every combination is one
that no condition shows. The condition kept out of training is not painted here and no number of it was used.
"""

from __future__ import annotations

import numpy as np

from pipeline.phantom.canvas import Blob, Canvas, Rng, Window, band, dome, edge, noise, scatter
from pipeline.phantom.optics import Field


def oddity(c: Canvas, rng: Rng) -> None:
    """One to five lesions of one random kind, marked in ``c.mask``; no concepts."""
    count = int(rng.choice([1, 1, 1, 2, 3, 5]))
    radius = float(rng.uniform(0.14, 0.3) if count > 2 else rng.uniform(0.2, 0.5))
    stretch = (1.0, float(rng.uniform(1.1, 3.2)))
    rough, soft = float(rng.uniform(0.02, 0.25)), float(rng.uniform(0.04, 0.4))
    key = int(rng.integers(2**32))  # all lesions of a picture are of one kind
    for x, y in scatter(rng, count, radius, 0.45):
        blob = Blob.random(rng, x, y, radius * float(rng.uniform(0.7, 1.1)), rough, stretch)
        where, d = blob.on(c, 1.6)
        if d.size:
            _tint(c, np.random.default_rng(key), where, d, soft)
            _shape(c, np.random.default_rng(key + 1), where, d, soft)
            c.cover(where, edge(d, width=soft))


def _region(rng: Rng, c: Canvas, where: Window, d: Field, soft: float) -> Field:
    """The whole lesion, its rim, its centre, or mottled."""
    way = int(rng.integers(4))
    if way == 0:
        return edge(d, width=soft)
    if way == 1:
        return band(d, float(rng.uniform(0.4, 0.8)), 1.0, soft)
    if way == 2:
        return edge(d, float(rng.uniform(0.3, 0.8)), soft)
    cells = int(rng.integers(5, 20))
    return np.asarray(edge(d, width=soft) * np.clip(0.5 + noise(rng, c.size, cells)[where], 0, 1), dtype=np.float32)


def _tint(c: Canvas, rng: Rng, where: Window, d: Field, soft: float) -> None:
    """Two or three of: less or more melanin, blood, low oxygen, deep pigment, scale, pus."""
    for change in rng.choice(7, size=int(rng.integers(1, 4)), replace=False):
        amount, much = _region(rng, c, where, d, soft), float(rng.uniform(0.3, 1))
        if change == 0:
            c.melanin[where] *= 1 - 0.9 * much * amount
        elif change == 1:
            c.melanin[where] += 0.4 * much * amount
        elif change == 2:
            c.redden(where, amount, 0.15 * much, float(rng.uniform(0, 0.6)))
        elif change == 3:
            c.saturation[where] -= 0.6 * much * amount
            c.blood[where] += 0.05 * much * amount
        elif change == 4:
            c.deep[where] += 0.03 * much * amount
        elif change == 5:
            c.keratin[where] += 0.9 * much * amount
        else:
            c.pus[where] += 0.9 * much * amount


def _shape(c: Canvas, rng: Rng, where: Window, d: Field, soft: float) -> None:
    """A dome, a plateau, a pit, a wall or nothing; dull or shining; smooth or bumpy."""
    way, high = int(rng.integers(5)), float(rng.uniform(0.5, 3.5))
    relief = (dome(d), edge(d, width=soft), -edge(d, 0.7, 0.3), band(d, 0.6, 1.0, 0.2), 0 * d)[way] * high
    if rng.random() < 0.4:
        relief = relief * (1 + 0.4 * np.tanh(noise(rng, c.size, int(rng.integers(8, 20)))[where]))
    c.height[where] += relief
    if rng.random() < 0.5:
        c.gloss[where] += edge(d, width=soft) * float(rng.uniform(0.2, 1))
