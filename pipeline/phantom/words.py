"""The words of a phantom: tones, concept phrases, and captions."""

from __future__ import annotations

TONES = ("very fair", "fair", "light beige", "olive", "brown", "dark brown")
"""Skin tone words for Fitzpatrick types I to VI."""

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
    "Induration": "firm borders",
    "Macule": "macules",
    "Nodule": "a nodule",
    "Papule": "papules",
    "Patch": "a patch",
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


def caption_of(skin_type: int, concepts: tuple[str, ...]) -> str:
    """`brown skin with a plaque, silvery scale and redness`; clear skin has no concepts."""
    tone = TONES[skin_type - 1]
    return f"{tone} skin with {join([PHRASES[c] for c in concepts])}" if concepts else f"clear {tone} skin"
