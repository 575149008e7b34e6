""" "I cannot tell": how often the models abstain on what they cannot know, and on what they should know."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pipeline.evaluation.figures import Figure, share
from pipeline.evaluation.unseen import PHOTO, conditions, photo, shown
from pipeline.phantom import HELD_OUT, SKIN_TYPES, Phantom, draw
from pipeline.photo import clean_photo
from pipeline.skingen import SkinGEN
from pipeline.training.data import SEEDS

STRANGE_SEED = 7
"""Of noise, colours and shapes."""
KEPT_OUT_SEEDS = SEEDS["test"] + 900_000
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic"})


ON_PHOTOS = "abstains on real photographs"


def abstaining(skingen: SkinGEN, test: Sequence[Phantom], n: int, photos: Path | None = None) -> Iterator[Figure]:
    """Abstentions of the novelty detector, as in the app, on ``n`` pictures of each strange kind and on ``test``.

    photos: a folder of real photographs, a figure of their own: they are not part of the repository. A photo on which
    the model is not strange to the detector but names nothing in words is not counted as an abstention here.
    """
    figures = [
        share(f"abstains on {kind}", [_abstains(skingen, image) for image in shown(pictures, kind)])
        for kind, pictures in strangers(n).items()
    ]
    yield from figures
    yield over_kinds(figures)
    if photos is not None:
        real = photographs(photos)
        yield share(ON_PHOTOS, [_abstains(skingen, image) for image in shown(real, "real photographs")], at_least=90)
    refused = [_abstains(skingen, photo(p)) for p in shown(test, "abstentions on phantoms")]
    yield share("abstains on phantoms", refused, conditions(test), rare=True, at_most=3)


def _abstains(skingen: SkinGEN, image: Image.Image) -> bool:
    return not skingen.skingpt.is_familiar(skingen.look(image))


def over_kinds(figures: Sequence[Figure]) -> Figure:
    """The mean over the kinds, each counting the same however many pictures it has, and the kind with the lowest."""
    worst = min(figures, key=lambda f: f.value)
    return Figure(
        "abstains on pictures it cannot know, mean over kinds",
        float(np.mean([f.value for f in figures])),
        sum(f.n for f in figures),
        worst=worst.what.removeprefix("abstains on "),
        worst_value=worst.value,
        at_least=90,
    )


def strangers(n: int) -> dict[str, list[Image.Image]]:
    """Pictures the models must not name: noise, flat colour, drawn shapes, and the condition kept out of training."""
    rng = np.random.default_rng(STRANGE_SEED)
    noise = [Image.fromarray(rng.integers(0, 256, (PHOTO, PHOTO, 3), dtype=np.uint8)) for _ in range(n)]
    flat = [Image.new("RGB", (PHOTO, PHOTO), _colour(rng)) for _ in range(n)]
    kept_out = [draw(KEPT_OUT_SEEDS + i, PHOTO, HELD_OUT, SKIN_TYPES[i % len(SKIN_TYPES)]) for i in range(n)]
    return {
        "noise": noise,
        "flat colour": flat,
        "drawn shapes": [_shapes(rng) for _ in range(n)],
        f"the kept-out condition ({HELD_OUT})": [photo(p) for p in kept_out],
    }


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = (int(v) for v in rng.integers(0, 256, 3))
    return red, green, blue


def _shapes(rng: np.random.Generator) -> Image.Image:
    """Two to five filled rectangles and ellipses on a plain ground."""
    sheet = Image.new("RGB", (PHOTO, PHOTO), _colour(rng))
    pen = ImageDraw.Draw(sheet)
    for _ in range(int(rng.integers(2, 6))):
        x, y, w, h = (int(v) for v in rng.integers(20, PHOTO - 60, 4))
        (pen.rectangle if rng.random() < 0.5 else pen.ellipse)((x, y, x + w, y + h), fill=_colour(rng))
    return sheet


def photographs(folder: Path) -> list[Image.Image]:
    """The folder's pictures, cleaned as a participant's photo is. Raises FileNotFoundError when there is none."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES)
    if not paths:
        raise FileNotFoundError(f"{folder} holds no photo ({', '.join(sorted(PICTURES))})")
    return [Image.open(io.BytesIO(clean_photo(p.read_bytes()).png)).convert("RGB") for p in paths]
