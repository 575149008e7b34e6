"""Consent: what the study is, what happens to the data, and a free choice."""

from __future__ import annotations

import streamlit as st

from study_app.participant.language import say, tell_models_language
from study_app.participant.layout import foot, head, not_saved
from study_app.services import Services
from study_app.study.store import NotSaved, Refused
from study_app.study.visit import Visit


def show(services: Services, visit: Visit) -> None:
    consent = visit.study.consent
    head(visit, visit.study.title)
    st.markdown(consent.summary)
    st.markdown("\n".join(f"- **{bullet.lead}** {bullet.text}" for bullet in consent.bullets))
    if any(condition.talks for condition in visit.study.conditions):
        tell_models_language()
    with st.expander(say("consent.sheet")):
        st.markdown(consent.sheet)
    ticked = [st.checkbox(text, key=f"agree_{n}") for n, text in enumerate(consent.agreements, 1)]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        agreed = st.button(say("consent.agree"), type="primary", key="agree")
        declined = st.button(say("consent.decline"), type="tertiary", key="decline")
    if agreed and not all(ticked):
        st.warning(say("consent.tick_all"))
    elif agreed or declined:
        _record(services, visit, agreed=bool(agreed))
    foot(visit.study, visit.state.participant)


def _record(services: Services, visit: Visit, agreed: bool) -> None:
    try:
        services.store.record_consent(visit.state.participant, agreed)
    except NotSaved:
        not_saved()
        return
    except Refused:
        pass  # another tab answered before: the page follows that answer
    st.rerun()
