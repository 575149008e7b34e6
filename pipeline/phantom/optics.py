"""Colour of skin from what absorbs and scatters light in it: melanin, blood, and collagen.

A two-layer model. The epidermis is a filter passed twice, coloured by its melanosome volume fraction;
below it the dermis reflects diffusely (Kubelka-Munk) with absorption by blood and scattering by
collagen. Nine wavelengths, three for each of the camera's channels, are averaged.

Sources: S. L. Jacques, "Optical properties of biological tissues: a review", Phys. Med. Biol. 58
(2013) R37 (melanosome absorption, skin scattering, baseline absorption); S. Prahl's tabulation of the
molar extinction of oxy- and deoxyhaemoglobin (numbers below); Kubelka & Munk (1931).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

_NM = np.array([590, 620, 650, 520, 540, 560, 440, 460, 480], dtype=np.float64)
_HBO2 = np.array([14400, 942, 368, 24202, 53236, 32613, 102580, 44480, 26629], dtype=np.float64)
_HB = np.array([28325, 6509, 3750, 31589, 46592, 53788, 413280, 23388, 14550], dtype=np.float64)
_BLOOD_PER_MOLAR = 2.303 * 150 / 64500  # 150 g/l haemoglobin of 64,500 g/mol: cm-1 per cm-1/M

_MELANOSOME = (6.6e11 * _NM**-3.33).astype(np.float32)  # cm-1
_SCATTER = (46.0 * (_NM / 500) ** -1.421).astype(np.float32)  # reduced scattering, cm-1
_BASELINE = (0.244 + 85.3 * np.exp(-(_NM - 154) / 66.2)).astype(np.float32)  # cm-1
_EPIDERMIS_CM = 0.006
_OBLIQUE = 1.35  # diffuse light crosses the epidermis on a longer path than its thickness

MELANIN_BY_TYPE: tuple[tuple[float, float], ...] = (
    (0.008, 0.018),
    (0.022, 0.038),
    (0.048, 0.075),
    (0.092, 0.132),
    (0.160, 0.225),
    (0.275, 0.400),
)
"""Melanosome volume fraction of the epidermis for Fitzpatrick types I to VI: the literature's ranges
(1 to 6 % lightly, 11 to 16 % moderately, 18 to 43 % darkly pigmented) cut into six with gaps between."""


def reflectance(melanin: Field, blood: Field, saturation: Field, deep: Field) -> Field:
    """Linear RGB reflectance, shape (H, W, 3), 0 to 1.

    melanin: melanosome volume fraction of the epidermis, (H, W), 0 to 0.5
    blood: blood volume fraction of the dermis, (H, W), 0 to 0.2
    saturation: oxygen saturation of that blood, (H, W), 0 to 1; low looks violet
    deep: melanosome fraction in the upper dermis, (H, W), 0 to 0.05; looks blue-grey
    """
    out = np.empty((*melanin.shape, 3), dtype=np.float32)
    for channel in range(3):
        total = np.zeros_like(melanin)
        for i in range(channel * 3, channel * 3 + 3):
            through = np.exp(-2 * _OBLIQUE * _EPIDERMIS_CM * _MELANOSOME[i] * melanin)
            haem = np.float32(_HBO2[i]) * saturation + np.float32(_HB[i]) * (1 - saturation)
            absorbed = blood * haem * np.float32(_BLOOD_PER_MOLAR) + deep * _MELANOSOME[i] + _BASELINE[i]
            ratio = 2 * absorbed / (0.75 * _SCATTER[i])
            total += through * (1 + ratio - np.sqrt(ratio * ratio + 2 * ratio))
        out[..., channel] = total / 3
    return out


def encode(linear: Field) -> NDArray[np.uint8]:
    """Linear light 0 to 1 -> sRGB bytes."""
    x = np.clip(linear, 0, 1)
    srgb = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.power(x, 1 / 2.4) - 0.055)
    return np.asarray(srgb * 255 + 0.5, dtype=np.uint8)
