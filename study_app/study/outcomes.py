"""How a participation ends by the study's own rules: who cannot take part, and whose answers cannot count. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from study_app.study.definition import Study
from study_app.study.definition_items import Likert, Single
from study_app.study.definition_parts import Eligibility
from study_app.study.state import ParticipantState, Value

Answers = Mapping[tuple[str, int | None], Value]
DECLINED = "declined"
NOT_ELIGIBLE = "not eligible"
FAILED_CHECKS = "failed attention checks"
"""Reasons as stored with the participant; ``not eligible`` is followed by the question: "not eligible: age"."""


def not_eligible(study: Study, answers: Answers) -> str | None:
    """The reason for not taking part, from the first rule that the answers do not meet; None when all are met."""
    for rule in study.eligibility:
        if not _met(rule, answers.get((rule.item, None))):
            return f"{NOT_ELIGIBLE}: {rule.item}"
    return None


def _met(rule: Eligibility, value: Value | None) -> bool:
    if rule.one_of:
        return value in rule.one_of
    if not isinstance(value, int | float):
        return False
    return (rule.at_least is None or value >= rule.at_least) and (rule.at_most is None or value <= rule.at_most)


def failed_checks(study: Study, answers: Answers) -> int:
    """How many attention checks were answered otherwise than their wording asks for."""
    return sum(answers.get(place) != right for place, right in _checks(study))


def number_of_checks(study: Study) -> int:
    """Attention checks that each participant meets; a repeated one counts once for each condition met."""
    return sum(1 for _ in _checks(study))


def _checks(study: Study) -> Iterator[tuple[tuple[str, int | None], Value]]:
    """(place of the answer, right answer) of each attention check."""
    for item in (*study.demographics, *study.items):
        if isinstance(item, Likert | Single) and item.attention_check is not None:
            for period in range(1, study.periods + 1) if item.repeated else (None,):
                yield (item.id, period), item.attention_check


def excluded_by_rule(study: Study, answers: Answers) -> str | None:
    """The reason for which a finished participation does not count; None when it counts."""
    limit = study.exclusion.failed_attention_checks if study.exclusion else None
    return FAILED_CHECKS if limit is not None and failed_checks(study, answers) >= limit else None


def code_of(study: Study, state: ParticipantState) -> str | None:
    """What the recruiter's site is to be told; None while the participation goes on, or a researcher ended it."""
    codes, reason = study.completion_codes, state.exclusion_reason or ""
    if state.status == "completed":
        return codes.completed
    if state.status == "screened_out":
        return codes.screened_out if reason.startswith(NOT_ELIGIBLE) else codes.declined
    return codes.failed_checks if state.status == "excluded" and reason == FAILED_CHECKS else None
