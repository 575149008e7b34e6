"""An answer in the making: streamed words, what is being done, previews, Cancel. Only this polls."""

from __future__ import annotations

import streamlit as st

from pipeline.types import Condition
from study_app.participant import pictures
from study_app.participant.answer import Answer
from study_app.participant.guard import guarded
from study_app.participant.language import say
from study_app.participant.rounds import read_answer
from study_app.participant.turns import show_answer
from study_app.services import Services
from study_app.study.definition import Study
from study_app.study.visit import Visit

_WORDS_EVERY_S = 0.4
_BAR_EVERY_S = 1.0
_NUMBERED = 9
"""The icon font has signs for one digit."""
_DONE, _NOW, _LATER = ":material/check_circle:", ":material/progress_activity:", ":material/circle:"


def avatar(study: Study, period: int) -> str:
    """A neutral sign: the number in the assistant's name, where there is a sign for so high a number."""
    place = study.place_of(period)
    return f":material/counter_{place}:" if place <= _NUMBERED else ":material/support_agent:"


@st.fragment(run_every=_WORDS_EVERY_S)
@guarded
def answer_in_the_making(
    services: Services, visit: Visit, period: int, key: str, explainer: Condition, first: bool
) -> None:
    """Words as they arrive and the card of what is being done; the page is drawn anew when it is over."""
    job = services.store.jobs.get(key)
    answer = read_answer(services.store.jobs, key)
    with st.chat_message("assistant", avatar=avatar(visit.study, period)):
        if answer.text:
            show_answer(answer.text)
        else:
            st.markdown(_queue(answer) or say("waiting.looking"))
    diagnosis = answer.diagnosis
    if first and explainer != "text" and diagnosis is not None and not diagnosis.abstained:
        with st.container(border=True):
            _card(services, visit, explainer, answer)
    if job is None or not job.open:
        st.rerun()


@st.fragment(run_every=_BAR_EVERY_S)
@guarded
def progress_and_cancel(services: Services, key: str) -> None:
    """For the foot of the page: how far it is, and a way out."""
    progress = read_answer(services.store.jobs, key).progress
    bar, button = st.columns([3, 1], wrap=False, vertical_alignment="center")
    if progress is None:
        bar.markdown(say("waiting.answering"))
    else:
        text = say("waiting.drawing_step", step=progress.step, steps=progress.steps)
        bar.progress(progress.step / progress.steps, text=text)
    if button.button(say("waiting.cancel"), icon=":material/close:", key=f"cancel_{key}", width="stretch"):
        services.runner.cancel(key)
        button.empty()


def _queue(answer: Answer) -> str:
    return say("waiting.ahead", n=answer.ahead) if answer.ahead else ""


def _card(services: Services, visit: Visit, explainer: Condition, answer: Answer) -> None:
    if explainer == "cases":
        st.subheader(say("waiting.cases"), anchor=False)
        st.markdown(f"{_DONE} {say('waiting.photo_read')}")
        st.markdown(f"{_DONE if answer.cases is not None else _NOW} {say('waiting.library_searched')}")
        return
    st.subheader(say("waiting.pictures"), anchor=False)
    st.markdown(_queue(answer) or say("waiting.read_meanwhile"))
    st.markdown(f"{_DONE} {say('waiting.photo_read')}")
    st.markdown(f"{_DONE if answer.mask_sought else _NOW} {say('waiting.area_found')}")
    st.markdown(f"{_NOW if answer.mask_sought else _LATER} {_how_many(answer)}")
    pictures.previews(services, visit, answer.progress.previews if answer.progress else ())


def _how_many(answer: Answer) -> str:
    labels = answer.progress.labels if answer.progress else ()
    return say("waiting.drawing_several", n=len(labels)) if labels else say("waiting.drawing")
