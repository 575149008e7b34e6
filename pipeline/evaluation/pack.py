"""How good the embedded pack is: every role of the pipeline on unseen phantoms, through the product's own classes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipeline.blip2 import Seen
from pipeline.diagnose import named
from pipeline.generate import Progress, frame_around
from pipeline.phantom import HELD_OUT, LABELS, Phantom, draw
from pipeline.skingen import SkinGEN
from pipeline.training.data import SEEDS
from pipeline.types import Diagnosis
from pipeline.wording import PHRASES

PHOTO = 256
"""Pixels on a side of the photos the pipeline is given; it works at the pack's own size."""


@dataclass(frozen=True)
class Figure:
    """One row of the model card."""

    what: str
    value: float
    n: int
    unit: str = "%"
    worst: str = ""
    """The worst condition or skin type, with its value."""


def unseen(n: int) -> list[Phantom]:
    """``n`` phantoms of the test seeds, balanced over conditions and skin types."""
    return [draw(SEEDS["test"] + i, PHOTO, LABELS[i % len(LABELS)], i // len(LABELS) % 6 + 1) for i in range(n)]


def photo(phantom: Phantom) -> Image.Image:
    return Image.fromarray(phantom.image)


def _share(what: str, hits: list[bool], groups: list[str] | None = None, rare: bool = False) -> Figure:
    """Share of hits, and the group with the fewest (``rare``: the most, where hits are what should not be)."""
    by: dict[str, list[bool]] = defaultdict(list)
    for hit, group in zip(hits, groups or [], strict=False):
        by[group].append(hit)
    low = (max if rare else min)(by, key=lambda g: np.mean(by[g])) if by else ""
    worst = f"{low} {100 * float(np.mean(by[low])):.0f} %" if by else ""
    return Figure(what, 100 * float(np.mean(hits)), len(hits), worst=worst)


def diagnose(skingen: SkinGEN, image: Image.Image) -> tuple[Seen, str, Diagnosis]:
    """Both tasks, greedy, whatever the novelty detector says."""
    seen = skingen.look(image)
    first = "".join(skingen.skingpt.first_task(seen)).strip()
    second = "".join(skingen.skingpt.second_task(seen, first)).strip()
    return seen, first, skingen.skingpt.reduce(seen, first, second)


def diagnosis(skingen: SkinGEN, test: list[Phantom]) -> Iterator[Figure]:
    """Right names, look-alikes, abstentions, and what captions say."""
    named_right, among, abstained, hits = [], [], [], np.zeros(3)
    for p in test:
        seen, _, found = diagnose(skingen, photo(p))
        named_right.append(found.label == p.label)
        among.append(p.label in (found.label, *found.lookalikes))
        abstained.append(not skingen.skingpt.is_familiar(seen))
        said = skingen.caption(photo(p))
        claimed = {c for c, phrase in PHRASES.items() if phrase in said}
        truth = set(p.concepts)
        hits += (len(claimed & truth), len(claimed), len(truth))
    groups = [str(p.label) for p in test]
    yield _share("diagnosis right", named_right, groups)
    yield _share("diagnosis right, by skin type", named_right, [f"type {p.skin_type}" for p in test])
    yield _share("truth among diagnosis and look-alikes", among, groups)
    yield _share("abstains on phantoms (should be rare)", abstained, groups, rare=True)
    yield Figure("caption concepts, F1", 100 * float(2 * hits[0] / (hits[1] + hits[2])), len(test))


def strangers(n: int) -> dict[str, list[Image.Image]]:
    """Pictures the models must not name: noise, flat colour, drawn shapes, and the condition kept out of training."""
    rng = np.random.default_rng(7)
    noise = [Image.fromarray(rng.integers(0, 256, (PHOTO, PHOTO, 3), dtype=np.uint8)) for _ in range(n)]
    flat = [Image.new("RGB", (PHOTO, PHOTO), tuple(int(v) for v in rng.integers(0, 256, 3))) for _ in range(n)]
    return {
        "noise": noise,
        "flat colour": flat,
        "drawn shapes": [_shapes(rng) for _ in range(n)],
        "kept-out condition": [photo(draw(SEEDS["test"] + 900_000 + i, PHOTO, HELD_OUT, i % 6 + 1)) for i in range(n)],
    }


def _shapes(rng: np.random.Generator) -> Image.Image:
    sheet = Image.new("RGB", (PHOTO, PHOTO), tuple(int(v) for v in rng.integers(0, 256, 3)))
    pen = ImageDraw.Draw(sheet)
    for _ in range(int(rng.integers(2, 6))):
        x, y, w, h = (int(v) for v in rng.integers(20, PHOTO - 60, 4))
        box, colour = (x, y, x + w, y + h), tuple(int(v) for v in rng.integers(0, 256, 3))
        (pen.rectangle if rng.random() < 0.5 else pen.ellipse)(box, fill=colour)
    return sheet


def novelty(skingen: SkinGEN, n: int) -> Iterator[Figure]:
    for kind, pictures in strangers(n).items():
        refused = [not skingen.skingpt.is_familiar(skingen.look(image)) for image in pictures]
        yield _share(f"abstains on {kind}", refused)


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def masks(skingen: SkinGEN, test: list[Phantom]) -> Iterator[Figure]:
    """Detector by the true name and by absent names; masks against the phantom's exact one."""
    overlaps, absent = [], []
    for p in test:
        found = skingen.segmenter.find(photo(p), str(p.label))
        overlaps.append(iou(found.mask, p.mask) if found else 0.0)
        other = LABELS[(LABELS.index(str(p.label)) + 5) % len(LABELS)]
        absent.append(bool(skingen.segmenter.boxes(photo(p), other)[0]))
    by: dict[str, list[float]] = defaultdict(list)
    for p, overlap in zip(test, overlaps, strict=True):
        by[str(p.label)].append(overlap)
    low = min(by, key=lambda g: np.mean(by[g]))
    yield Figure(
        "mask IoU, prompted with the true name",
        float(np.mean(overlaps)),
        len(test),
        "",
        f"{low} {np.mean(by[low]):.2f}",
    )
    yield _share("an absent condition gets a box (should be rare)", absent)


def retrieval(skingen: SkinGEN, test: list[Phantom], k: int = 4) -> Iterator[Figure]:
    """Share of the first ``k`` cases, searched by picture and caption without a label, of the true condition."""
    right = []
    for p in test:
        image = skingen.clip.images([photo(p)])[0]
        words = skingen.clip.texts([skingen.caption(photo(p))])[0]
        right += [hit.label == p.label for hit in skingen.library.search(image, words, k=k)]
    yield _share(f"retrieval, precision at {k} by label", right)


def generation(skingen: SkinGEN, test: list[Phantom]) -> Iterator[Figure]:
    """Pictures of the diagnosis and its look-alikes, named by SkinGPT, which had no part in training the generator."""
    named_so, groups, outside, seconds = [], [], [], []
    for p, seed in zip(test, count()):
        image, about = photo(p), skingen.profile.about(str(p.label))
        found = skingen.segmenter.find(image, str(p.label))
        if found is None:
            continue
        labels = [str(p.label), *about.look_alikes]
        caption = skingen.caption(image)
        began = time.monotonic()
        orders = skingen.orders(labels, caption, skingen.cases(image, caption, labels), seed)
        pictures = next(x for x in skingen.generate(image, found, orders) if not isinstance(x, Progress))
        seconds.append(time.monotonic() - began)
        for label, drawn in zip(labels, pictures, strict=True):
            said = "".join(skingen.skingpt.first_task(skingen.look(drawn)))
            named_so.append(named(said, LABELS)[:1] == (label,))
            groups.append(label)
            changed = (np.asarray(drawn) != np.asarray(image)).any(-1)
            outside.append(bool(changed[~_near(found.mask)].any()))
    yield _share("drawn picture named as asked, by SkinGPT", named_so, groups)
    yield _share("drawn picture changes pixels far from the mask (must be 0)", outside)
    yield Figure("four pictures, median on this machine", float(np.median(seconds)), len(seconds), "s")


def _near(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return frame_around(mask).area


def evaluate(skingen: SkinGEN, n: int, report: Callable[[Figure], None]) -> list[Figure]:
    """All figures, each reported as soon as it is known."""
    test = unseen(n)
    figures = []
    for part in (
        diagnosis(skingen, test),
        novelty(skingen, max(20, n // 4)),
        masks(skingen, test),
        retrieval(skingen, test),
        generation(skingen, test[: max(28, n // 4)]),
    ):
        for figure in part:
            report(figure)
            figures.append(figure)
    return figures
