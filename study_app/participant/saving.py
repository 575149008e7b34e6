"""An answer is saved at the pick: compared on every run with what this tab knew, and stored if it differs.

A click that reached the server can be dropped before its callback runs, but not from the widget's value;
so no page relies on callbacks. Comparing with what *this tab* knew, not with the store, keeps a second tab
with an older pick from writing it again. What could not be stored keeps its step open, and the next run tries again.
"""

from __future__ import annotations

import time

import streamlit as st

from study_app.participant.language import say, shown_language, words
from study_app.participant.layout import not_saved
from study_app.services import Services
from study_app.study import flow
from study_app.study.definition import Likert
from study_app.study.state import TAKEN_BACK, Value
from study_app.study.store import NotSaved, Refused
from study_app.study.visit import Visit

_UNSAVED = "unsaved"
"""Whether an answer that this run's page shows could not be stored."""


def begin_page(visit: Visit) -> None:
    """For the top of a page with questions: since when it is shown in this tab, and nothing has failed in this run."""
    st.session_state.setdefault(f"shown:{visit.step.key}", time.monotonic())
    st.session_state[_UNSAVED] = False


def stored(visit: Visit, item: str, period: int | None = None) -> Value | None:
    """The stored answer; None where there is none, or it was taken back."""
    value = visit.state.answers.get((item, period))
    return None if value == TAKEN_BACK else value


def known_as(item: str, period: int | None) -> str:
    """Where this tab keeps the answer that it knows to be stored."""
    return f"known:{item}:{period}"


def reconcile(services: Services, visit: Visit, item: str, value: Value | None, period: int | None = None) -> bool:
    """Store ``value`` if this tab has not stored it yet; None over an answer that this tab knew takes it back.
    True when the shown value is a stored one. Where it cannot be stored the page says so, and `next_clicked` does not
    close the step: the store alone would, over a comment, a change, or an item that may be left out."""
    known = known_as(item, period)
    if known not in st.session_state:
        st.session_state[known] = stored(visit, item, period)
    if value is None:
        if st.session_state[known] in (None, TAKEN_BACK):
            return False
        value = TAKEN_BACK
    if st.session_state[known] == value:
        return True
    try:
        services.store.save_answer(visit.state.participant, item, value, period, _seconds_on(visit), shown_language())
    except NotSaved:
        st.session_state[_UNSAVED] = True
        not_saved()
        return False
    st.session_state[known] = value
    return value != TAKEN_BACK


def next_clicked(services: Services, visit: Visit, label: str | None = None) -> None:
    """The button that closes a step, "Continue" without a ``label``. The store refuses while an answer is missing, this
    page while an answer on it could not be stored."""
    if not st.button(label or say("page.continue"), type="primary", key=f"next_{visit.step.key}"):
        return
    if st.session_state[_UNSAVED]:
        not_saved()
        return
    try:
        services.store.finish_step(visit.state.participant, visit.step.key)
    except Refused:
        st.warning(_what_is_missing(services, visit))
        return
    except NotSaved:
        not_saved()
        return
    st.rerun()


def _what_is_missing(services: Services, visit: Visit) -> str:
    """By the store, not by the page: "Statement 2 has no answer yet."."""
    state = services.store.state(visit.state.participant)
    missing = flow.missing(visit.study, state, visit.step)
    items = flow.asked(visit.study, visit.step)
    numbers = [str(n) for n, item in enumerate(items, 1) if item.id in missing]
    if not numbers or isinstance(visit.step, flow.Demographics):
        return say("questions.missing_above")
    which = words().listed(numbers)
    if all(isinstance(item, Likert) for item in items):
        return say("questions.missing_statements", n=len(numbers), numbers=which)
    return say("questions.missing_questions", n=len(numbers), numbers=which)


def _seconds_on(visit: Visit) -> float | None:
    shown = st.session_state.get(f"shown:{visit.step.key}")
    return None if shown is None else round(time.monotonic() - shown, 2)
