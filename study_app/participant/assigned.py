"""An assigned case: nothing to choose, so the period begins by itself with the photo that was drawn."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import streamlit as st

from pipeline.photo import CleanPhoto, clean_photo
from study_app.participant.language import say
from study_app.participant.layout import assistants, not_saved_page
from study_app.participant.shield import cover, covered
from study_app.services import Services
from study_app.study import flow
from study_app.study.definition_cases import AssignedCase
from study_app.study.store import NotSaved, Refused
from study_app.study.visit import Visit


def begin(services: Services, visit: Visit, period: int) -> None:
    """Keep the photo for the participant and start the exposure; the page of the next step is drawn at once.
    Without an explainer nothing comes between the photo and the rating."""
    participant, case = visit.state.participant, _case(visit, period)
    condition = flow.condition_of(visit.study, visit.state, period)
    try:
        sha256 = services.media.keep(participant, clean(services.folder / case.file).png)
        services.store.start_exposure(participant, period, sha256, None)
        if not condition.talks:
            _tell_picture(services, visit, period, case)
            services.store.finish_exposure(participant, period)
    except NotSaved:
        name = visit.study.name_in_period(period)
        not_saved_page(visit, name if condition.talks else say("case.rate_title"), assistants(visit, period))
        return
    except Refused:
        pass  # another tab was faster
    st.rerun()


def show_pictures(services: Services, visit: Visit, period: int) -> None:
    """In a condition without an explainer, what is to be rated beside the reference; nothing else otherwise."""
    condition = flow.condition_of(visit.study, visit.state, period)
    if condition.talks:
        return
    case = _case(visit, period)
    beside = case.pictures.get(condition.key)
    left, right = st.columns(2, wrap=False, gap="xsmall") if beside else (st.container(), None)
    with left:
        words = say("case.reference") if beside else say("case.photo")
        show_clean(services, visit, clean(services.folder / case.file), words, "case")
    if beside and right is not None:
        with right:
            show_clean(services, visit, clean(services.folder / beside), say("case.to_be_rated"), "case")


def show_clean(services: Services, visit: Visit, picture: CleanPhoto, words: str, place: str) -> None:
    """A picture of the study's own, or its cover. ``place``: see `shield.cover`."""
    if covered(services, visit, picture.sha256):
        cover(services, visit, picture.sha256, words, place)
        return
    st.image(picture.png, caption=words, alt=words, width="stretch")


def photo_name(visit: Visit) -> str:
    """What the photo is called: an assigned one is not the participant's."""
    return say("case.photo") if visit.study.photo.assigned else say("pictures.your_photo")


def clean(file: Path) -> CleanPhoto:
    """The file as a clean PNG, as an uploaded photo would be. Raises OSError and PhotoError."""
    return _clean(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _clean(file: Path, changed: int) -> CleanPhoto:
    return clean_photo(file.read_bytes())


def _case(visit: Visit, period: int) -> AssignedCase:
    return visit.study.photo.case(visit.state.cases[period - 1])


def _tell_picture(services: Services, visit: Visit, period: int, case: AssignedCase) -> None:
    """What was shown, by its content: a file may change after the study."""
    beside = case.pictures.get(flow.condition_of(visit.study, visit.state, period).key)
    if beside is None:
        return
    sha256 = services.media.keep(visit.state.participant, clean(services.folder / beside).png)
    shown = {"period": period, "case": case.id, "picture": sha256}
    services.store.log_event(visit.state.participant, "picture_shown", shown)
