"""Decisions of simulated participants in a reliance step, with rates that the analysis must find again.

The assistant is right in `ADVICE_RIGHT` of the cases. A participant is right alone in `ALONE_RIGHT`; where the advice
is another decision, they follow it in `FOLLOWS` of the cases, right or wrong.
"""

from __future__ import annotations

import random

from study_app.study.definition import Study
from study_app.study.state import ParticipantState

ADVICE_RIGHT, ALONE_RIGHT, FOLLOWS = 0.7, 0.6, 0.5


def advice(study: Study, state: ParticipantState, period: int, chance: random.Random) -> str | None:
    """The simulated diagnosis; None without a reliance step, as nothing depends on it there."""
    if study.reliance is None:
        return None
    truth = study.photo.case(state.cases[period - 1]).truth
    others = sorted({case.truth for case in study.photo.cases} - {truth})
    return truth if chance.random() < ADVICE_RIGHT or not others else chance.choice(others)


def first_decision(study: Study, state: ParticipantState, period: int, chance: random.Random) -> str:
    """An option's value."""
    assert study.reliance is not None
    right = study.reliance.option_of(study.photo.case(state.cases[period - 1]).truth)
    others = [option.value for option in study.reliance.options if option.value != right]
    return right if right is not None and chance.random() < ALONE_RIGHT else chance.choice(others)


def final_decision(study: Study, first: str, advised: str | None, chance: random.Random) -> str:
    """``advised``: the diagnosis that the assistant gave."""
    assert study.reliance is not None
    option = study.reliance.option_of(advised) if advised else None
    if option is None or option == first:
        return first
    return option if chance.random() < FOLLOWS else first
