"""Which answer fits which question: checked before it is stored, whatever a page let through."""

from __future__ import annotations

from study_app.study.definition import Item, Study
from study_app.study.errors import Refused
from study_app.study.state import ParticipantState, Value


def check_answer(study: Study, state: ParticipantState, name: str, value: Value, period: int | None) -> None:
    """Raises Refused when ``name`` is not asked, not asked in ``period``, or ``value`` is no answer to it."""
    if state.status != "active" or not state.consented:
        raise Refused(f"{state.participant} is not taking part (any more).")
    items = {item.id: item for item in study.items}
    questions = {question.id: question for question in study.demographics}
    if name in items:
        _check_item(study, state, items[name], value, period)
    elif period is not None:
        raise Refused(f"'{name}' is asked once, not in period {period}.")
    elif name in questions:
        allowed = [option.value for option in questions[name].options]
        if value not in allowed:
            raise Refused(f"{value!r} is no answer to '{name}'; answers are {', '.join(allowed)}.")
    elif study.comments is not None and name == study.comments.id:
        if not isinstance(value, str) or len(value) > study.comments.max_length:
            raise Refused(f"A comment is text of up to {study.comments.max_length} characters.")
    else:
        raise Refused(f"The study asks nothing named '{name}'.")


def _check_item(study: Study, state: ParticipantState, item: Item, value: Value, period: int | None) -> None:
    points = study.scale_of(item).points
    if isinstance(value, bool) or not isinstance(value, int) or value not in points:
        raise Refused(f"{value!r} is off the scale of '{item.id}' ({points[0]} to {points[-1]}).")
    if item.repeated:
        exposure = state.exposures.get(period) if period is not None else None
        if exposure is None or exposure.finished_at is None:
            raise Refused(f"'{item.id}' is rated after a conversation; period {period} has none finished.")
    elif period is not None:
        raise Refused(f"'{item.id}' is asked once, not in period {period}.")
