"""The participant's decision before and after the explanation (see `study/definition_reliance.py`)."""

from __future__ import annotations

import streamlit as st

from study_app.participant.assigned import photo_name
from study_app.participant.language import say
from study_app.participant.layout import assistants, head
from study_app.participant.pictures import show_picture
from study_app.participant.questionnaire import items_page
from study_app.participant.saving import stored
from study_app.participant.shield import switch
from study_app.services import Services
from study_app.study.definition import Single
from study_app.study.visit import Visit

_PHOTO_PX = 280


def show_first(services: Services, visit: Visit, period: int) -> None:
    """The photo and the questions; the assistant has said nothing yet."""
    assert visit.study.reliance is not None  # the step exists only with the block
    head(visit, say("reliance.first"), assistants(visit, period))
    _photo(services, visit, period)
    st.markdown(say("reliance.before", assistant=visit.study.name_in_period(period)))
    items_page(services, visit, visit.study.reliance.first, period)


def show_final(services: Services, visit: Visit, period: int) -> None:
    """The photo, what was decided first, and the questions again."""
    assert visit.study.reliance is not None
    head(visit, say("reliance.final"), assistants(visit, period))
    _photo(services, visit, period)
    item = visit.study.reliance.first[0]
    before = stored(visit, item.id, period)
    if isinstance(item, Single) and before is not None:
        label = next((option.label for option in item.options if option.value == before), "")
        st.markdown(say("reliance.you_said", decision=label))
    items_page(services, visit, visit.study.reliance.final, period)


def _photo(services: Services, visit: Visit, period: int) -> None:
    switch(services, visit)
    with st.container(width=_PHOTO_PX):
        photo = visit.state.exposures[period].photo
        show_picture(services, visit, photo, photo_name(visit), captioned=False, place="decision")
