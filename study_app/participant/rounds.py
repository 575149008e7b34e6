"""A conversation as rounds: each question with the latest attempt to answer it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.types import Condition, Diagnosis, ExplainRequest, Turn, event_from_json, request_from_json
from study_app.participant.answer import Answer, fold
from study_app.study import flow
from study_app.study.job_log import JobLog
from study_app.study.state import Exposure, Job
from study_app.study.visit import Visit

_UNANSWERED = ("failed", "cancelled")


@dataclass(frozen=True)
class Round:
    """``answer`` is what has arrived so far, complete or not; ``asked`` the request behind it."""

    job: Job
    asked: ExplainRequest
    answer: Answer


def rounds(log: JobLog, jobs: Sequence[Job]) -> tuple[Round, ...]:
    """One per question, in order; a failed attempt is replaced by the next one at the same question."""
    latest: list[tuple[Job, ExplainRequest]] = []
    for job in jobs:
        asked = request_from_json(job.request)
        if latest and latest[-1][0].status in _UNANSWERED and latest[-1][1].question == asked.question:
            latest.pop()
        latest.append((job, asked))
    return tuple(Round(job, asked, read_answer(log, job.key)) for job, asked in latest)


def read_answer(log: JobLog, key: str) -> Answer:
    return fold(event_from_json(line) for _, line in log.events(key))


def request_for(
    visit: Visit,
    exposure: Exposure,
    past: Sequence[Round],
    key: str,
    question: str,
    instead: Condition | None,
) -> ExplainRequest:
    """The request for ``question``. ``instead``: an explainer that takes the condition's place (fallback).

    The seed follows from the study's seed, the participant and the period, so a repeated attempt draws
    the same pictures.
    """
    done = [r for r in past if r.job.status == "done"]
    condition = flow.condition_of(visit.study, visit.state, exposure.period).explainer
    if condition == "none":
        raise ValueError("There is no conversation in a condition without an explainer.")
    return ExplainRequest(
        key=key,
        condition=instead or condition,
        photo=exposure.photo,
        question=question,
        history=_history(done),
        diagnosis=_diagnosis(done),
        shown=_shown(done),
        known_label=exposure.known_label,
        seed=_seed(visit, exposure.period),
    )


def _history(done: Sequence[Round]) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    for r in done:
        turns += [Turn("participant", r.asked.question), Turn("assistant", r.answer.text)]
    return tuple(turns)


def _diagnosis(done: Sequence[Round]) -> Diagnosis | None:
    return next((r.answer.diagnosis for r in done if r.answer.diagnosis is not None), None)


def _shown(done: Sequence[Round]) -> tuple[str, ...]:
    labels = [image.label for r in done for image in r.answer.images]
    labels += [case.label for r in done for case in r.answer.cases or ()]
    return tuple(dict.fromkeys(labels))


def _seed(visit: Visit, period: int) -> int:
    words = f"{visit.study.seed}:{visit.state.participant}:{period}"
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:4], "big") >> 1
