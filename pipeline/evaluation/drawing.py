"""Figures on drawn pictures: what they show, what they leave alone, and what adapters add.

Pictures are drawn by the product's own classes: mask, caption, cases, orders and generator. What they show is said by
the judge, which knows nothing of how they were made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from pipeline.caption import skin_of
from pipeline.evaluation.figures import Figure, mean, share
from pipeline.evaluation.judge import Judge
from pipeline.evaluation.similarity import DinoEmbedder, nearest_is_own, squared_error, tones
from pipeline.evaluation.unseen import photo, shown
from pipeline.frame import Frame, frame_around
from pipeline.orders import Order, Progress, seed_of
from pipeline.phantom import HELD_OUT, Phantom, draw
from pipeline.segment import Found
from pipeline.skingen import SkinGEN
from pipeline.training.data import SEEDS
from pipeline.wording import phrases_of

REFERENCES = SEEDS["test"] + 1_000_000
"""First seed of the references for the IP-Adapter: test seeds that no other figure uses."""

REFERENCE_TYPES = (1, 3, 4, 6)
"""Skin types of the references among which the one that was given must be found again."""

CARRIED_AT = 0.6
"""Scale of the IP-Adapter at which its influence is measured."""

FREELY = "whole picture from the name alone"


@dataclass(frozen=True)
class Drawn:
    """One picture, what it was drawn on and what was ordered."""

    phantom: Phantom
    frame: Frame
    order: Order
    picture: Image.Image

    @property
    def square(self) -> Image.Image:
        """The part of the picture that the generator was given to redraw."""
        return self.picture.crop(self.frame.box)


Area = tuple[Phantom, Found]
"""A phantom and where on its photo is drawn."""


def finished(news: Iterable[Progress | list[Image.Image]]) -> list[Image.Image]:
    """The pictures, without what was reported on the way."""
    return next(item for item in news if not isinstance(item, Progress))


def drawn(skingen: SkinGEN, phantom: Phantom, found: Found, orders: Sequence[Order]) -> list[Drawn]:
    """Pictures on the phantom's photo, in the order of ``orders``."""
    pictures = finished(skingen.generate(photo(phantom), found, orders))
    frame = frame_around(found.mask)
    return [Drawn(phantom, frame, order, picture) for order, picture in zip(orders, pictures, strict=True)]


def areas_of(skingen: SkinGEN, test: Sequence[Phantom]) -> list[Area]:
    """Phantoms with the area of their condition; those without one are left out, as nothing is drawn on them."""
    found = ((p, skingen.segmenter.find(photo(p), str(p.label))) for p in shown(test, "areas to draw on", len(test)))
    return [(p, area) for p, area in found if area is not None]


def explained(skingen: SkinGEN, phantom: Phantom, found: Found) -> list[Drawn]:
    """The diagnosis and its look-alikes on the phantom's photo, as the app draws them."""
    image = photo(phantom)
    labels = [str(phantom.label), *skingen.profile.about(str(phantom.label)).look_alikes]
    caption = skingen.caption(image)
    orders = skingen.orders(labels, caption, skingen.cases(image, caption, labels), phantom.seed)
    return drawn(skingen, phantom, found, orders)


def drawing(skingen: SkinGEN, judge: Judge, test: Sequence[Phantom]) -> Iterator[Figure]:
    """All figures on pictures: four on each phantom of ``test``, adapters on a part of them.

    DINOv2 is read from ``dino/`` beside the profile's models. Raises OSError when it is not there.
    """
    dino = DinoEmbedder.load(skingen.profile.root / "dino")
    areas = areas_of(skingen, test)
    drawn_on = {p.seed for p, _ in areas}
    yield share("an area to draw on is found", [p.seed in drawn_on for p in test], [str(p.label) for p in test])
    if not areas:
        return
    pictures = [d for p, found in shown(areas, "drawing") for d in explained(skingen, p, found)]
    yield from shows(judge, pictures)
    yield from leaves_alone(pictures)
    yield from scores(skingen, dino, pictures)
    yield from kept_out(skingen, judge, areas[::2])
    yield from carried_over(skingen, dino, areas[::5])
    yield from repeated(skingen, areas[:4])


def shows(judge: Judge, pictures: Sequence[Drawn]) -> Iterator[Figure]:
    """Condition and skin type, named by the judge.

    The condition is judged on the whole picture, as a participant sees it. The skin type is judged on the redrawn
    square and compared with the phantom's true one: in the whole picture untouched skin would speak for it. How often
    the judge is right on the phantoms' own photos bounds both.
    """
    asked = [d.order.label for d in pictures]
    named = [v.label for v in judge.look([d.picture for d in pictures])]
    hits = [said == label for said, label in zip(named, asked, strict=True)]
    yield share("drawn picture named as asked, by the judge", hits, asked, at_least=85, worst_at_least=60)
    said = [v.skin_type for v in judge.look([d.square for d in pictures])]
    off = [abs(t - d.phantom.skin_type) for t, d in zip(said, pictures, strict=True)]
    types = [f"type {d.phantom.skin_type}" for d in pictures]
    yield share("skin type kept exactly, redrawn square, by the judge", [o == 0 for o in off], types, at_least=85)
    yield share("skin type kept within one", [o <= 1 for o in off], types, at_least=98)
    yield from bounds(judge, list({d.phantom.seed: d.phantom for d in pictures}.values()))


def bounds(judge: Judge, test: Sequence[Phantom]) -> Iterator[Figure]:
    """The judge on phantoms themselves, which it never saw either."""
    verdicts = list(zip(judge.look([photo(p) for p in test]), test, strict=True))
    labels = [str(p.label) for p in test]
    yield share("the judge itself: condition of unseen phantoms", [v.label == p.label for v, p in verdicts], labels)
    yield share(
        "the judge itself: skin type of unseen phantoms",
        [v.skin_type == p.skin_type for v, p in verdicts],
        [f"type {p.skin_type}" for p in test],
    )


def leaves_alone(pictures: Sequence[Drawn]) -> Iterator[Figure]:
    """Pictures in which any pixel outside the redrawn area differs from the photo."""
    changed = [bool((np.asarray(d.picture) != d.phantom.image)[~d.frame.area].any()) for d in pictures]
    yield share("a pixel outside the redrawn area changed", changed, rare=True, at_most=0)


def scores(skingen: SkinGEN, dino: DinoEmbedder, pictures: Sequence[Drawn]) -> Iterator[Figure]:
    """The paper's scores (Table 2), and how far DINOv2's tells conditions apart; encoders of this pack.

    The paper draws whole pictures from the caption of an original and compares the two. Here the photo's own condition
    is redrawn from its caption, and only the redrawn square is compared: the rest is the photo itself.
    """
    images, prompts = skingen.clip.images([d.picture for d in pictures]), [d.order.prompt for d in pictures]
    yield mean(
        "CLIP score of picture and prompt (this pack's small CLIP)", (images * skingen.clip.texts(prompts)).sum(1)
    )
    own = [d for d in pictures if d.order.label == d.phantom.label]
    redrawn, originals = [d.square for d in own], [photo(d.phantom).crop(d.frame.box) for d in own]
    for name, encoder in (("CLIP", skingen.clip), ("DINOv2", dino)):
        alike = (encoder.images(redrawn) * encoder.images(originals)).sum(1)
        yield mean(f"{name} similarity of the redrawn square and the photo (this pack's small {name})", alike)
    errors = [squared_error(a, b) for a, b in zip(redrawn, originals, strict=True)]
    yield mean("mean squared error of the redrawn square and the photo, range 0 to 1", errors)
    yield from likeness(dino, pictures)


def likeness(dino: DinoEmbedder, pictures: Sequence[Drawn]) -> Iterator[Figure]:
    """Mean DINOv2 similarity of drawn pictures to phantoms' photos of the condition asked for, and of all others."""
    phantoms = list({d.phantom.seed: d.phantom for d in pictures}.values())
    table = dino.images([d.picture for d in pictures]) @ dino.images([photo(p) for p in phantoms]).T
    another = np.array([[d.phantom.seed != p.seed for p in phantoms] for d in pictures])
    same = np.array([[d.order.label == p.label for p in phantoms] for d in pictures])
    if (same & another).any():
        yield mean("DINOv2 similarity to other photos of the condition asked for", table[same & another])
        yield mean("DINOv2 similarity to other photos of other conditions", table[~same & another])


def kept_out(skingen: SkinGEN, judge: Judge, areas: Sequence[Area]) -> Iterator[Figure]:
    """The condition no base model was trained on, drawn with its LoRA and with what would be worn without that LoRA.

    Same photos, prompts and seeds; the judge looks at the whole picture.
    """
    others = tuple(lora for lora in skingen.adapters.loras if HELD_OUT not in lora.labels)
    managers = {"with": skingen.adapters, "without": replace(skingen.adapters, loras=others)}
    plans = [manager.plan(HELD_OUT, ()) for manager in managers.values()]
    named: dict[str, list[bool]] = {way: [] for way in managers}
    for phantom, found in shown(areas, "kept-out condition"):
        signs = phrases_of(draw(phantom.seed, 32, HELD_OUT, phantom.skin_type).concepts)
        prompt = f"{HELD_OUT}, {skin_of(skingen.caption(photo(phantom)))} with {signs}"
        seed = seed_of(phantom.seed, HELD_OUT)
        pair = drawn(skingen, phantom, found, [Order(HELD_OUT, prompt, plan, None, seed) for plan in plans])
        for way, verdict in zip(managers, judge.look([d.picture for d in pair]), strict=True):
            named[way].append(verdict.label == HELD_OUT)
    yield share(f"kept-out condition ({HELD_OUT}) with its LoRA, named so by the judge", named["with"], at_least=70)
    yield share(f"kept-out condition ({HELD_OUT}) without its LoRA, named so", named["without"], rare=True, at_most=20)


def references(phantom: Phantom) -> list[Phantom]:
    """Other phantoms of the same condition, one of each of `REFERENCE_TYPES`, each a scene of its own."""
    first = REFERENCES + len(REFERENCE_TYPES) * (phantom.seed - SEEDS["test"])
    return [draw(first + i, len(phantom.image), phantom.label, t) for i, t in enumerate(REFERENCE_TYPES)]


def carried_over(skingen: SkinGEN, dino: DinoEmbedder, areas: Sequence[Area]) -> Iterator[Figure]:
    """Does a picture look like the reference the IP-Adapter was given?

    A condition is drawn four times with the same prompt, LoRA and seed, each time with another of four reference
    photos of that condition, which differ in skin tone and pattern. A hit: of the four references, what was redrawn is
    nearest to the one it was given, once by tone (median colour, CIELAB: no model decides), once by DINOv2, which had
    no part in drawing, while the IP-Adapter reads CLIP. At scale 0 the four pictures are the same, so that exactly one
    in four hits: chance.

    The goal is the tone's, where the reference alone can decide: the whole picture is drawn, from the condition's
    name. As the app draws, inside the masked area and with the user's skin in the prompt, photo and prompt settle the
    tone and much of the shape, as they should; what the reference still adds there is reported without a goal.
    """
    hits: dict[tuple[str, str, float], list[bool]] = defaultdict(list)
    for phantom, found in shown(areas, "IP-Adapter"):
        given = [photo(p) for p in references(phantom)]
        for way, (area, prompt) in ways(skingen, phantom, found).items():
            for scale in (0.0, CARRIED_AT):
                orders = referring(skingen, str(phantom.label), prompt, phantom.seed, given, scale)
                squares = [d.square for d in drawn(skingen, phantom, area, orders)]
                hits[way, "tone", scale] += nearest_is_own(tones(squares), tones(given))
                hits[way, "DINOv2", scale] += nearest_is_own(dino.images(squares), dino.images(given))
    for (way, by, scale), of in hits.items():
        goal = 50.0 if (way, by, scale) == (FREELY, "tone", CARRIED_AT) else None
        k = len(REFERENCE_TYPES)
        yield share(
            f"nearest of {k} references by {by} is the one given, {way}, IP-Adapter {scale:g}", of, at_least=goal
        )


def ways(skingen: SkinGEN, phantom: Phantom, found: Found) -> dict[str, tuple[Found, str]]:
    """Area and prompt, without and with what the app knows of the photo."""
    label, (height, width) = str(phantom.label), phantom.mask.shape
    everywhere = Found(np.ones_like(found.mask), (0, 0, width, height), found.score, found.prompt)
    return {
        FREELY: (everywhere, label),
        "on the photo": (found, skingen.prompt(label, skingen.caption(photo(phantom)))),
    }


def referring(
    skingen: SkinGEN, label: str, prompt: str, seed: int, given: Sequence[Image.Image], scale: float
) -> list[Order]:
    """Orders that differ in nothing but the reference."""
    plan = replace(skingen.plan(label, ()), ip_adapter_scale=scale)
    own = seed_of(seed, label)
    return [Order(label, prompt, plan, skingen.clip.raw_images([image]), own) for image in given]


def repeated(skingen: SkinGEN, areas: Sequence[Area]) -> Iterator[Figure]:
    """Everything done again with the same seed: the same pictures, to the bit."""
    same = []
    for phantom, found in shown(areas, "drawing again"):
        first, second = (explained(skingen, phantom, found) for _ in range(2))
        same += [a.picture.tobytes() == b.picture.tobytes() for a, b in zip(first, second, strict=True)]
    yield share("same seed drawn again, the same picture to the bit", same, at_least=100)
