"""Which cases a participant gets, in which order. Pure functions: the store calls `assign` inside the transaction
that draws the sequence and keeps both.

The study's cases stand in a circle, shuffled once by its seed. A participant begins at one place of the circle and
takes as many cases as they meet; the first of them belong to the study's first condition, and so on, whatever the
sequence. Over all places of the circle each case meets each condition equally often (a cyclic design), so the place
with the fewest participants is taken, and among those the one whose cases met these conditions least.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from study_app.study.definition import Study

Deal = frozenset[tuple[str, str]]
"""(condition, case) of one participant, without the order."""


@dataclass(frozen=True)
class Assigned:
    """What an earlier participant, completed or recently active, was given: condition and case in each period."""

    sequence: tuple[str, ...]
    cases: tuple[str, ...]

    @property
    def deal(self) -> Deal:
        each = len(self.cases) // len(self.sequence) if self.sequence else 0
        return frozenset((self.sequence[n // each], case) for n, case in enumerate(self.cases))


def assign(study: Study, sequence: tuple[str, ...], earlier: Sequence[Assigned], seed: int) -> tuple[str, ...]:
    """The case of each period, in order; empty for a study without assigned cases.

    ``earlier`` are the participants who count for the balance, ``seed`` is the participant's own: it settles what is
    left open and the order within a condition.
    """
    if not study.photo.cases:
        return ()
    chance = random.Random(seed)
    deals = _deals(study, sequence)
    taken = Counter(each.deal for each in earlier)
    met = Counter(pair for each in earlier for pair in each.deal)
    here = Counter(each.deal for each in earlier if each.sequence == sequence)
    costs = [(taken[deal], sum(met[pair] for pair in deal), here[deal]) for deal in deals]
    deal = chance.choice([deal for deal, cost in zip(deals, costs, strict=True) if cost == min(costs)])
    found: list[str] = []
    for condition in sequence:
        cases = sorted(case for key, case in deal if key == condition)
        found += chance.sample(cases, len(cases))
    return tuple(found)


def _deals(study: Study, sequence: tuple[str, ...]) -> tuple[Deal, ...]:
    """One for each place of the circle."""
    circle = [case.id for case in study.photo.cases]
    random.Random(f"cases|{study.id}|{study.seed}").shuffle(circle)
    each = study.photo.cases_per_condition
    keys = [condition.key for condition in study.conditions if condition.key in sequence]
    return tuple(
        frozenset(
            (key, circle[(start + place * each + n) % len(circle)])
            for place, key in enumerate(keys)
            for n in range(each)
        )
        for start in range(len(circle))
    )
