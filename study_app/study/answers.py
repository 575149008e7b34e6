"""Which answer fits which question: checked before it is stored, whatever a page let through.

An answer is one value: a scale point, slider or number without decimals is an integer, another number a float;
the rest is text: the value of a single option or of the chosen side of a pair, "yes" or "no", the participant's words,
and for several options their values as a JSON list, in the order of the study, or of the ranking. Two texts are no
answer of that kind: `NOT_SAID`, where the item allows it, and `TAKEN_BACK`, which leaves an item unanswered again (the
log of answers only grows).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from study_app.study.definition import Study
from study_app.study.definition_checks import NOT_SAID
from study_app.study.definition_items import (
    Item,
    Likert,
    LongText,
    Multiple,
    Number,
    Pairwise,
    Ranking,
    ShortText,
    Single,
    Slider,
    YesNo,
)
from study_app.study.errors import Refused
from study_app.study.state import TAKEN_BACK, ParticipantState, Value

__all__ = ["NOT_SAID", "check_answer", "chosen_options", "ranked", "several"]


def check_answer(study: Study, state: ParticipantState, name: str, value: Value, period: int | None) -> None:
    """Raises Refused when ``name`` is not asked, not asked in ``period``, or ``value`` is no answer to it."""
    if state.status != "active" or not state.consented:
        raise Refused(f"{state.participant} is not taking part (any more).")
    item = study.item(name)
    if item is not None:
        if study.reliance is not None and item in study.reliance.first:
            _check_undecided(state, item, period)
        else:
            _check_period(state, item, period)
        if value == TAKEN_BACK and isinstance(value, str):
            if (name, period) not in state.answers:
                raise Refused(f"'{name}' has no answer to take back.")
        elif not (value == NOT_SAID and item.missing == NOT_SAID):
            _check_value(study, item, value)
    elif study.comments is not None and name == study.comments.id:
        if period is not None:
            raise Refused(f"'{name}' is asked once, not in period {period}.")
        if not isinstance(value, str) or len(value) > study.comments.max_length:
            raise Refused(f"A comment is text of up to {study.comments.max_length} characters.")
    else:
        raise Refused(f"The study asks nothing named '{name}'.")


def several(item: Multiple, chosen: Iterable[str]) -> str:
    """The stored form of several options: {"b", "a"} -> '["a", "b"]', in the order of the study."""
    values = set(chosen)
    return json.dumps([option.value for option in item.options if option.value in values])


def ranked(order: Iterable[str]) -> str:
    """The stored form of a ranking: its options' values, the first one first."""
    return json.dumps(list(order))


def chosen_options(value: Value | None) -> tuple[str, ...]:
    """The inverse of `several` and `ranked`; empty for no answer and for `NOT_SAID`."""
    found = _json(value)
    return tuple(str(each) for each in found) if isinstance(found, list) else ()


def _check_undecided(state: ParticipantState, item: Item, period: int | None) -> None:
    """The first decision is the participant's own: it stands before the assistant has said anything."""
    exposure = state.exposures.get(period) if period is not None else None
    if exposure is None or exposure.jobs:
        raise Refused(f"'{item.id}' is answered before the conversation of period {period}, not now.")


def _check_period(state: ParticipantState, item: Item, period: int | None) -> None:
    if item.repeated:
        exposure = state.exposures.get(period) if period is not None else None
        if exposure is None or exposure.finished_at is None:
            raise Refused(f"'{item.id}' is rated after a conversation; period {period} has none finished.")
    elif period is not None:
        raise Refused(f"'{item.id}' is asked once, not in period {period}.")


def _check_value(study: Study, item: Item, value: Value) -> None:
    match item:
        case Likert():
            points = study.scale_of(item).points
            if not _whole(value) or value not in points:
                raise Refused(f"{value!r} is off the scale of '{item.id}' ({points[0]} to {points[-1]}).")
        case Single():
            _check_option(item.id, value, tuple(option.value for option in item.options))
        case YesNo():
            _check_option(item.id, value, ("yes", "no"))
        case Pairwise():
            _check_option(item.id, value, tuple(side.value for side in item.sides))
        case Multiple():
            _check_several(item, value)
        case Ranking():
            options = sorted(option.value for option in item.options)
            if (
                not isinstance(value, str)
                or sorted(chosen_options(value)) != options
                or ranked(chosen_options(value)) != value
            ):
                raise Refused(f"{value!r} does not put every option of '{item.id}' in an order.")
        case Slider():
            if not _whole(value) or value not in range(item.minimum, item.maximum + 1, item.step):
                raise Refused(f"{value!r} is no point of the slider '{item.id}' ({item.minimum} to {item.maximum}).")
        case Number():
            _check_number(item, value)
        case ShortText() | LongText():
            if not isinstance(value, str) or not value.strip() or len(value) > item.max_length:
                raise Refused(f"The answer to '{item.id}' is text of up to {item.max_length} characters.")


def _check_option(name: str, value: Value, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise Refused(f"{value!r} is no answer to '{name}'; answers are {', '.join(allowed)}.")


def _check_several(item: Multiple, value: Value) -> None:
    chosen = chosen_options(value)
    if not isinstance(value, str) or value != several(item, chosen) or len(set(chosen)) < len(chosen):
        raise Refused(f"{value!r} is no list of options of '{item.id}' in their order.")
    most = item.at_most or len(item.options)
    if not item.at_least <= len(chosen) <= most:
        raise Refused(f"'{item.id}' takes {item.at_least} to {most} options, not {len(chosen)}.")


def _check_number(item: Number, value: Value) -> None:
    is_number = _whole(value) or (isinstance(value, float) and item.decimals > 0 and math.isfinite(value))
    number = float(value) if is_number else math.nan
    if not item.minimum <= number <= item.maximum or round(number, item.decimals) != number:
        raise Refused(f"{value!r} is no answer to '{item.id}' ({item.minimum:g} to {item.maximum:g}).")


def _whole(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _json(value: Value | None) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else None
    except json.JSONDecodeError:
        return None
