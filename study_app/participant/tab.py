"""The study goes on in one tab at a time: the others say so and store nothing (`study_app.study.tabs`)."""

from __future__ import annotations

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from study_app.participant import typed
from study_app.participant.guard import guarded
from study_app.participant.language import say
from study_app.participant.layout import demonstration_banner, foot, not_saved
from study_app.services import Services
from study_app.study.store import NotSaved
from study_app.study.visit import Visit

LOOK_AGAIN_S = 2.0


def this_tab() -> str:
    """What Streamlit calls the connection to this tab; a reloaded page is another one."""
    context = get_script_run_ctx()
    return context.session_id if context is not None else ""


def is_open(tab: str) -> bool:
    """Whether a tab is still connected. One of before a restart of the server, or closed, or reloaded, is not."""
    return runtime.exists() and runtime.get_instance().is_active_session(tab)


def goes_on_here(services: Services, visit: Visit) -> bool:
    """Whether this tab may show the step. If not, it says where the study goes on, and offers to go on here."""
    participant, tab = visit.state.participant, this_tab()
    if services.store.tabs.hold(participant, tab, is_open):
        typed.forget()
        return True
    demonstration_banner()
    st.title(say("tab.elsewhere"), anchor=False)
    st.markdown(say("tab.elsewhere_means"))
    to_copy = typed.show_not_stored()
    if st.button(say("tab.go_on_here"), type="primary", key="go_on_here"):
        try:
            services.store.tabs.take(participant, tab)
        except NotSaved:
            not_saved()
        else:
            st.rerun()
    if not to_copy:  # going on by itself would take it away
        _until_the_other_is_closed(services, participant)
    foot(visit.study, participant)
    return False


@st.fragment(run_every=LOOK_AGAIN_S)
@guarded
def _until_the_other_is_closed(services: Services, participant: str) -> None:
    holder = services.store.tabs.holder(participant)
    if holder is None or not is_open(holder):
        st.rerun()
