"""Pages of items: about oneself, about an assistant, looking back; and the free comments."""

from __future__ import annotations

import streamlit as st

from study_app.participant.items import ask, beside_each_other
from study_app.participant.layout import assistants, foot, head
from study_app.participant.saving import begin_clock, next_clicked, reconcile, stored
from study_app.services import Services
from study_app.study import flow
from study_app.study.definition import Item, Likert
from study_app.study.visit import Visit

SAVED = ":green[:material/check_circle: Saved]"
_HOW_FAR = "How far do you agree? There are no right or wrong answers."
_NO_RIGHT = "There are no right or wrong answers."


def show_demographics(services: Services, visit: Visit) -> None:
    head(visit, "About you")
    begin_clock(visit)
    for item in visit.study.demographics:
        if isinstance(item, Likert):
            st.markdown(f"**{item.wording}**")
        value = ask(visit.study, item, f"question_{item.id}", stored(visit, item.id), isinstance(item, Likert))
        _below(visit, item, reconcile(services, visit, item.id, value))
    next_clicked(services, visit)
    foot(visit.study, visit.state.participant)


def show_rating(services: Services, visit: Visit, period: int) -> None:
    name = visit.study.name_in_period(period)
    head(visit, f"How was {name}?", f"Rating {assistants(visit, period)}")
    st.markdown(_introduction(visit.study.repeated_items))
    _items(services, visit, visit.study.repeated_items, period)


def show_final(services: Services, visit: Visit) -> None:
    head(visit, "Looking back")
    intro = flow.final_items_intro(visit.study, visit.state)
    st.markdown(intro or _introduction(visit.study.final_items))
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
        st.markdown(SAVED)
    next_clicked(services, visit, "Finish")
    foot(visit.study, visit.state.participant)


def _introduction(items: tuple[Item, ...]) -> str:
    return _HOW_FAR if all(isinstance(item, Likert) for item in items) else _NO_RIGHT


def _items(services: Services, visit: Visit, items: tuple[Item, ...], period: int | None) -> None:
    begin_clock(visit)
    saved = [_item(services, visit, n, item, period) for n, item in enumerate(items, 1)]
    st.markdown(f"{sum(saved)} of {len(saved)} answers saved.")
    next_clicked(services, visit)
    foot(visit.study, visit.state.participant)


def _item(services: Services, visit: Visit, n: int, item: Item, period: int | None) -> bool:
    """One item with its widget; True when its answer is stored."""
    st.markdown(f"**{n}. {item.wording}**" + (" (may be left out)" if item.missing == "may_skip" else ""))
    before = stored(visit, item.id, period)
    value = ask(visit.study, item, f"item_{item.id}_{period or 0}", before, labelled=True)
    is_saved = reconcile(services, visit, item.id, value, period)
    _below(visit, item, is_saved)
    return is_saved


def _below(visit: Visit, item: Item, is_saved: bool) -> None:
    """The mark of a stored answer; on a scale between the words for its ends."""
    if isinstance(item, Likert):
        labels = visit.study.scale_of(item).labels
        beside_each_other(labels[0], *([SAVED] if is_saved else []), labels[-1])
    elif is_saved:
        st.markdown(SAVED)
