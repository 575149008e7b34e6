"""One painter per condition: morphology as a dermatology atlas describes it, on the canvas' maps.

Each painter adds lesions to the canvas, marks them in ``canvas.mask``, and appends the SKINCON
concepts (Daneshjou et al., 2022) that this very picture shows. What is marked can be seen, and what can
be seen is marked: the mask ends where half of the lesion's colour is gone.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.phantom import growths, inflammation
from pipeline.phantom.canvas import Canvas, Rng

Painter = Callable[[Canvas, Rng], None]

PAINTERS: dict[str, Painter] = {
    "acne vulgaris": inflammation.acne_vulgaris,
    "basal cell carcinoma": growths.basal_cell_carcinoma,
    "erythema multiforme": inflammation.erythema_multiforme,
    "granuloma annulare": inflammation.granuloma_annulare,
    "kaposi sarcoma": growths.kaposi_sarcoma,
    "keratosis pilaris": inflammation.keratosis_pilaris,
    "lichen planus": inflammation.lichen_planus,
    "malignant melanoma": growths.malignant_melanoma,
    "nevocytic nevus": growths.nevocytic_nevus,
    "port wine stain": growths.port_wine_stain,
    "psoriasis": inflammation.psoriasis,
    "pyogenic granuloma": growths.pyogenic_granuloma,
    "seborrheic keratosis": growths.seborrheic_keratosis,
    "striae": inflammation.striae,
    "urticaria": inflammation.urticaria,
    "vitiligo": inflammation.vitiligo,
    "keloid": growths.keloid,
}
"""Names as in Fitzpatrick17k (Groh et al., 2021)."""
