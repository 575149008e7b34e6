"""Painters of the non-neoplastic conditions: inflammation, and disorders of pigment, follicle and collagen.

Morphology as a dermatology atlas describes it; see `pipeline.phantom.lesions` for what a painter does.
"""

from __future__ import annotations

import numpy as np

from pipeline.phantom.canvas import Blob, Canvas, Rng, band, coordinates, dome, edge, noise, scatter
from pipeline.phantom.growths import islands


def psoriasis(c: Canvas, rng: Rng) -> None:
    radius = float(rng.uniform(0.34, 0.58))
    for i, (x, y) in enumerate(scatter(rng, int(rng.integers(1, 4)), radius * 0.75, 0.42)):
        blob = Blob.random(rng, x, y, radius * (1 if i == 0 else float(rng.uniform(0.4, 0.7))), 0.1)
        where, d = blob.on(c)
        inside = edge(d)
        flakes = np.tanh(noise(rng, c.size, 18, 2)[where])
        sheets = islands(rng, c, where, 7, -0.4)
        scale = np.clip(0.4 + 0.5 * flakes, 0, 1) * (0.35 + 0.65 * sheets) * edge(d, 0.9, 0.12)
        c.redden(where, inside, float(rng.uniform(0.05, 0.09)), 0.2)
        c.keratin[where] += scale * float(rng.uniform(0.65, 0.95))
        c.height[where] += inside * 0.7 + scale * 0.5
        c.cover(where, inside)
    c.concepts += ["Plaque", "Scale", "Erythema"]


def vitiligo(c: Canvas, rng: Rng) -> None:
    radius = float(rng.uniform(0.28, 0.52))
    for i, (x, y) in enumerate(scatter(rng, int(rng.integers(1, 4)), radius * 0.7, 0.45)):
        blob = Blob.random(rng, x, y, radius * (1 if i == 0 else float(rng.uniform(0.4, 0.8))), 0.2, 1.5)
        where, d = blob.on(c)
        inside = edge(d, width=0.05)
        spared = islands(rng, c, where, 18, 1.9) * 0.7  # follicular repigmentation
        c.melanin[where] *= 1 - inside * (1 - spared) * 0.95
        c.melanin[where] *= 1 + band(d, 1.0, 1.15) * 0.25  # darker rim
        c.blood[where] *= 1 - 0.5 * inside
        c.cover(where, inside)
    c.concepts += ["Patch", "White(Hypopigmentation)"]


def acne_vulgaris(c: Canvas, rng: Rng) -> None:
    kinds: set[str] = set()
    for x, y in scatter(rng, int(rng.integers(5, 11)), 0.15, 0.78, 1.0):
        kind = str(rng.choice(["Papule", "Pustule", "Comedo"], p=[0.35, 0.4, 0.25]))
        kinds.add(kind)
        radius = float(rng.uniform(0.11, 0.18)) * (0.8 if kind == "Comedo" else 1)
        where, d = Blob.random(rng, x, y, radius, 0.06, 1.15).on(c, 1.6)
        # redness fades softly, and half of it is gone where the mask ends
        halo = edge(d, width=0.22)
        c.height[where] += dome(d) * (0.8 if kind == "Comedo" else 1.5)
        if kind == "Comedo":
            c.redden(where, halo, 0.025, 0.3)
            c.melanin[where] += edge(d, 0.55, 0.2) * 0.5
        else:
            c.redden(where, halo, float(rng.uniform(0.05, 0.09)), 0.3)
            c.gloss[where] += halo * 0.25
        if kind == "Pustule":
            c.pus[where] += edge(d, 0.5, 0.2) * 0.9
        c.cover(where, halo)
    c.concepts += [*sorted(kinds), "Erythema"]


def urticaria(c: Canvas, rng: Rng) -> None:
    radius = float(rng.uniform(0.24, 0.36))
    wheals = scatter(rng, int(rng.integers(2, 6)), radius * 0.85, 0.6)
    blobs = [Blob.random(rng, x, y, radius * float(rng.uniform(0.75, 1.1)), 0.12, 1.6) for x, y in wheals]
    d = np.full((c.size, c.size), 9.0, dtype=np.float32)
    for blob in blobs:  # wheals that touch flow into one
        where, own = blob.on(c, 1.9)
        d[where] = np.minimum(d[where], own)
    everywhere = (slice(None), slice(None))
    c.redden(everywhere, edge(d, 1.3, 0.4), 0.012, 0.02)  # a weak flare: the wheal's own border is the edge
    inside, pale = edge(d, width=0.06), edge(d, 0.74, 0.2)
    c.redden(everywhere, inside, 0.05, 0.12)
    c.blood *= 1 - 0.88 * pale  # oedema presses the blood out
    c.melanin *= 1 - 0.3 * pale
    c.height += inside * 1.5 + noise(rng, c.size, 22) * 0.12 * inside  # dimpled as orange peel
    c.gloss += inside * 0.2
    c.cover(everywhere, inside)
    c.concepts += ["Wheal", "Erythema"]


def granuloma_annulare(c: Canvas, rng: Rng) -> None:
    single = rng.random() < 0.7
    for x, y in scatter(rng, 1 if single else 2, 0.42 if single else 0.38, 0.25 if single else 0.5, 0.95):
        radius = float(rng.uniform(0.42, 0.6)) if single else float(rng.uniform(0.31, 0.38))
        ring = Blob.random(rng, x, y, radius * 0.84, 0.03, 1.25)
        where, d = ring.on(c)
        c.redden(where, edge(d), 0.012, 0.18)  # the flat centre is a little dusky
        c.saturation[where] -= edge(d) * 0.2
        c.cover(where, edge(d, 1.0, 0.05))
        _beads(c, rng, ring)
    c.concepts += ["Papule", "Erythema", "Induration"]


def _beads(c: Canvas, rng: Rng, ring: Blob) -> None:
    """A chain of firm papules along an outline; each touches the next."""
    beads = int(rng.integers(12, 18))
    blood, start = float(rng.uniform(0.05, 0.08)), float(rng.uniform(0, 2 * np.pi))
    for i in range(beads):
        angle = start + 2 * np.pi * i / beads
        far = ring.radius * (1 + sum(a * np.cos(k * angle + phase) for k, a, phase in ring.waves))
        u, v = far * np.cos(angle) * ring.stretch**0.5, far * np.sin(angle) / ring.stretch**0.5
        cos, sin = np.cos(ring.turn), np.sin(ring.turn)
        bead = ring.radius * np.pi / beads * float(rng.uniform(1.0, 1.5))
        where, d = Blob.random(
            rng, ring.x + float(u * cos - v * sin), ring.y + float(u * sin + v * cos), bead, 0.04
        ).on(c)
        c.redden(where, edge(d, width=0.15), blood, 0.4)
        c.height[where] += dome(d) * 1.3
        c.cover(where, edge(d, width=0.15))


def erythema_multiforme(c: Canvas, rng: Rng) -> None:
    radius = float(rng.uniform(0.2, 0.33))
    for x, y in scatter(rng, int(rng.integers(2, 6)), radius, 0.6, 1.1):
        where, d = Blob.random(rng, x, y, radius * float(rng.uniform(0.85, 1.1)), 0.035, 1.15).on(c)
        c.redden(where, edge(d), 0.055, 0.2)
        pale = band(d, 0.45, 0.75, 0.12)
        c.blood[where] *= 1 - 0.75 * pale
        c.height[where] += pale * 0.5
        dusky = edge(d, 0.42, 0.15)
        c.redden(where, dusky, 0.1, 0.5)
        c.saturation[where] -= dusky * 0.5
        c.cover(where, edge(d))
    c.concepts += ["Macule", "Erythema", "Purple"]
    if rng.random() < 0.3:
        c.concepts.append("Bulla")
        where, d = Blob.random(rng, x, y, radius * 0.42, 0.03, 1.1).on(c)
        c.height[where] += dome(d) * 2
        c.gloss[where] += edge(d) * 0.8


def lichen_planus(c: Canvas, rng: Rng) -> None:
    for x, y in scatter(rng, int(rng.integers(4, 10)), 0.17, 0.7, 0.92):
        blob = Blob.random(rng, x, y, float(rng.uniform(0.14, 0.23)), 0.12, 1.4)
        where, d = blob.on(c)
        inside = edge(d, width=0.08)
        c.redden(where, inside, 0.06, 0.6)
        c.saturation[where] -= inside * 0.6
        c.deep[where] += inside * 0.004
        c.height[where] += inside * 0.8  # flat top: relief only at the rim
        c.gloss[where] += inside * 0.35
        striae = np.clip(1 - np.abs(noise(rng, c.size, 13)[where]) * 4, 0, 1)
        c.keratin[where] += inside * striae * 0.4  # Wickham's striae
        c.cover(where, inside)
    c.concepts += ["Papule", "Purple", "Flat topped"]


def keratosis_pilaris(c: Canvas, rng: Rng) -> None:
    step = float(rng.uniform(0.3, 0.38))
    red = float(rng.uniform(0.025, 0.055))
    c.keratin += np.clip(noise(rng, c.size, 14, 2) - 0.6, 0, 1) * 0.08  # dry skin
    for row, gy in enumerate(np.arange(-0.92, 1.0, step)):
        for gx in np.arange(-0.92, 1.0, step) + (step / 2 if row % 2 else 0):
            jitter, size = rng.normal(0, step * 0.1, 2), float(rng.uniform(0.088, 0.108))
            if rng.random() < 0.1:
                continue
            where, d = Blob.random(rng, float(gx + jitter[0]), float(gy + jitter[1]), size, 0.04, 1.1).on(c, 1.5)
            halo = edge(d, width=0.18)
            c.redden(where, halo, red, 0.35)
            c.keratin[where] += edge(d, 0.42, 0.2) * 0.6  # the plug of keratin
            c.height[where] += np.clip(1 - d, 0, 1) * 1.6  # pointed
            c.cover(where, halo)
    c.concepts += ["Papule", "Acuminate", "Xerosis"]


def striae(c: Canvas, rng: Rng) -> None:
    turn = float(rng.uniform(0, np.pi))
    fresh = rng.random() < 0.5
    cos, sin = np.cos(turn), np.sin(turn)
    x, y = coordinates(c.size)
    along, across = x * cos + y * sin, y * cos - x * sin
    bend = across + 0.1 * np.sin(along * float(rng.uniform(1, 2.5)) + float(rng.uniform(0, 6)))
    crinkle = np.sin(along * float(rng.uniform(34, 44)) + noise(rng, c.size, 5))
    for offset in np.arange(-0.8, 0.85, float(rng.uniform(0.33, 0.46))):
        centre = float(offset + rng.normal(0, 0.035))
        middle, length = float(rng.normal(0, 0.25)), float(rng.uniform(0.5, 0.95))
        taper = np.sqrt(np.clip(1 - ((along - middle) / length) ** 2, 0, 1))
        width = float(rng.uniform(0.06, 0.1)) * taper * (1 + 0.12 * np.sin(along * 9 + centre * 20))
        line = np.clip((1.31 - np.abs(bend - centre) / (width + 1e-3)) * 1.6, 0, 1) * (width > 0.012)
        line = line.astype(np.float32)
        if fresh:
            c.redden((slice(None), slice(None)), line, 0.06, 0.15)
            c.saturation -= line * 0.3
        else:
            c.blood *= 1 - 0.7 * line
            c.melanin *= 1 - 0.6 * line
        c.height -= line * (0.5 + 0.06 * crinkle).astype(np.float32)  # thin skin crinkles as cigarette paper
        c.gloss += line * 0.08
        c.cover((slice(None), slice(None)), line)
    c.concepts += ["Atrophy", "Purple" if fresh else "White(Hypopigmentation)"]
