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
"""SKINCON concept -> the words a caption uses for it. The embedded models learned these, in this order."""

_OTHERS: dict[str, str] = {
    "Abscess": "an abscess",
    "Burrow": "burrows",
    "Cyst": "a cyst",
    "Erosion": "erosions",
    "Excoriation": "scratch marks",
    "Exudate": "oozing",
    "Fissure": "cracks",
    "Gray": "grey colour",
    "Lichenification": "thickened skin with coarse lines",
    "Pigmented": "darker pigment",
    "Poikiloderma": "mottled colour",
    "Purpura/Petechiae": "purple-red spots of blood",
    "Sclerosis": "hardened skin",
    "Umbilicated": "a central dimple",
    "Vesicle": "small blisters",
    "Yellow": "yellow colour",
}
"""SKINCON's other concepts (Daneshjou et al. 2022 name 48), for closed sets of your own."""

SKINCON: dict[str, str] = PHRASES | _OTHERS
"""All of SKINCON's concepts -> the words a prompt uses for them."""


def join(parts: list[str]) -> str:
    """a / a and b / a, b and c"""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def phrases_of(concepts: Sequence[str]) -> str:
    """One or more SKINCON concepts -> `a plaque, silvery scale and redness`. Raises KeyError for an unknown one."""
    return join([SKINCON[c] for c in concepts])
