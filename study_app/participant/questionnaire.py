"""Statements rated on a scale (Table 4 of the paper), and the free comments."""

from __future__ import annotations

import streamlit as st

from study_app.participant.layout import assistants, foot, head
from study_app.participant.saving import begin_clock, next_clicked, reconcile, stored
from study_app.services import Services
from study_app.study import flow
from study_app.study.definition import Item, Scale
from study_app.study.visit import Visit

_SAVED = ":green[:material/check_circle: Saved]"


def show_rating(services: Services, visit: Visit, period: int) -> None:
    name = visit.study.name_in_period(period)
    head(visit, f"How was {name}?", f"Rating {assistants(visit, period)}")
    st.markdown("How far do you agree? There are no right or wrong answers.")
    _items(services, visit, visit.study.repeated_items, period)


def show_final(services: Services, visit: Visit) -> None:
    head(visit, "Looking back")
    intro = flow.final_items_intro(visit.study, visit.state)
    st.markdown(intro or "How far do you agree? There are no right or wrong answers.")
    _items(services, visit, visit.study.final_items, None)


def show_comments(services: Services, visit: Visit) -> None:
    comments = visit.study.comments
    assert comments is not None  # the step exists only in a study with comments
    head(visit, "Comments")
    begin_clock(visit)
    before = stored(visit, comments.id)
    written = st.text_area(
        comments.wording,
        value=str(before or ""),
        max_chars=comments.max_length,
        height=180,
        key="comments",
    )
    if (written or before is not None) and reconcile(services, visit, comments.id, written):
        st.markdown(_SAVED)
    next_clicked(services, visit, "Finish")
    foot(visit.study, visit.state.participant)


def _items(services: Services, visit: Visit, items: tuple[Item, ...], period: int | None) -> None:
    begin_clock(visit)
    saved = [_item(services, visit, n, item, period) for n, item in enumerate(items, 1)]
    st.markdown(f"{sum(saved)} of {len(saved)} answers saved.")
    next_clicked(services, visit)
    foot(visit.study, visit.state.participant)


def _item(services: Services, visit: Visit, n: int, item: Item, period: int | None) -> bool:
    """One statement with its scale; True when its answer is stored."""
    scale = visit.study.scale_of(item)
    st.markdown(f"**{n}. {item.wording}**")
    before = stored(visit, item.id, period)
    value = st.segmented_control(
        _read_aloud(item, scale),
        scale.points,
        default=int(before) if before is not None else None,
        required=True,
        width="stretch",
        wrap=False,
        label_visibility="collapsed",
        key=f"item_{item.id}_{period or 0}",
    )
    ends = st.container(horizontal=True, horizontal_alignment="distribute")
    with ends:
        st.markdown(scale.labels[0], width="content")
        is_saved = reconcile(services, visit, item.id, value, period)
        if is_saved:
            st.markdown(_SAVED, width="content")
        st.markdown(scale.labels[-1], width="content")
    return is_saved


def _read_aloud(item: Item, scale: Scale) -> str:
    """The label a screen reader speaks: plain text, with what the ends mean."""
    return f"{item.wording} {scale.minimum} is {scale.labels[0].lower()}, {scale.maximum} is {scale.labels[-1].lower()}"
