"""Scores of scales from their items, as the study or its instrument declares them. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from study_app.study.definition import Study
from study_app.study.definition_items import Likert, Slider
from study_app.study.definition_parts import Score
from study_app.study.state import Value

Answers = Mapping[tuple[str, int | None], Value]


@dataclass(frozen=True)
class Scored:
    """``value`` is None where an item of the scale has no number as its answer: no score from a part."""

    score: str
    period: int | None
    value: float | None


def scores(study: Study, answers: Answers) -> tuple[Scored, ...]:
    """Every score of the study, for each period where its items are repeated. ``answers`` as in
    `ParticipantState.answers`: (item id, period or None) -> newest value."""
    found: list[Scored] = []
    for score in study.scores:
        first = study.item(score.items[0])
        periods = range(1, study.periods + 1) if first is not None and first.repeated else (None,)
        found += [Scored(score.id, period, scored(study, score, answers, period)) for period in periods]
    return tuple(found)


def scored(study: Study, score: Score, answers: Answers, period: int | None) -> float | None:
    """(mean or sum of the items, reversed where declared, + add) x times; None where an answer is missing."""
    values = [_keyed(study, score, name, answers.get((name, period))) for name in score.items]
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return None
    total = float(sum(numbers))
    return ((total if score.method == "sum" else total / len(numbers)) + score.add) * score.times


def _keyed(study: Study, score: Score, name: str, value: Value | None) -> float | None:
    """The answer, or its mirror image on the scale for an item keyed the other way; None for no number."""
    if not isinstance(value, int | float):
        return None
    if name not in score.reverse:
        return value
    item = study.item(name)
    if isinstance(item, Likert):
        return study.scale_of(item).minimum + study.scale_of(item).maximum - value
    assert isinstance(item, Slider)  # the checker lets no other kind into a score
    return item.minimum + item.maximum - value
