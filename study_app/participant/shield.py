"""Sensitive pictures stay covered until the participant asks for them: one by one, or all of them by a switch.

Nothing of a covered picture is on the page. What was asked for is in the event log (`study/shield.py`). A photo that
they brought themselves is never covered.
"""

from __future__ import annotations

import streamlit as st

from study_app.participant.language import say
from study_app.participant.layout import not_saved
from study_app.services import Services
from study_app.study.definition import SHIELD
from study_app.study.store import NotSaved, Refused
from study_app.study.visit import Visit


def switch(services: Services, visit: Visit) -> None:
    """For the top of a page with pictures; nothing where the study covers none."""
    if visit.study.sensitive_images != SHIELD:
        return
    participant, step = visit.state.participant, visit.step.key
    shown = services.store.shield.open_to(participant).all_shown
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(say("shield.means"), width="content")
        wanted = st.toggle(say("shield.show_all"), value=shown, key="show_all_pictures")
    if wanted == shown:
        return
    try:
        services.store.shield.show_all(participant, wanted, step)
    except NotSaved:
        not_saved()
    except Refused:
        st.rerun()  # it ended in another tab


def covered(services: Services, visit: Visit, picture: str) -> bool:
    """Whether ``picture`` (SHA-256) is to be asked for first."""
    if visit.study.sensitive_images != SHIELD:
        return False
    return not services.store.shield.open_to(visit.state.participant).shows(picture)


def cover(services: Services, visit: Visit, picture: str, name: str, place: str, label: str = "") -> None:
    """In the place of ``picture``: what it is called (``name``, which a small one may lack), and the button that shows
    it. ``place`` tells two covers of the same picture on one page apart; ``label`` stands on the button, "Show picture"
    and the name without it: whoever hears the buttons only must know them apart."""
    key, covers = f"uncover_{place}_{picture[:16]}", ":material/visibility_off:"
    button = label or say("shield.show", name=name)
    if name:
        with st.container(border=True, gap="xsmall"):
            st.markdown(f"{covers} {say('shield.covered', name=name)}")
            asked = st.button(button, key=key, width="stretch")
    else:
        asked = st.button(button, icon=covers, key=key, width="stretch")
    if not asked:
        return
    try:
        services.store.shield.uncover(visit.state.participant, picture, visit.step.key)
    except NotSaved:
        not_saved()
        return
    except Refused:
        pass  # it ended in another tab: show that
    st.rerun()
