"""After "I cannot tell": the offer of another photo, the way back, and what was said before."""

from __future__ import annotations

import streamlit as st

from study_app.participant import waiting
from study_app.participant.language import say
from study_app.participant.layout import not_saved
from study_app.participant.pictures import show_picture
from study_app.participant.rounds import rounds
from study_app.participant.turns import show_answer, show_question
from study_app.services import Services
from study_app.study.state import Exposure
from study_app.study.store import NotSaved, Refused
from study_app.study.visit import Visit

_SMALL_PX = 160


def offer(services: Services, visit: Visit, exposure: Exposure) -> None:
    """A button back to the photo step; nothing where the assistant could tell."""
    if not exposure.abstained or visit.study.photo.assigned:
        return
    nth = len(exposure.earlier_photos) + 1
    words, key = say("photo.choose_another"), f"exchange_{exposure.period}_{nth}"
    if not st.button(words, icon=":material/replay:", key=key):
        return
    try:
        services.store.photos.want_another(visit.state.participant, exposure.period, exposure.photo)
    except NotSaved:
        not_saved()
        return
    except Refused:
        pass  # another tab was faster: show what it did
    st.rerun()


def keep_or_choose(services: Services, visit: Visit, exposure: Exposure) -> None:
    """On the photo step: the photo there is, and the way back with it."""
    picture, about = st.columns([2, 3], wrap=False)
    with picture:
        show_picture(services, visit, exposure.photo, say("photo.so_far"), captioned=False, place="so_far")
    with about:
        name = visit.study.name_in_period(exposure.period)
        st.markdown(f"**{say('photo.so_far')}**")
        st.markdown(say("photo.could_not_tell", assistant=name))
        kept = st.button(say("photo.keep"), icon=":material/arrow_back:", key=f"keep_{exposure.period}")
    if not kept:
        return
    try:
        services.store.photos.keep(visit.state.participant, exposure.period, exposure.photo)
    except NotSaved:
        not_saved()
        return
    except Refused:
        pass  # another tab chose a photo already: the page follows that one
    st.rerun()


def before(services: Services, visit: Visit, exposure: Exposure) -> None:
    """Photos given back and what was said about them: to be read again, not to be gone on with."""
    if not exposure.earlier_photos:
        return
    with st.expander(say("photo.before")):
        for n, photo in enumerate(exposure.earlier_photos, 1):
            only = len(exposure.earlier_photos) == 1
            name = say("photo.earlier") if only else say("photo.earlier_nth", number=n)
            with st.container(width=_SMALL_PX):
                show_picture(services, visit, photo, name, captioned=False, place="earlier")
            for r in rounds(services.store.jobs, [job for job in exposure.jobs if job.photo == photo]):
                with st.chat_message("user", avatar=":material/person:"):
                    show_question(services, visit, r.asked.question)
                if r.answer.text:
                    with st.chat_message("assistant", avatar=waiting.avatar(visit.study, exposure.period)):
                        show_answer(r.answer.text)
