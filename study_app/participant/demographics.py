"""Demographics (Table 3 of the paper)."""

from __future__ import annotations

import streamlit as st

from study_app.participant.layout import foot, head
from study_app.participant.saving import begin_clock, next_clicked, reconcile, stored
from study_app.services import Services
from study_app.study.definition import Question
from study_app.study.visit import Visit

_PILLS_UP_TO = 5


def show(services: Services, visit: Visit) -> None:
    head(visit, "About you")
    begin_clock(visit)
    for question in visit.study.demographics:
        value = _ask(question, stored(visit, question.id))
        if reconcile(services, visit, question.id, value):
            st.markdown(":green[:material/check_circle: Saved]")
    next_clicked(services, visit)
    foot(visit.study, visit.state.participant)


def _ask(question: Question, before: object) -> str | None:
    labels = {option.value: option.label for option in question.options}
    values = list(labels)
    key = f"question_{question.id}"
    if len(values) > _PILLS_UP_TO:
        index = values.index(before) if isinstance(before, str) else None
        return st.selectbox(question.wording, values, index=index, format_func=labels.__getitem__, key=key)
    default = before if isinstance(before, str) else None
    return st.pills(question.wording, values, default=default, required=True, format_func=labels.__getitem__, key=key)
