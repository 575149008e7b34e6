"""A participant's conversations with the photos and pictures that were on their pages, for reading only."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from pydantic import ValidationError

from study_app.participant import pictures
from study_app.participant.rounds import Round, rounds
from study_app.participant.safe_text import show_text
from study_app.participant.waiting import avatar
from study_app.services import Services
from study_app.study.state import Exposure
from study_app.study.visit import Visit

_PHOTO_PX = 240
_PERSON = ":material/person:"


def show(services: Services, visit: Visit) -> None:
    """All periods, one after another; the assistant's own text, pictures and cases come from what was stored."""
    if not visit.state.exposures:
        kept = "Nothing is kept." if visit.state.status == "withdrawn" else "No conversation yet."
        st.markdown(kept)
        return
    visit = replace(visit, study=replace(visit.study, sensitive_images="show"))  # covers are for participants
    st.markdown("As stored: the same words, photos and pictures. Buttons of the participant's page are left out.")
    for period, exposure in sorted(visit.state.exposures.items()):
        st.subheader(f"{visit.study.name_in_period(period)} ({exposure.condition})", anchor=False)
        for nth, photo in enumerate((*exposure.earlier_photos, exposure.photo), 1):
            _about_photo(services, visit, exposure, photo, nth)


def _about_photo(services: Services, visit: Visit, exposure: Exposure, photo: str, nth: int) -> None:
    with st.container(width=_PHOTO_PX):
        pictures.show_picture(services, visit, photo, "The participant's photo", captioned=False)
    if photo != exposure.photo:
        st.markdown("*Given back after this:*")
    elif exposure.known_label:
        st.markdown(f"The participant said: {exposure.known_label}.")
    jobs = [job for job in exposure.jobs if job.photo == photo]
    try:
        past = rounds(services.store.jobs, jobs)
    except ValidationError:  # a record that this version cannot read: its words at least
        _words_only(visit, exposure, {job.key for job in jobs})
        return
    for n, r in enumerate(past, 1):
        _round(services, visit, exposure, r, f"replay_{visit.state.participant}_{exposure.period}_{nth}_{n}")


def _words_only(visit: Visit, exposure: Exposure, jobs: set[str]) -> None:
    assistant = avatar(visit.study, exposure.period)
    for turn in exposure.turns:
        if turn.job in jobs:
            mine = turn.role == "participant"
            with st.chat_message("user" if mine else "assistant", avatar=_PERSON if mine else assistant):
                show_text(turn.text, bold=not mine)


def _round(services: Services, visit: Visit, exposure: Exposure, r: Round, key: str) -> None:
    with st.chat_message("user", avatar=_PERSON):
        show_text(r.asked.question)
    with st.chat_message("assistant", avatar=avatar(visit.study, exposure.period)):
        show_text(r.answer.text, bold=True)
        if r.job.status != "done":
            st.markdown(f"*{r.job.status.capitalize()}.*")
            show_text(r.job.error or "")
    drawn = pictures.drawn(r.answer, services.models.now(), key)
    similar = pictures.similar(r.answer, f"{key}_cases") if r.asked.condition == "cases" else None
    for comparison in (drawn, similar):
        if comparison is not None:
            pictures.compare(services, visit, r.job.photo, comparison)
