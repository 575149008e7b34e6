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
    """All k! orders of the study's k conditions, in a fixed order."""
    return tuple(itertools.permutations(condition.key for condition in study.conditions))


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


def _seed(study: Study, *parts: str) -> int:
    text = "|".join((study.id, str(study.seed), *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
