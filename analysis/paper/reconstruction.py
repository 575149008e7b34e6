"""A data set that could have given Tables 3 and 5: drawn with a seed, each possible one as likely as the others.

Only what the paper prints is drawn: gender, medical background and the six statements rated once. The nine cells of
Figure 9 were never printed as numbers, so nobody here has a rating of the three repeated statements. How answers go
together in one person is unknown and drawn at random.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from analysis.paper.closure import closure
from analysis.paper.published import published

STUDY = "skingen_reconstruction"
ITEM_KEYS = MappingProxyType(
    {
        "SkinGEN's diagnosis is correct or relevant.": "correct",
        "The description provided by SkinGEN is informative.": "informative",
        "The suggestions offered by SkinGEN are useful.": "useful_suggestions",
        "I would be willing to use SkinGEN in the future.": "future_use",
        "The generated skin disease image looks realistic.": "realistic",
        "I find SkinGEN to be a useful system.": "useful",
    }
)
"""Statement of Table 5 -> the key that ``questionnaires/skingen.yaml`` gives it."""
ANSWERS = MappingProxyType(
    {"gender": ("Gender", "Male", "Female"), "medical_background": ("Medical background", "Yes", "No")}
)
"""Question -> its name in Table 3 and the two options printed there."""

Counts = tuple[int, ...]


@dataclass(frozen=True)
class Person:
    """One drawn participant. ``answers``: gender, medical_background; ``ratings``: item key -> point."""

    answers: Mapping[str, str]
    ratings: Mapping[str, int]


@dataclass(frozen=True)
class Reconstruction:
    """``people`` in order; ``distributions``: item key -> the counts of ratings that were drawn for its cell."""

    seed: int
    people: tuple[Person, ...]
    distributions: Mapping[str, Counts]


def reconstruct(seed: int = 0) -> Reconstruction:
    """Draw one of the possible data sets; the same seed gives the same one."""
    facts = published()
    n = facts.participants.whole
    distributions = {ITEM_KEYS[row]: _drawn(possible(row), _dice(seed, row)) for row in facts.rows("skingen", "table5")}
    low = facts.scale[0]
    ratings = {
        key: _dice(seed, key).sample([low + point for point, count in enumerate(counts) for _ in range(count)], n)
        for key, counts in distributions.items()
    }
    answers = {key: _dice(seed, key).sample(_options(key), n) for key in ANSWERS}
    people = tuple(
        Person(
            MappingProxyType({key: values[place] for key, values in answers.items()}),
            MappingProxyType({key: values[place] for key, values in ratings.items()}),
        )
        for place in range(n)
    )
    return Reconstruction(seed, people, MappingProxyType(distributions))


@lru_cache(maxsize=32)
def possible(row: str) -> tuple[Counts, ...]:
    """Every distribution of ratings behind a row of Table 5 (CLOSURE). Raises KeyError for an unknown row."""
    facts = published()
    mean, sd = (facts.cell("skingen", "table5", row, column).value for column in ("mean", "sd"))
    found = closure(mean, sd, facts.participants.whole, facts.scale)
    return tuple(tuple(counts) for counts in found.tolist())


def arrangements(counts: Sequence[int]) -> int:
    """Ways to give these counts of ratings to distinct people (multinomial coefficient)."""
    ways, left = 1, sum(counts)
    for count in counts:
        ways *= math.comb(left, count)
        left -= count
    return ways


def data_sets() -> int:
    """Data sets of 32 distinct people that Tables 3 and 5 allow."""
    facts = published()
    ways = math.prod(sum(arrangements(counts) for counts in possible(row)) for row in facts.rows("skingen", "table5"))
    return ways * math.prod(arrangements(_table3(key)) for key in ANSWERS)


def _table3(key: str) -> Counts:
    name, *options = ANSWERS[key]
    return tuple(published().cell("skingen", "table3", f"{name}: {option}", "count").whole for option in options)


def _options(key: str) -> list[str]:
    """The printed number of each answer, as the questionnaire stores it (lower case)."""
    options = ANSWERS[key][1:]
    return [option.lower() for option, count in zip(options, _table3(key), strict=True) for _ in range(count)]


def _drawn(distributions: Sequence[Counts], dice: random.Random) -> Counts:
    """One distribution, weighted by its arrangements: so every data set, not every distribution, is as likely."""
    weights = [arrangements(counts) for counts in distributions]
    place = dice.randrange(sum(weights))
    for counts, weight in zip(distributions, weights, strict=True):
        if place < weight:
            return counts
        place -= weight
    raise AssertionError("a place below the sum of the weights is in one of them")


def _dice(seed: int, what: str) -> random.Random:
    """Its own stream for everything drawn: a further statement would not change what the others got."""
    return random.Random(f"{STUDY}|{seed}|{what}")
