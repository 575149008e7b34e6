"""The conversation with one assistant about one photo. The first question is asked by itself.

An assistant that cannot tell from the photo offers to exchange it: `another_photo`.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pipeline.types import Condition
from study_app.participant import another_photo, pictures, shield, typed, waiting
from study_app.participant.language import say, tell_models_language
from study_app.participant.layout import assistants, foot, head, not_saved, not_saved_page
from study_app.participant.prompts import all_asked, next_prompt
from study_app.participant.rounds import Round, request_for, rounds
from study_app.participant.safe_text import show_text
from study_app.participant.turns import asked_as, show_answer, show_question
from study_app.participant.unanswered import why
from study_app.services import Services
from study_app.study.state import Exposure
from study_app.study.store import NotSaved, Refused
from study_app.study.visit import Visit

_QUESTION_LENGTH = 500


def show(services: Services, visit: Visit, period: int) -> None:
    exposure = visit.state.exposures[period]
    name, where = visit.study.name_in_period(period), assistants(visit, period)
    past = rounds(services.store.jobs, exposure.about_photo)
    due = next_prompt(visit.study, past)
    if due is not None:
        _send(services, visit, exposure, past, due)
        not_saved_page(visit, name, where)
        return
    _bottom(services, visit, exposure, past)
    head(visit, name, where)
    tell_models_language()
    shield.switch(services, visit)
    pictures.photo_card(services, visit, exposure, [r.answer for r in past])
    another_photo.before(services, visit, exposure)
    for n, r in enumerate(past, 1):
        _round(services, visit, exposure, past, n, r)
    foot(visit.study, visit.state.participant)


def _round(services: Services, visit: Visit, exposure: Exposure, past: Sequence[Round], n: int, r: Round) -> None:
    """One question and its answer; under the last one, what can be done next."""
    last = n == len(past)
    with st.chat_message("user", avatar=":material/person:"):
        show_question(services, visit, r.asked.question)
    if r.job.open:
        first = not r.asked.history
        waiting.answer_in_the_making(services, visit, exposure.period, r.job.key, r.asked.condition, first)
    elif r.job.status == "done":
        with st.chat_message("assistant", avatar=waiting.avatar(visit.study, exposure.period)):
            show_answer(r.answer.text)
            if last and any(p.answer.diagnosis and not p.answer.diagnosis.abstained for p in past):
                _quick_replies(services, visit, exposure, past)
            elif last:
                another_photo.offer(services, visit, exposure)
        _pictures(services, visit, exposure, n, r)
    else:
        _failure(services, visit, exposure, past, r, last)


def _pictures(services: Services, visit: Visit, exposure: Exposure, n: int, r: Round) -> None:
    key = f"{exposure.period}_{n}"
    for comparison in (
        pictures.drawn(r.answer, services.models.now(), key),
        pictures.similar(r.answer, key) if r.asked.condition == "cases" else None,
    ):
        if comparison is not None:
            pictures.compare(services, visit, exposure.photo, comparison)
    if r.answer.mask_sought and r.answer.mask is None:
        st.markdown(say("conversation.no_area"))


def _quick_replies(services: Services, visit: Visit, exposure: Exposure, past: Sequence[Round]) -> None:
    with st.container(horizontal=True):
        for n, question in enumerate(visit.study.suggested_questions):
            if st.button(question, key=f"reply_{exposure.period}_{len(past)}_{n}"):
                _send(services, visit, exposure, past, asked_as(services, visit, n))
                not_saved()


def _failure(services: Services, visit: Visit, exposure: Exposure, past: Sequence[Round], r: Round, last: bool) -> None:
    """What happened, what was kept, and the two ways on."""
    with st.chat_message("assistant", avatar=waiting.avatar(visit.study, exposure.period)):
        show_answer(r.answer.text)
        what = _what_happened(r)
        if not what:
            show_text(why(r.job.error or ""))
        failed = r.answer.failed
        reference = say("conversation.reference", reference=failed.reference) if failed else ""
        st.warning(" ".join(filter(None, (what, say("conversation.kept"), reference))))
        if not last:
            return
        with st.container(horizontal=True):
            if st.button(say("page.try_again"), type="primary", key=f"again_{r.job.key}"):
                _send(services, visit, exposure, past, r.asked.question)
                not_saved()
            without = "" if r.asked.history else _without(r.asked.condition)
            if without and st.button(without, key=f"without_{r.job.key}"):
                _send(services, visit, exposure, past, r.asked.question, instead="text")
                not_saved()
            another_photo.offer(services, visit, exposure)


def _without(condition: Condition) -> str:
    """The way on with words alone; empty where there are only words."""
    match condition:
        case "cases":
            return say("conversation.without_cases")
        case "generated":
            return say("conversation.without_pictures")
    return ""


def _what_happened(r: Round) -> str:
    """Empty where the job's own reason says it."""
    if r.job.status == "cancelled":
        return say("conversation.stopped")
    drawing = r.asked.condition == "generated" and r.answer.diagnosis is not None
    return say("conversation.not_drawn") if drawing else ""


def _bottom(services: Services, visit: Visit, exposure: Exposure, past: Sequence[Round]) -> None:
    """Drawn first: drawn last it would be missing while words stream in."""
    with st.bottom:
        if past[-1].job.open:
            waiting.progress_and_cancel(services, past[-1].job.key)
            return
        if not exposure.answered or not all_asked(visit.study, past):
            return
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall"):
            question = None
            if visit.study.conversation.free_questions:
                key = f"ask_{exposure.period}"
                typed.field(key)
                question = st.chat_input(
                    say("conversation.ask"), max_chars=_QUESTION_LENGTH, submit_mode="disable", key=key
                )
            arrow = ":material/arrow_forward:"
            rate = st.button(say("conversation.rate"), type="primary", icon=arrow, icon_position="right", key="rate")
    if rate:
        _go_on(services, visit, exposure)
    elif question and question.strip():
        _send(services, visit, exposure, past, question.strip())
        not_saved()


def _send(
    services: Services,
    visit: Visit,
    exposure: Exposure,
    past: Sequence[Round],
    question: str,
    instead: Condition | None = None,
) -> None:
    """Store and send a question, and draw the page anew. Returns only where the question could not be stored. A second
    one at the same time (two tabs, a double click) is the same job."""
    participant = visit.state.participant
    try:
        key = services.store.jobs.next_key(participant, exposure.period)
        request = request_for(visit, exposure, past, key, question, instead)
        if instead is not None:
            fallback = {"period": exposure.period, "job": key, "instead": instead}
            services.store.log_event(participant, "fallback_chosen", fallback)
        services.runner.start(participant, exposure.period, request)
    except Refused:
        pass  # another tab asked first: show its question
    except NotSaved:
        return
    st.rerun()


def _go_on(services: Services, visit: Visit, exposure: Exposure) -> None:
    try:
        services.store.finish_exposure(visit.state.participant, exposure.period)
    except Refused:
        st.rerun()
    except NotSaved:
        not_saved()
        return
    st.rerun()
