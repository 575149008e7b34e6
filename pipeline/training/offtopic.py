"""Questions that have nothing to do with the picture: templates filled with things, people, places and tasks.

Many are built like questions about the skin ("What causes rain?", "Is a shark dangerous?"), so that a model
declines by what is asked about and not by how.
"""

from __future__ import annotations

import random

from pipeline.training.questions import expand, from_all_writers, invented

_SECTIONS = from_all_writers("off_topic.txt")
TEMPLATES = _SECTIONS["templates"]
WORDS = {
    heading.removeprefix("words "): tuple(word for row in rows for word in row.split(", "))
    for heading, rows in _SECTIONS.items()
    if heading.startswith("words ")
}
"""Kind of word -> its words."""


def off_topic(rng: random.Random) -> str:
    """One question that has nothing to do with the picture; one noun in eight is invented."""
    text = expand(rng.choice(TEMPLATES), rng)
    for kind, words in WORDS.items():
        while f"{{{kind}}}" in text:
            strange = kind in ("thing", "animal", "topic", "place", "person") and rng.random() < 0.12
            text = text.replace(f"{{{kind}}}", invented(rng) if strange else rng.choice(words), 1)
    return text
