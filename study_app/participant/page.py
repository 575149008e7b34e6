"""The participant's side: from the token in the link to the page of the step they are at."""

from __future__ import annotations

import streamlit as st

from study_app.participant import consent, conversation, finish, photo, questionnaire
from study_app.participant.language import in_chosen_language, in_language, say
from study_app.participant.layout import demonstration_banner, foot, scroll_up_on_a_new_step
from study_app.services import Services, services
from study_app.study import flow, visit
from study_app.study.visit import Visit


def page() -> None:
    opened = services()
    participant = _participant(opened)
    if participant is None:
        _unknown_link(opened)
        return
    opened.store.touch(participant)
    now = in_language(visit.current(opened.store, participant))
    st.set_page_config(page_title=now.study.title)
    _show(opened, now)
    scroll_up_on_a_new_step(now)


def _participant(opened: Services) -> str | None:
    """Whoever the link belongs to; a newcomer's token is in the address before anything is asked.

    The tab remembers its token too: the browser's back button takes it out of the address.
    """
    token = st.query_params.get("t") or st.session_state.get("token")
    if token is None:
        token = opened.store.arrive(opened.study, opened.run_kind)
    state = opened.store.participant_by_token(token)
    if state is None:
        return None
    st.session_state["token"] = token
    if st.query_params.get("t") != token:
        st.query_params["t"] = token
    return state.participant


def _show(opened: Services, now: Visit) -> None:
    match now.step:
        case flow.Consent():
            consent.show(opened, now)
        case flow.Demographics():
            questionnaire.show_demographics(opened, now)
        case flow.Photo(period):
            photo.show(opened, now, period)
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
            finish.show_declined(now)
        case flow.ScreenedOut():
            finish.show_screened_out(now)
        case flow.FailedChecks():
            finish.show_failed_checks(opened, now)
        case flow.Excluded():
            finish.show_excluded(now)
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
