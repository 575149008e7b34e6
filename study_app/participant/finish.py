"""The ends: debrief with the completion code, not taking part, taken out, withdrawn."""

from __future__ import annotations

import streamlit as st

from study_app.participant.layout import demonstration_banner, foot, head, not_saved
from study_app.services import Services
from study_app.study.definition import Study
from study_app.study.outcomes import code_of
from study_app.study.store import NotSaved
from study_app.study.visit import Visit


def show_finished(services: Services, visit: Visit) -> None:
    """The code is shown only when the store says that everything is stored."""
    head(visit, visit.study.debrief.title)
    try:
        code = services.store.complete(visit.state.participant)
    except NotSaved:
        not_saved()
        return
    st.markdown("All your answers are saved. Your completion code:")
    st.code(code, language=None)
    st.markdown(visit.study.debrief.text)
    with st.expander("Withdraw from the study"):
        _offer_withdrawal(services, visit)
    foot(visit.study, visit.state.participant)


def show_declined(visit: Visit) -> None:
    demonstration_banner()
    st.title("You do not take part", anchor=False)
    st.markdown("Nothing about you was kept but the fact that you declined. You can close this page.")
    _code_for_recruiter(visit)
    foot(visit.study, visit.state.participant)


def show_screened_out(visit: Visit) -> None:
    demonstration_banner()
    st.title("This study looks for others", anchor=False)
    st.markdown("By your answers about yourself you cannot take part in it. Thank you for your time.")
    _code_for_recruiter(visit)
    foot(visit.study, visit.state.participant)


def show_failed_checks(services: Services, visit: Visit) -> None:
    """After the last answer: the debrief as for everybody, and in plain words why the answers do not count."""
    demonstration_banner()
    st.title(visit.study.debrief.title, anchor=False)
    st.markdown(
        "All your answers are saved. Some questions asked for a certain answer, to see whether they were read, and "
        "got others; by this study's rules your answers are not used."
    )
    _code_for_recruiter(visit)
    st.markdown(visit.study.debrief.text)
    with st.expander("Withdraw from the study"):
        _offer_withdrawal(services, visit)
    foot(visit.study, visit.state.participant)


def _code_for_recruiter(visit: Visit) -> None:
    code = code_of(visit.study, visit.state)
    if code is not None:
        st.markdown("If a recruiting site sent you, give it this code:")
        st.code(code, language=None)


def show_excluded(visit: Visit) -> None:
    demonstration_banner()
    st.title("Your part in the study has ended", anchor=False)
    st.markdown("The researchers have closed this link. If you did not expect that, write to them.")
    foot(visit.study, visit.state.participant)


def show_withdrawn(study: Study) -> None:
    demonstration_banner()
    st.title("You have withdrawn", anchor=False)
    st.markdown("Your photos, what you wrote and your answers are erased. You can close this page.")
    foot(study)


def _offer_withdrawal(services: Services, visit: Visit) -> None:
    st.markdown(
        "Your photos, what you wrote and your answers are erased for good. Only the date of the withdrawal is kept."
    )
    sure = st.checkbox("Erase everything I gave", key="withdraw_sure")
    if st.button("Withdraw", disabled=not sure, key="withdraw"):
        try:
            services.media.withdraw(visit.state.participant)
        except NotSaved:
            not_saved()
            return
        st.rerun()
