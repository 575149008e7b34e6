"""Painters of growths and malformations: benign and malignant conditions, and the keloid.

Morphology as a dermatology atlas describes it; see `pipeline.phantom.lesions` for what a painter does.
"""

from __future__ import annotations

import numpy as np

from pipeline.phantom.canvas import Blob, Canvas, Rng, Window, band, dome, edge, noise, scatter, strokes
from pipeline.phantom.optics import Field


def islands(rng: Rng, canvas: Canvas, where: Window, cells: int, level: float) -> Field:
    """Patchy 0-to-1 field inside a window: islands where smooth noise exceeds ``level``."""
    n = noise(rng, canvas.size, cells)[where]
    return (1 / (1 + np.exp(-(n - np.float32(level)) * 6))).astype(np.float32)


def malignant_melanoma(c: Canvas, rng: Rng) -> None:
    x, y = (float(v) for v in rng.uniform(-0.22, 0.22, 2))
    blob = Blob.random(rng, x, y, float(rng.uniform(0.34, 0.54)), 0.2, 1.7)
    where, d = blob.on(c, 1.6)
    inside = edge(d, width=0.08)
    patches = noise(rng, c.size, 4)[where]
    network = np.abs(np.sin(noise(rng, c.size, 9)[where] * 5)).astype(np.float32)
    c.melanin[where] += inside * np.clip(0.3 + 0.2 * patches + 0.08 * network, 0.1, 0.75)
    blue = inside * islands(rng, c, where, 3, 0.4)
    c.deep[where] += blue * 0.035
    red = inside * islands(rng, c, where, 3, 0.8)
    c.melanin[where] *= 1 - 0.55 * red
    c.redden(where, red, 0.06, 0)
    c.height[where] += inside * (0.25 + 0.5 * edge(d, 0.5, 0.3) * max(0.0, float(rng.normal(0.5, 0.5))))
    c.cover(where, inside)
    c.concepts += ["Patch" if rng.random() < 0.5 else "Plaque", "Brown(Hyperpigmentation)", "Black"]
    if float(blue.mean()) > 0.06:
        c.concepts.append("Blue")


def nevocytic_nevus(c: Canvas, rng: Rng) -> None:
    radius = float(rng.uniform(0.18, 0.32))
    raised = rng.random() < 0.5
    for x, y in scatter(rng, 1 if rng.random() < 0.75 else 2, radius, 0.4):
        where, d = Blob.random(rng, x, y, radius, 0.025, 1.25).on(c)
        inside = edge(d, width=0.1)
        freckles = 0.03 * noise(rng, c.size, 14)[where]
        c.melanin[where] += inside * (float(rng.uniform(0.26, 0.45)) - 0.06 * d + freckles)
        if raised:
            c.height[where] += dome(d) * 1.8
            c.gloss[where] += inside * 0.1
        c.cover(where, inside)
    c.concepts += ["Papule", "Dome-shaped"] if raised else ["Macule"]
    c.concepts.append("Brown(Hyperpigmentation)")


def port_wine_stain(c: Canvas, rng: Rng) -> None:
    x, y = (float(v) for v in rng.uniform(-0.3, 0.3, 2))
    where, d = Blob.random(rng, x, y, float(rng.uniform(0.5, 0.75)), 0.2, 1.5).on(c, 1.6)
    inside = edge(d, width=0.07)
    mottle = 1 + 0.3 * np.tanh(noise(rng, c.size, 6, 2)[where])
    c.redden(where, inside * mottle, float(rng.uniform(0.06, 0.13)), 0.1)
    c.saturation[where] -= inside * float(rng.uniform(0.1, 0.45))
    c.cover(where, inside)
    c.concepts += ["Patch", "Purple", "Salmon" if rng.random() < 0.3 else "Erythema"]


def _tree(rng: Rng, x: float, y: float, radius: float) -> list[tuple[list[tuple[float, float]], float, float]]:
    """Vessels as strokes: trunks that enter from the rim and fork on their way in."""
    lines = []
    start = float(rng.uniform(0, 2 * np.pi))
    trunks = int(rng.integers(4, 7))
    for i in range(trunks):
        angle = start + 2 * np.pi * i / trunks + float(rng.normal(0, 0.3))
        fork = None
        for bend, width in ((float(rng.normal(0, 0.35)), 0.03), (0.75, 0.02), (-0.65, 0.02)):
            first = float(rng.uniform(0.9, 1.0)) if fork is None else fork
            last = float(rng.uniform(0.55, 0.72) if fork is None else rng.uniform(0.28, 0.5))
            turns = angle + bend * np.linspace(0, 1, 4) + rng.normal(0, 0.05, 4)
            reach = np.linspace(first, last, 4) * radius
            lines.append(
                ([(x + r * np.cos(t), y + r * np.sin(t)) for r, t in zip(reach, turns, strict=True)], width, 1.0)
            )
            if fork is None:
                fork, angle = last, float(turns[-1])
    return lines


def basal_cell_carcinoma(c: Canvas, rng: Rng) -> None:
    x, y = (float(v) for v in rng.uniform(-0.22, 0.22, 2))
    radius = float(rng.uniform(0.34, 0.5))
    where, d = Blob.random(rng, x, y, radius, 0.05, 1.2).on(c)
    inside = edge(d)
    c.melanin[where] *= 1 - 0.5 * inside
    c.redden(where, inside, 0.016, 0)
    rim = band(d, 0.66, 1.0, 0.14)
    c.height[where] += rim * 2.2 + inside * 0.4
    c.gloss[where] += rim * 0.7
    pearls = np.clip(noise(rng, c.size, 13)[where] * 1.5 - 0.7, 0, 1) * band(d, 0.72, 0.95, 0.1)
    c.mirror[where] += pearls * 0.4
    vessels = strokes(c.size, _tree(rng, x, y, radius))[where] * inside
    c.blood[where] += vessels * 0.2
    c.melanin[where] *= 1 + vessels * 0.5
    c.cover(where, inside)
    c.concepts += ["Nodule", "Telangiectasia", "Translucent"]
    if rng.random() < 0.75:
        where, d = Blob.random(rng, x, y, radius * float(rng.uniform(0.36, 0.48)), 0.12, 1.3).on(c)
        ulcer, crust = edge(d, 1.0, 0.15), edge(d, 0.75, 0.2) * islands(rng, c, where, 12, -0.3)
        c.redden(where, ulcer, 0.12, 0)
        c.melanin[where] += ulcer * 0.05 + crust * 0.4
        c.height[where] += crust * 0.4 - ulcer * 0.9
        c.concepts += ["Ulcer", "Crust"]


def seborrheic_keratosis(c: Canvas, rng: Rng) -> None:
    radius = float(rng.uniform(0.26, 0.44))
    for i, (x, y) in enumerate(scatter(rng, int(rng.integers(1, 4)), radius * 0.85, 0.5)):
        where, d = Blob.random(rng, x, y, radius * (1 if i == 0 else 0.65), 0.06, 1.35).on(c)
        inside = edge(d, width=0.04)
        warts = noise(rng, c.size, 24, 2)[where]
        shade = 0.19 + 0.04 * noise(rng, c.size, 6)[where] + 0.04 * warts
        c.melanin[where] += inside * np.clip(shade, 0.08, 0.4)
        c.height[where] += inside * (1.3 + 0.55 * np.tanh(warts))
        c.keratin[where] += inside * np.clip(warts - 0.9, 0, 1) * 0.25
        plugs = edge(warts, -1.4, 0.5) * edge(d, 0.9)  # horn plugs lie in the pits
        c.melanin[where] += plugs * 0.14
        c.cover(where, inside)
    c.concepts += ["Plaque", "Warty/Papillomatous", "Brown(Hyperpigmentation)"]


def kaposi_sarcoma(c: Canvas, rng: Rng) -> None:
    radius, lie = float(rng.uniform(0.17, 0.27)), float(rng.uniform(0, np.pi))
    raised, blood = rng.random() < 0.5, float(rng.uniform(0.09, 0.15))
    for x, y in scatter(rng, int(rng.integers(3, 7)), radius * 0.95, 0.62):
        # long axes follow the lines of the skin, so the lesions of one picture lie parallel
        turn = lie + float(rng.normal(0, 0.15))
        blob = Blob.random(rng, x, y, radius * float(rng.uniform(0.75, 1.2)), 0.09, (1.3, 2.1), turn)
        where, d = blob.on(c, 1.5)
        inside = edge(d, width=0.09)
        mottle = 1 + 0.25 * np.tanh(noise(rng, c.size, 7, 2)[where])
        c.redden(where, inside * mottle * (1.1 - 0.3 * d), blood, 0.3)
        c.melanin[where] += inside * float(rng.uniform(0.02, 0.07))
        c.saturation[where] -= inside * 0.55
        c.height[where] += dome(d) * 1.6 if raised else edge(d, 0.9, 0.35) * 0.6
        c.gloss[where] += inside * (0.35 if raised else 0.12)
        c.cover(where, inside)
    c.concepts += ["Nodule" if raised else "Plaque", "Purple", "Brown(Hyperpigmentation)"]


def pyogenic_granuloma(c: Canvas, rng: Rng) -> None:
    radius = float(rng.uniform(0.27, 0.42))
    crusted, bleeding = rng.random() < 0.35, rng.random() < 0.4
    for i, (x, y) in enumerate(scatter(rng, 1 if rng.random() < 0.8 else 2, radius * 0.85, 0.38)):
        where, d = Blob.random(rng, x, y, radius * (1 if i == 0 else 0.65), 0.03, 1.2).on(c)
        ball = d / 0.82
        inside, lobes = edge(ball, width=0.07), np.tanh(noise(rng, c.size, 8)[where])
        c.keratin[where] += band(d, 0.84, 1.0, 0.05) * float(rng.uniform(0.5, 0.8))  # the collarette of scale
        c.melanin[where] *= 1 - 0.75 * inside
        c.redden(where, inside * (1 + 0.2 * lobes), float(rng.uniform(0.13, 0.19)), 0)
        c.saturation[where] += inside * 0.2
        c.melanin[where] += band(ball, 0.88, 1.03, 0.08) * 0.16  # shadow of the overhang on the pinched base
        c.height[where] += dome(ball) * (1.9 + 0.12 * lobes)
        c.gloss[where] += inside * 0.9
        c.cover(where, edge(d))
        if crusted:
            c.melanin[where] += edge(ball, 0.5, 0.12) * islands(rng, c, where, 12, 0.1) * 0.35
    if bleeding:
        x, y = x + float(rng.normal(0, 0.04)), y + float(rng.normal(0, 0.04))
        where, d = Blob.random(rng, x, y, 0.1, 0.2, 1.6).on(c)
        c.blood[where] += edge(d, width=0.2) * 0.1
        c.melanin[where] += edge(d, width=0.2) * 0.12
        c.concepts.append("Friable")
    c.concepts += ["Nodule", "Dome-shaped", "Pedunculated", "Erythema", *(["Crust"] if crusted else [])]


def keloid(c: Canvas, rng: Rng) -> None:
    x, y = (float(v) for v in rng.uniform(-0.25, 0.25, 2))
    where, d = Blob.random(rng, x, y, float(rng.uniform(0.3, 0.44)), 0.14, (1.3, 2.8)).on(c, 1.7)
    inside = edge(d, width=0.1)
    c.redden(where, inside, float(rng.uniform(0.03, 0.06)), 0.35)
    c.saturation[where] -= inside * 0.3
    c.height[where] += dome(d) * 3
    c.gloss[where] += inside * 0.9
    c.cover(where, inside)
    c.concepts += ["Scar", "Nodule", "Exophytic/Fungating"]
