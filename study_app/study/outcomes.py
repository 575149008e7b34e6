"""How a participation ends by the study's own rules: who cannot take part, and whose answers cannot count. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

from study_app.study.definition import Study
from study_app.study.definition_items import Likert, Single
from study_app.study.definition_parts import Eligibility
from study_app.study.definition_running import CODE, Outcome
from study_app.study.state import ParticipantState, Status, Value

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


def is_over(study: Study, state: ParticipantState, now: datetime) -> bool:
    """Whether the participation was begun longer ago than the study lets anybody go on."""
    return state.status == "active" and has_run_out(study, state.arrived_at, now)


def has_run_out(study: Study, arrived_at: str, now: datetime) -> bool:
    """Whether ``arrived_at`` (ISO-8601) is longer ago than ``resume_within_hours``; never where the study sets none."""
    if study.resume_within_hours is None:
        return False
    return now - datetime.fromisoformat(arrived_at) > timedelta(hours=study.resume_within_hours)


def outcome_of(status: Status, reason: str | None, over: bool = False) -> Outcome | None:
    """Which of the outcomes that a recruiting site is told; None while the participation goes on, or when a researcher
    or a withdrawal ended it. ``reason`` is the stored one, ``over`` what `is_over` says."""
    if status == "completed":
        return "completed"
    if status == "screened_out":
        return "screened_out" if (reason or "").startswith(NOT_ELIGIBLE) else "declined"
    if status == "excluded" and reason == FAILED_CHECKS:
        return "failed_checks"
    return "over" if over else None


def code_of(study: Study, state: ParticipantState, over: bool = False) -> str | None:
    """What the recruiter's site is to be told; None where there is nothing to tell."""
    outcome = outcome_of(state.status, state.exclusion_reason, over)
    return None if outcome is None else code_for(study, outcome)


def code_for(study: Study, outcome: Outcome) -> str | None:
    """The completion code of an outcome; None where the study has none."""
    found: str | None = getattr(study.completion_codes, outcome)
    return found


def return_url(study: Study, outcome: Outcome, kept: Mapping[str, str]) -> str | None:
    """The address that leads back to the recruiting site, filled in; ``kept`` are the participant's parameters. None
    where the study has none, or a parameter it needs is not there (any more)."""
    url = study.return_urls.of(outcome) if study.return_urls is not None else None
    if url is None:
        return None
    values = {CODE: code_for(study, outcome) or "", **kept}
    try:
        return url.format_map({name: quote(value, safe="") for name, value in values.items()})
    except KeyError:
        return None
