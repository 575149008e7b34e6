"""The participant's side: from the token in the link to the page of the step they are at."""

from __future__ import annotations

import streamlit as st

from study_app.participant import consent, conversation, door, finish, photo, questionnaire, reliance, tab, typed
from study_app.participant.language import in_chosen_language, in_language, say
from study_app.participant.layout import demonstration_banner, foot, scroll_up_on_a_new_step
from study_app.services import Services, services
from study_app.study import flow, visit
from study_app.study.visit import Visit


def page() -> None:
    opened = services()
    token = _token(opened)
    if token is None:
        return  # the door has said why
    participant = _participant(opened, token)
    if participant is None:
        _unknown_link(opened)
        return
    found = visit.current(opened.store, participant)
    if not isinstance(found.step, flow.Over):
        opened.store.touch(participant)
    now = in_language(found)
    st.set_page_config(page_title=now.study.title)
    ended = isinstance(now.step, flow.ENDS)
    if not ended and not tab.goes_on_here(opened, now):
        return
    _show(opened, now)
    if ended:  # in another tab, it may be
        typed.show_not_stored()
    scroll_up_on_a_new_step(now)


def _token(opened: Services) -> str | None:
    """The token of the link; a newcomer's is made before anything is asked. None: they cannot come in like this.

    The tab remembers its token too: the browser's back button takes it out of the address.
    """
    found: str | None = st.query_params.get("t") or st.session_state.get("token")
    return found or door.let_in(opened)


def _participant(opened: Services, token: str) -> str | None:
    """Whoever the link belongs to; from now on their token is in the address, and what a recruiting site wrote there
    is not: nobody passes that on with the link."""
    state = opened.store.participant_by_token(token)
    if state is None:
        return None
    st.session_state["token"] = token
    if st.query_params.get("t") != token:
        st.query_params["t"] = token
    for name in door.parameters_of(opened.study):
        if name in st.query_params:
            del st.query_params[name]
    return state.participant


def _show(opened: Services, now: Visit) -> None:
    match now.step:
        case flow.Consent():
            consent.show(opened, now)
        case flow.Demographics():
            questionnaire.show_demographics(opened, now)
        case flow.Photo(period):
            photo.show(opened, now, period)
        case flow.FirstDecision(period):
            reliance.show_first(opened, now, period)
        case flow.FinalDecision(period):
            reliance.show_final(opened, now, period)
        case flow.Conversation(period):
            conversation.show(opened, now, period)
        case flow.Rating(period):
            questionnaire.show_rating(opened, now, period)
        case flow.FinalItems():
            questionnaire.show_final(opened, now)
        case flow.Comments():
            questionnaire.show_comments(opened, now)
        case flow.Finished():
            finish.show_finished(opened, now)
        case flow.Declined():
            finish.show_declined(opened, now)
        case flow.ScreenedOut():
            finish.show_screened_out(opened, now)
        case flow.Over():
            finish.show_over(opened, now)
        case flow.FailedChecks():
            finish.show_failed_checks(opened, now)
        case flow.Excluded():
            finish.show_excluded(opened, now)
        case flow.Withdrawn():
            finish.show_withdrawn(now.study)
        case _:
            raise AssertionError(f"{now.step} has no page: visit.current carries it out")


def _unknown_link(opened: Services) -> None:
    study = in_chosen_language(opened.study)
    st.set_page_config(page_title=study.title)
    demonstration_banner()
    st.title(say("link.unknown"), anchor=False)
    st.markdown(say("link.check_it"))
    st.link_button(say("link.open_study"), "/")
    foot(study)
