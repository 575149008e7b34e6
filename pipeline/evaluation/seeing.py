"""What the models see in a photo: the diagnosis, its look-alikes, and the caption."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from PIL import Image

from pipeline.blip2 import Seen
from pipeline.evaluation.figures import Figure, share
from pipeline.evaluation.unseen import conditions, photo, shown, skin_types
from pipeline.phantom import Phantom
from pipeline.phantom.words import TONES
from pipeline.skingen import SkinGEN
from pipeline.types import Diagnosis
from pipeline.wording import PHRASES

Captions = Callable[[Phantom], str]


def diagnose(skingen: SkinGEN, image: Image.Image) -> tuple[Seen, str, Diagnosis]:
    """What the model saw, its first answer, and the diagnosis; both tasks, whatever the novelty detector says."""
    seen = skingen.look(image)
    first = "".join(skingen.skingpt.first_task(seen)).strip()
    second = "".join(skingen.skingpt.second_task(seen, first)).strip()
    return seen, first, skingen.skingpt.reduce(seen, first, second)


def seeing(skingen: SkinGEN, test: Sequence[Phantom], captions: Captions) -> Iterator[Figure]:
    """The diagnosis of every phantom, those included that the app would abstain on, and the words of its caption."""
    asked = [diagnose(skingen, photo(p)) for p in shown(test, "diagnoses")]
    found = [diagnosis for _, _, diagnosis in asked]
    right = [d.label == p.label for d, p in zip(found, test, strict=True)]
    among = [p.label in (d.label, *d.lookalikes) for d, p in zip(found, test, strict=True)]
    yield share("diagnosis right, by condition", right, conditions(test), at_least=96, worst_at_least=85)
    yield share("diagnosis right, by skin type", right, skin_types(test), worst_at_least=92)
    yield share("truth among diagnosis and look-alikes", among, conditions(test), at_least=99)
    written = [captions(p) for p in shown(test, "captions")]
    signs = [{PHRASES[c] for c in p.concepts} for p in test]
    yield caption_f1([concepts_said(caption) for caption in written], signs, conditions(test))
    for where, texts in (("answer", [first for _, first, _ in asked]), ("caption", written)):
        named = [tone_said(text) == TONES[p.skin_type - 1] for text, p in zip(texts, test, strict=True)]
        yield share(f"skin type named rightly in the {where}", named, skin_types(test))


def concepts_said(caption: str) -> set[str]:
    """`brown skin with a plaque, silvery scale and redness` -> its three phrases; clear skin has none.

    A phrase that stands for no concept stays among them: it counts as a false claim.
    """
    _, _, listed = caption.strip().rstrip(".").partition(" with ")
    return {part.strip() for part in re.split(r", | and ", listed) if part.strip()}


def tone_said(text: str) -> str | None:
    """The skin tone that an answer or a caption names first: the longest of TONES before ` skin`."""
    found = re.search(rf"\b({'|'.join(sorted(TONES, key=len, reverse=True))}) skin\b", text)
    return found[1] if found else None


def f1(said: Sequence[set[str]], true: Sequence[set[str]]) -> float:
    """Micro-averaged F1 over captions, 0 to 1: 2 TP / (said + true); 1 where nothing is said and nothing true."""
    both = sum(len(s & t) for s, t in zip(said, true, strict=True))
    claims = sum(map(len, said)) + sum(map(len, true))
    return 2 * both / claims if claims else 1.0


def caption_f1(said: Sequence[set[str]], true: Sequence[set[str]], groups: Sequence[str]) -> Figure:
    """F1 of all captions, and of the group with the lowest."""
    by: dict[str, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        by[group].append(i)
    scores = {g: f1([said[i] for i in rows], [true[i] for i in rows]) for g, rows in by.items()}
    worst = min(scores, key=lambda g: scores[g])
    return Figure("caption concepts, F1", f1(said, true), len(said), "", worst, scores[worst], at_least=0.90)
