"""One painter per condition: morphology as a dermatology atlas describes it, on the canvas' maps.

Each painter adds lesions to the canvas, marks them in ``canvas.mask``, and appends the SKINCON
concepts (Daneshjou et al., 2022) that this very picture shows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.phantom.canvas import Blob, Canvas, Rng, band, edge, noise, scatter
from pipeline.phantom.optics import Field

Painter = Callable[[Canvas, Rng], None]


def _spots(rng: Rng, canvas: Canvas, where: tuple[slice, slice], cells: int, level: float) -> Field:
    """Patchy 0-to-1 field inside a window: islands where smooth noise exceeds ``level``."""
    n = noise(rng, canvas.size, cells)[where]
    return 1 / (1 + np.exp(-(n - np.float32(level)) * 6))


def psoriasis(c: Canvas, rng: Rng) -> None:
    radius = float(rng.uniform(0.32, 0.55))
    for i, (x, y) in enumerate(scatter(rng, int(rng.integers(1, 4)), radius * 0.7, 0.42)):
        blob = Blob.random(rng, x, y, radius * (1 if i == 0 else float(rng.uniform(0.35, 0.7))), 0.07)
        where, d = blob.on(c)
        inside = edge(d)
        c.redden(where, inside, float(rng.uniform(0.05, 0.09)), 0.2)
        c.keratin[where] += inside * _spots(rng, c, where, 16, 0.25) * float(rng.uniform(0.5, 0.85))
        c.height[where] += inside * (0.5 + 0.25 * noise(rng, c.size, 16)[where])
        c.cover(where, inside)
    c.concepts += ["Plaque", "Scale", "Erythema"]


def vitiligo(c: Canvas, rng: Rng) -> None:
    radius = float(rng.uniform(0.26, 0.5))
    for i, (x, y) in enumerate(scatter(rng, int(rng.integers(1, 4)), radius * 0.7, 0.45)):
        blob = Blob.random(rng, x, y, radius * (1 if i == 0 else float(rng.uniform(0.4, 0.8))), 0.17, 1.5)
        where, d = blob.on(c)
        inside = edge(d, width=0.05)
        spared = _spots(rng, c, where, 18, 1.9) * 0.7  # follicular repigmentation
        c.melanin[where] *= 1 - inside * (1 - spared) * 0.95
        c.melanin[where] *= 1 + band(d, 1.0, 1.15) * 0.25  # darker rim
        c.blood[where] *= 1 - 0.45 * inside
        c.cover(where, inside)
    c.concepts += ["Patch", "White(Hypopigmentation)"]


def _network(rng: Rng, c: Canvas, where: tuple[slice, slice]) -> Field:
    return np.abs(np.sin(noise(rng, c.size, 9)[where] * 5)).astype(np.float32)


def malignant_melanoma(c: Canvas, rng: Rng) -> None:
    x, y = (float(v) for v in rng.uniform(-0.22, 0.22, 2))
    blob = Blob.random(rng, x, y, float(rng.uniform(0.3, 0.5)), 0.2, 1.7)
    where, d = blob.on(c, 1.6)
    inside = edge(d, width=0.08)
    patches = noise(rng, c.size, 4)[where]
    c.melanin[where] += inside * np.clip(0.3 + 0.2 * patches + 0.08 * _network(rng, c, where), 0.06, 0.75)
    blue = inside * _spots(rng, c, where, 3, 0.4)
    c.deep[where] += blue * 0.035
    red = inside * _spots(rng, c, where, 3, 0.8)
    c.melanin[where] *= 1 - 0.55 * red
    c.redden(where, red, 0.06, 0)
    c.height[where] += inside * (0.25 + 0.5 * edge(d, 0.5, 0.3) * max(0.0, float(rng.normal(0.5, 0.5))))
    c.cover(where, inside)
    c.concepts += ["Patch" if rng.random() < 0.5 else "Plaque", "Brown(Hyperpigmentation)", "Black"]
    if float(blue.mean()) > 0.06:
        c.concepts.append("Blue")


def nevocytic_nevus(c: Canvas, rng: Rng) -> None:
    radius = float(rng.uniform(0.13, 0.26))
    raised = rng.random() < 0.5
    for x, y in scatter(rng, 1 if rng.random() < 0.75 else 2, radius, 0.4):
        blob = Blob.random(rng, x, y, radius, 0.02, 1.2)
        where, d = blob.on(c)
        inside = edge(d, width=0.1)
        c.melanin[where] += inside * (float(rng.uniform(0.24, 0.4)) + 0.03 * noise(rng, c.size, 14)[where])
        if raised:
            c.height[where] += np.sqrt(np.clip(1 - d * d, 0, 1)) * 1.4
        c.cover(where, inside)
    c.concepts += ["Papule", "Dome-shaped"] if raised else ["Macule"]
    c.concepts.append("Brown(Hyperpigmentation)")


def acne_vulgaris(c: Canvas, rng: Rng) -> None:
    kinds: set[str] = set()
    for x, y in scatter(rng, int(rng.integers(8, 17)), 0.11, 0.82, 1.0):
        kind = str(rng.choice(["Papule", "Pustule", "Comedo"], p=[0.4, 0.35, 0.25]))
        kinds.add(kind)
        radius = float(rng.uniform(0.075, 0.13)) * (0.6 if kind == "Comedo" else 1)
        where, d = Blob.random(rng, x, y, radius, 0.06, 1.15).on(c, 2.0)
        inside = edge(d, width=0.2)
        if kind == "Comedo":
            c.melanin[where] += edge(d, 0.6, 0.3) * 0.6
        else:
            c.redden(where, edge(d, 1.15, 0.5), float(rng.uniform(0.05, 0.09)), 0.25)
            c.height[where] += np.sqrt(np.clip(1 - d * d, 0, 1)) * 1.0
        if kind == "Pustule":
            c.pus[where] += edge(d, 0.5, 0.25) * 0.9
        c.cover(where, inside)
    c.concepts += [*sorted(kinds), "Erythema"]


def urticaria(c: Canvas, rng: Rng) -> None:
    radius = float(rng.uniform(0.17, 0.3))
    for x, y in scatter(rng, int(rng.integers(3, 7)), radius * 0.8, 0.62):
        blob = Blob.random(rng, x, y, radius * float(rng.uniform(0.7, 1.1)), 0.12, 1.6)
        where, d = blob.on(c, 1.9)
        c.redden(where, edge(d, 1.25, 0.45), 0.035, 0.05)  # flare
        inside = edge(d, width=0.12)
        pale = edge(d, 0.72, 0.3)
        c.blood[where] *= 1 - 0.72 * pale  # oedema presses the blood out
        c.melanin[where] *= 1 - 0.25 * pale
        c.height[where] += inside * 1.1
        c.gloss[where] += inside * 0.2
        c.cover(where, inside)
    c.concepts += ["Wheal", "Erythema"]


def granuloma_annulare(c: Canvas, rng: Rng) -> None:
    for x, y in scatter(rng, 1 if rng.random() < 0.7 else 2, 0.36, 0.35, 0.9):
        blob = Blob.random(rng, x, y, float(rng.uniform(0.3, 0.48)), 0.05, 1.25)
        where, d = blob.on(c)
        ring = band(d, 0.66, 1.0, 0.12)
        # the ring is a chain of firm papules
        beads = 0.65 + 0.35 * np.tanh(2 * noise(rng, c.size, 12)[where])
        c.redden(where, ring * beads, float(rng.uniform(0.05, 0.08)), 0.35)
        c.height[where] += ring * beads * 1.5
        c.redden(where, edge(d, 0.66), 0.008, 0.06)
        c.cover(where, edge(d))
    c.concepts += ["Papule", "Erythema", "Induration"]


def erythema_multiforme(c: Canvas, rng: Rng) -> None:
    radius = float(rng.uniform(0.17, 0.3))
    for x, y in scatter(rng, int(rng.integers(2, 6)), radius, 0.6, 1.1):
        where, d = Blob.random(rng, x, y, radius * float(rng.uniform(0.85, 1.1)), 0.03, 1.1).on(c)
        c.redden(where, edge(d), 0.045, 0.2)
        pale = band(d, 0.45, 0.75, 0.12)
        c.blood[where] *= 1 - 0.7 * pale
        c.height[where] += pale * 0.5
        dusky = edge(d, 0.42, 0.15)
        c.redden(where, dusky, 0.1, 0.5)
        c.saturation[where] -= dusky * 0.5
        c.cover(where, edge(d))
    c.concepts += ["Macule", "Erythema", "Purple"]
    if rng.random() < 0.3:
        c.concepts.append("Bulla")
        where, d = Blob.random(rng, x, y, radius * 0.35, 0.03, 1.1).on(c)
        c.height[where] += np.sqrt(np.clip(1 - d * d, 0, 1)) * 2
        c.gloss[where] += edge(d) * 0.6


def lichen_planus(c: Canvas, rng: Rng) -> None:
    for x, y in scatter(rng, int(rng.integers(5, 12)), 0.14, 0.7, 0.85):
        blob = Blob.random(rng, x, y, float(rng.uniform(0.11, 0.2)), 0.11, 1.4)
        where, d = blob.on(c)
        inside = edge(d, width=0.08)
        c.redden(where, inside, 0.05, 0.8)
        c.saturation[where] -= inside * 0.65
        c.deep[where] += inside * 0.006
        c.height[where] += inside * 0.8  # flat top: relief only at the rim
        c.gloss[where] += inside * 0.35
        striae = np.clip(1 - np.abs(noise(rng, c.size, 15)[where]) * 5, 0, 1)
        c.keratin[where] += inside * striae * 0.35  # Wickham's striae
        c.cover(where, inside)
    c.concepts += ["Papule", "Purple", "Flat topped"]


def keratosis_pilaris(c: Canvas, rng: Rng) -> None:
    step = float(rng.uniform(0.19, 0.26))
    for gx in np.arange(-0.9, 0.95, step):
        for gy in np.arange(-0.9, 0.95, step):
            if rng.random() < 0.15:
                continue
            x, y = float(gx + rng.normal(0, step * 0.2)), float(gy + rng.normal(0, step * 0.2))
            where, d = Blob.random(rng, x, y, float(rng.uniform(0.032, 0.05)), 0.05, 1.1).on(c, 2.4)
            if d.size == 0:
                continue
            c.redden(where, edge(d, 1.5, 0.6), 0.03, 0.25)
            c.keratin[where] += edge(d, 0.55, 0.4) * 0.3
            c.height[where] += np.clip(1 - d, 0, 1) * 0.9
            c.cover(where, edge(d, 1.4, 0.3))
    c.concepts += ["Papule", "Acuminate", "Xerosis"]


def port_wine_stain(c: Canvas, rng: Rng) -> None:
    x, y = (float(v) for v in rng.uniform(-0.3, 0.3, 2))
    where, d = Blob.random(rng, x, y, float(rng.uniform(0.5, 0.75)), 0.18, 1.5).on(c, 1.6)
    inside = edge(d, width=0.07)
    mottle = 1 + 0.3 * np.tanh(noise(rng, c.size, 6, 2)[where])
    c.redden(where, inside * mottle, float(rng.uniform(0.06, 0.13)), 0.1)
    c.saturation[where] -= inside * float(rng.uniform(0.1, 0.45))
    c.cover(where, inside)
    c.concepts += ["Patch", "Purple", "Salmon" if rng.random() < 0.3 else "Erythema"]


def striae(c: Canvas, rng: Rng) -> None:
    turn = float(rng.uniform(0, np.pi))
    fresh = rng.random() < 0.5
    cos, sin = np.cos(turn), np.sin(turn)
    where, dx, dy = c.window(0, 0, 1.01)
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    bend = across + 0.1 * np.sin(along * float(rng.uniform(1, 2.5)) + float(rng.uniform(0, 6)))
    for offset in np.arange(-0.75, 0.8, float(rng.uniform(0.24, 0.36))):
        centre = float(offset + rng.normal(0, 0.04))
        middle, length = float(rng.normal(0, 0.25)), float(rng.uniform(0.35, 0.8))
        width = float(rng.uniform(0.035, 0.07)) * np.sqrt(np.clip(1 - ((along - middle) / length) ** 2, 0, 1))
        line = np.clip(1.2 - np.abs(bend - centre) / (width + 1e-3), 0, 1) * (width > 0.005)
        line = np.clip(line * 1.6, 0, 1).astype(np.float32)
        if fresh:
            c.redden(where, line, 0.06, 0.1)
            c.saturation[where] -= line * 0.3
        else:
            c.blood[where] *= 1 - 0.7 * line
            c.melanin[where] *= 1 - 0.6 * line
        c.height[where] -= line * 0.5
        c.gloss[where] += line * 0.2
        c.cover(where, line)
    c.concepts += ["Atrophy", "Purple" if fresh else "White(Hypopigmentation)"]


def basal_cell_carcinoma(c: Canvas, rng: Rng) -> None:
    x, y = (float(v) for v in rng.uniform(-0.25, 0.25, 2))
    where, d = Blob.random(rng, x, y, float(rng.uniform(0.26, 0.42)), 0.06, 1.25).on(c)
    inside = edge(d)
    c.melanin[where] *= 1 - 0.45 * inside
    c.redden(where, inside, 0.022, 0)
    rim = band(d, 0.68, 1.0, 0.15)
    c.height[where] += rim * 1.7
    c.gloss[where] += rim * 0.8
    vessels = np.clip(1 - np.abs(noise(rng, c.size, 7)[where]) * 8, 0, 1) * band(d, 0.3, 1.0)
    c.blood[where] += vessels * 0.16
    c.cover(where, inside)
    c.concepts += ["Nodule", "Telangiectasia", "Translucent"]
    if rng.random() < 0.6:
        ulcer = edge(d, 0.42, 0.12)
        c.redden(where, ulcer, 0.12, 0)
        c.melanin[where] += ulcer * 0.2
        c.height[where] -= ulcer * 1.2
        c.concepts += ["Ulcer", "Crust"]


def seborrheic_keratosis(c: Canvas, rng: Rng) -> None:
    radius = float(rng.uniform(0.22, 0.38))
    for i, (x, y) in enumerate(scatter(rng, int(rng.integers(1, 4)), radius * 0.8, 0.5)):
        where, d = Blob.random(rng, x, y, radius * (1 if i == 0 else 0.6), 0.06, 1.35).on(c)
        inside = edge(d, width=0.04)
        warts = noise(rng, c.size, 14)[where]
        c.melanin[where] += inside * np.clip(0.17 + 0.05 * warts, 0.05, 0.4)
        c.height[where] += inside * (1.3 + 0.9 * np.tanh(warts))
        c.keratin[where] += inside * np.clip(warts - 0.5, 0, 1) * 0.3
        horn = edge(-warts, -1.25, 0.2) * inside  # horn plugs
        c.melanin[where] += horn * 0.3
        c.cover(where, inside)
    c.concepts += ["Plaque", "Warty/Papillomatous", "Brown(Hyperpigmentation)"]


def keloid(c: Canvas, rng: Rng) -> None:
    x, y = (float(v) for v in rng.uniform(-0.25, 0.25, 2))
    where, d = Blob.random(rng, x, y, float(rng.uniform(0.24, 0.4)), 0.13, 2.6).on(c, 1.7)
    inside = edge(d, width=0.1)
    c.redden(where, inside, float(rng.uniform(0.03, 0.06)), 0.35)
    c.saturation[where] -= inside * 0.3
    c.height[where] += np.clip(1 - d * d, 0, 1) ** 0.5 * 3
    c.gloss[where] += inside * 0.9
    c.cover(where, inside)
    c.concepts += ["Scar", "Nodule", "Exophytic/Fungating"]


PAINTERS: dict[str, Painter] = {
    "acne vulgaris": acne_vulgaris,
    "basal cell carcinoma": basal_cell_carcinoma,
    "erythema multiforme": erythema_multiforme,
    "granuloma annulare": granuloma_annulare,
    "keratosis pilaris": keratosis_pilaris,
    "lichen planus": lichen_planus,
    "malignant melanoma": malignant_melanoma,
    "nevocytic nevus": nevocytic_nevus,
    "port wine stain": port_wine_stain,
    "psoriasis": psoriasis,
    "seborrheic keratosis": seborrheic_keratosis,
    "striae": striae,
    "urticaria": urticaria,
    "vitiligo": vitiligo,
    "keloid": keloid,
}
