"""Where the condition is: the detector's boxes and SAM's masks against the phantoms' exact ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from pipeline.evaluation.figures import Figure, mean, share
from pipeline.evaluation.unseen import conditions, photo, shown, skin_types
from pipeline.phantom import LABELS, Phantom
from pipeline.segment import Segmenter
from pipeline.skingen import SkinGEN

Area = NDArray[np.bool_]
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in photo pixels."""

ABSENT_NAMES = 3
"""Names of conditions that are not there, tried on each phantom."""
LEAST_LESION = 0.01
"""Share of the photo that a lesion must cover to be one of the two."""
CLEAR_TRIES = 60


def masking(skingen: SkinGEN, test: Sequence[Phantom]) -> Iterator[Figure]:
    """Boxes and masks by the true name, boxes by names that are not there, and whether SAM obeys its box."""
    segmenter = skingen.segmenter
    if not isinstance(segmenter, Segmenter):
        raise TypeError(
            f"boxes and masks apart are measured of GroundingDINO with SAM, not of {type(segmenter).__name__}"
        )
    yield from _named(segmenter, test)
    yield _absent(segmenter, test)
    yield from _prompted(segmenter, test)


def _named(segmenter: Segmenter, test: Sequence[Phantom]) -> Iterator[Figure]:
    """Boxes by the true name alone; masks as the app finds them, with its fallback prompt; nothing found counts 0."""
    boxes, masks = [], []
    for p in shown(test, "boxes and masks"):
        found = segmenter.find(photo(p), str(p.label))
        boxes.append(hull(segmenter.boxes(photo(p), str(p.label))[0]))
        masks.append(iou(found.mask, p.mask) if found else 0.0)
    overlaps = [box_iou(box, box_of(p.mask)) if box else 0.0 for box, p in zip(boxes, test, strict=True)]
    yield share("the true name gets a box", [box is not None for box in boxes], conditions(test))
    yield mean("box IoU", overlaps, conditions(test), at_least=0.88)
    yield mean("mask IoU, by condition", masks, conditions(test), at_least=0.92, worst_at_least=0.78)
    yield mean("mask IoU, by skin type", masks, skin_types(test), worst_at_least=0.88)


def _absent(segmenter: Segmenter, test: Sequence[Phantom]) -> Figure:
    got, prompted = [], []
    for p in shown(test, "absent names"):
        for name in absent_names(p):
            got.append(bool(segmenter.boxes(photo(p), name)[0]))
            prompted.append(name)
    return share("a prompt for a condition that is not there gets a box", got, prompted, rare=True, at_most=2)


def absent_names(phantom: Phantom, n: int = ABSENT_NAMES) -> list[str]:
    """``n`` names of conditions that are not there, drawn by the phantom's own seed."""
    others = [name for name in LABELS if name != phantom.label]
    chosen = np.random.default_rng([0xAB5, phantom.seed]).permutation(len(others))[:n]
    return [others[i] for i in chosen]


def _prompted(segmenter: Segmenter, test: Sequence[Phantom]) -> Iterator[Figure]:
    """Does the box matter? SAM alone, not cut to its box as the product does: the cut would hide a SAM that ignores it.

    Two lesions: the two largest separate ones of a phantom, at least 1 % of the photo each, whose boxes do not meet.
    Each is prompted by its own box; it counts as masked when the mask's IoU with the lesion in that box is above 0.5
    and above the IoU with the other. Clear skin: a box that touches no lesion, on a photo that has one; the mask must
    be smaller than 1 % of the box.
    """
    obeyed, whose, empty, which = [], [], [], []
    for p in shown(test, "prompts by box"):
        pair, clear = two_lesions(p.mask), clear_box(p)
        boxes = [*(pair or ()), *([clear] if clear else [])]
        masks = segmenter.uncut(photo(p), [list(box) for box in boxes]) if boxes else []
        if pair:
            obeyed += _each_its_own(masks, pair, p.mask)
            whose += [str(p.label)] * len(pair)
        if clear:
            size = (clear[2] - clear[0]) * (clear[3] - clear[1])
            empty.append(float(masks[-1].sum()) < 0.01 * size)
            which.append(str(p.label))
    if obeyed:
        yield share("of two lesions the prompted one is masked", obeyed, whose, at_least=90)
    if empty:
        yield share("a box on clear skin gives an empty mask", empty, which, at_least=90)


def _each_its_own(masks: Sequence[Area], pair: tuple[Box, Box], true: Area) -> list[bool]:
    """For each box of the pair, whether its mask is the lesion in it."""
    lesions = [true & inside(box, true.shape) for box in pair]
    overlaps = [[iou(mask, lesion) for lesion in lesions] for mask in masks[:2]]
    return [overlaps[i][i] > 0.5 and overlaps[i][i] > overlaps[i][1 - i] for i in range(2)]


def iou(a: Area, b: Area) -> float:
    """Intersection over union of two masks, 0 to 1; 0 where both are empty."""
    return float((a & b).sum() / max(1, (a | b).sum()))


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / union if union > 0 else 0.0


def box_of(mask: Area) -> Box:
    """The box around a mask. Raises ValueError when it is empty."""
    if not mask.any():
        raise ValueError("an empty mask has no box")
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(cols[0]), float(rows[0]), float(cols[-1] + 1), float(rows[-1] + 1)


def hull(boxes: Sequence[Sequence[float]]) -> Box | None:
    """The box around all boxes, since the product masks what all of them hold; None without any."""
    if not len(boxes):
        return None
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def inside(box: Box, shape: tuple[int, ...]) -> Area:
    """(H, W) bool: the pixels of a box."""
    area = np.zeros(shape, dtype=np.bool_)
    area[int(box[1]) : int(np.ceil(box[3])), int(box[0]) : int(np.ceil(box[2]))] = True
    return area


def two_lesions(mask: Area) -> tuple[Box, Box] | None:
    """Boxes of the two largest lesions that lie apart, the first pair of enough size whose boxes do not meet."""
    parts, n = label(mask)
    sizes = np.bincount(parts.ravel(), minlength=n + 1)[1:]
    large = [i for i in np.argsort(-sizes, kind="stable") if sizes[i] >= LEAST_LESION * mask.size]
    places = find_objects(parts)
    boxes: list[Box] = [
        (float(c.start), float(r.start), float(c.stop), float(r.stop)) for r, c in (places[i] for i in large)
    ]
    return next(((a, b) for a, b in combinations(boxes, 2) if box_iou(a, b) == 0), None)


def clear_box(phantom: Phantom) -> Box | None:
    """A box of 20 to 40 % of the photo's side that touches no lesion, drawn by the phantom's seed, if there is room."""
    rng, side = np.random.default_rng([0xC1EA, phantom.seed]), len(phantom.mask)
    for _ in range(CLEAR_TRIES):
        width, height = (int(v) for v in rng.uniform(0.2, 0.4, 2) * side)
        x, y = int(rng.integers(0, side - width)), int(rng.integers(0, side - height))
        if not phantom.mask[y : y + height, x : x + width].any():
            return float(x), float(y), float(x + width), float(y + height)
    return None
