"""Which sequence a participant gets, and the seeds of what is drawn for them. Pure functions: the store
calls them inside the transaction that keeps the result, so that two who arrive at once are counted."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Mapping

from study_app.study.definition import Study
from study_app.study.state import RunKind

Sequence = tuple[str, ...]


def sequences(study: Study) -> tuple[Sequence, ...]:
    """Every sequence of the study's design, in a fixed order; between subjects one condition is a sequence, and in a
    mixed design the sequences of each group stand after one another."""
    keys = tuple(condition.key for condition in study.conditions)
    if study.design.kind == "between":
        return tuple((key,) for key in keys)
    if study.design.kind == "mixed":
        return tuple(order for group in study.design.groups.values() for order in _orders(study, group))
    return _orders(study, keys)


def _orders(study: Study, keys: Sequence) -> tuple[Sequence, ...]:
    """Orders of the conditions ``keys``, as the design asks for."""
    match study.design.sequences:
        case "latin_square":
            return tuple(keys[row:] + keys[:row] for row in range(len(keys)))
        case "williams":
            return _williams(keys)
        case "fixed":
            return study.design.orders
    return tuple(itertools.permutations(keys))


def _williams(keys: Sequence) -> tuple[Sequence, ...]:
    """After Williams (1949): the first row zigzags, 0, n-1, 1, n-2, ...; each further row adds 1; where the number
    of conditions is odd, the same rows backwards follow. Each condition follows each other one equally often."""
    n = len(keys)
    first = [column // 2 if column % 2 == 0 else n - 1 - column // 2 for column in range(n)]
    rows = [tuple(keys[(place + row) % n] for place in first) for row in range(n)]
    return tuple(rows + [row[::-1] for row in rows] if n % 2 else rows)


def choose_sequence(study: Study, run_kind: RunKind, participant: str, load: Mapping[Sequence, int]) -> Sequence:
    """One of the sequences with the fewest participants, drawn from the study's seed.

    ``load`` counts those who completed or are recently active in each sequence, within the study and run
    kind; a sequence it lacks counts as 0. As long as nobody leaves, counts differ by 1 at most.
    """
    every = sequences(study)
    least = min(load.get(sequence, 0) for sequence in every)
    candidates = [sequence for sequence in every if load.get(sequence, 0) == least]
    return random.Random(_seed(study, "sequence", run_kind, participant)).choice(candidates)


def image_seed(study: Study, participant: str, period: int) -> int:
    """Seed for what the pipeline draws in one exposure; 0 .. 2**31 - 1."""
    return _seed(study, "image", participant, str(period)) % 2**31


def case_seed(study: Study, run_kind: RunKind, participant: str) -> int:
    """Seed for what the draw of a participant's assigned cases leaves open."""
    return _seed(study, "cases", run_kind, participant)


def _seed(study: Study, *parts: str) -> int:
    text = "|".join((study.id, str(study.seed), *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
