"""Plain words for SKINCON's clinical concepts, shared by captions, prompts and answers."""

from __future__ import annotations

from collections.abc import Sequence

PHRASES: dict[str, str] = {
    "Acuminate": "pointed tips",
    "Atrophy": "thinned lines",
    "Black": "black areas",
    "Blue": "a blue veil",
    "Brown(Hyperpigmentation)": "brown colour",
    "Bulla": "a blister",
    "Comedo": "comedones",
    "Crust": "crust",
    "Dome-shaped": "a dome shape",
    "Erythema": "redness",
    "Exophytic/Fungating": "outward growth",
    "Flat topped": "flat tops",
    "Friable": "a bleeding point",
    "Induration": "firm borders",
    "Macule": "macules",
    "Nodule": "a nodule",
    "Papule": "papules",
    "Patch": "a patch",
    "Pedunculated": "a pinched base",
    "Plaque": "a plaque",
    "Purple": "purple colour",
    "Pustule": "pustules",
    "Salmon": "salmon colour",
    "Scale": "silvery scale",
    "Scar": "a scar",
    "Telangiectasia": "fine vessels",
    "Translucent": "a pearly look",
    "Ulcer": "an ulcer",
    "Warty/Papillomatous": "a warty surface",
    "Wheal": "wheals",
    "White(Hypopigmentation)": "white colour",
    "Xerosis": "dryness",
}
"""SKINCON concept -> the words a caption uses for it."""


def join(parts: list[str]) -> str:
    """a / a and b / a, b and c"""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def phrases_of(concepts: Sequence[str]) -> str:
    """SKINCON concepts -> `a plaque, silvery scale and redness`. Raises KeyError for an unknown concept."""
    return join([PHRASES[c] for c in concepts])
