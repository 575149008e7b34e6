"""The ends: debrief with the completion code, not taking part, taken out, withdrawn."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from study_app.participant.language import say
from study_app.participant.layout import demonstration_banner, foot, head, not_saved
from study_app.services import Services
from study_app.study import flow
from study_app.study.definition import Study
from study_app.study.outcomes import code_of, outcome_of, return_url
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
    st.markdown(say("end.your_code_too" if _way_back(services, visit) else "end.your_code"))
    st.code(code, language=None)
    st.markdown(visit.study.debrief.text)
    with st.expander(say("end.withdraw")):
        _offer_withdrawal(services, visit)
    foot(visit.study, visit.state.participant)


def show_declined(services: Services, visit: Visit) -> None:
    demonstration_banner()
    st.title(say("end.declined"), anchor=False)
    st.markdown(say("end.declined_means"))
    _to_recruiter(services, visit)
    foot(visit.study, visit.state.participant)


def show_screened_out(services: Services, visit: Visit) -> None:
    demonstration_banner()
    st.title(say("end.not_eligible"), anchor=False)
    st.markdown(say("end.not_eligible_means"))
    _to_recruiter(services, visit)
    foot(visit.study, visit.state.participant)


def show_over(services: Services, visit: Visit) -> None:
    """The link is older than the study lets anybody go on."""
    demonstration_banner()
    st.title(say("end.over"), anchor=False)
    st.markdown(say("end.over_means", hours=f"{visit.study.resume_within_hours:g}"))
    _to_recruiter(services, visit)
    with st.expander(say("end.withdraw")):
        _offer_withdrawal(services, visit)
    foot(visit.study, visit.state.participant)


def show_failed_checks(services: Services, visit: Visit) -> None:
    """After the last answer: the debrief as for everybody, and in plain words why the answers do not count."""
    demonstration_banner()
    st.title(visit.study.debrief.title, anchor=False)
    st.markdown(say("end.failed_checks"))
    _to_recruiter(services, visit)
    st.markdown(visit.study.debrief.text)
    with st.expander(say("end.withdraw")):
        _offer_withdrawal(services, visit)
    foot(visit.study, visit.state.participant)


def _to_recruiter(services: Services, visit: Visit) -> None:
    """The way back to the recruiting site and the code of this outcome, as far as the study has them."""
    _way_back(services, visit)
    code = code_of(visit.study, visit.state, over=isinstance(visit.step, flow.Over))
    if code is not None:
        st.markdown(say("end.for_recruiter"))
        st.code(code, language=None)
    _once(visit.study)


def _once(study: Study) -> None:
    """Where people are told apart."""
    if study.entry.kind != "open":
        st.markdown(say("end.once"))


def _way_back(services: Services, visit: Visit) -> bool:
    """A button to the address that the study names for this outcome; False where there is none."""
    state = visit.state
    outcome = outcome_of(state.status, state.exclusion_reason, over=isinstance(visit.step, flow.Over))
    url = return_url(visit.study, outcome, services.store.door.kept(state.participant)) if outcome else None
    if url is None:
        return False
    st.link_button(say("end.go_back", site=urlsplit(url).hostname or url), url, type="primary")
    return True


def show_excluded(visit: Visit) -> None:
    demonstration_banner()
    st.title(say("end.excluded"), anchor=False)
    st.markdown(say("end.excluded_means"))
    foot(visit.study, visit.state.participant)


def show_withdrawn(study: Study) -> None:
    demonstration_banner()
    st.title(say("end.withdrawn"), anchor=False)
    st.markdown(say("end.withdrawn_means"))
    _once(study)
    foot(study)


def _offer_withdrawal(services: Services, visit: Visit) -> None:
    st.markdown(say("end.withdraw_means"))
    if visit.study.entry.kind != "open":
        st.markdown(say("end.withdraw_code_stays"))
    sure = st.checkbox(say("end.withdraw_sure"), key="withdraw_sure")
    if st.button(say("end.withdraw_button"), disabled=not sure, key="withdraw"):
        try:
            services.media.withdraw(visit.state.participant)
        except NotSaved:
            not_saved()
            return
        st.rerun()
