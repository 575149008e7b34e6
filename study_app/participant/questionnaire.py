"""Pages of items: about oneself, about an assistant, looking back; and the free comments."""

from __future__ import annotations

import streamlit as st

from study_app.participant import assigned, pair, shield, typed
from study_app.participant.items import ask, beside_each_other
from study_app.participant.language import say
from study_app.participant.layout import assistants, foot, head
from study_app.participant.saving import begin_page, known_as, next_clicked, reconcile, stored
from study_app.services import Services
from study_app.study import flow
from study_app.study.definition import Item, Likert
from study_app.study.definition_items import LongText, Pairwise, ShortText
from study_app.study.visit import Visit


def saved_mark() -> str:
    return f":green[:material/check_circle: {say('page.saved')}]"


def show_demographics(services: Services, visit: Visit) -> None:
    head(visit, say("questions.about_you"))
    begin_page(visit)
    if pair.with_pictures(visit.study.demographics):
        shield.switch(services, visit)
    for question in visit.study.demographics:
        above = isinstance(question, Likert | Pairwise)
        if above:
            st.markdown(f"**{question.wording}**")
        number = pair.number_among(visit.study.demographics, question)
        item = pair.as_drawn(services, visit, question, None, number)
        if item is None:
            continue
        key = f"question_{item.id}"
        _remember_text(item, key, None)
        value = ask(visit.study, item, key, stored(visit, item.id), above)
        _below(visit, item, reconcile(services, visit, item.id, value))
    next_clicked(services, visit)
    foot(visit.study, visit.state.participant)


def show_rating(services: Services, visit: Visit, period: int) -> None:
    name = visit.study.name_in_period(period)
    where = say("questions.rating_of", assistant=assistants(visit, period))
    talks = flow.condition_of(visit.study, visit.state, period).talks
    head(visit, say("questions.how_was", assistant=name) if talks else say("case.rate_title"), where)
    if not talks or pair.with_pictures(visit.study.repeated_items):
        shield.switch(services, visit)
    assigned.show_pictures(services, visit, period)
    st.markdown(_introduction(visit.study.repeated_items))
    items_page(services, visit, visit.study.repeated_items, period)


def show_final(services: Services, visit: Visit) -> None:
    head(visit, say("questions.looking_back"))
    if pair.with_pictures(visit.study.final_items):
        shield.switch(services, visit)
    intro = flow.final_items_intro(visit.study, visit.state)
    st.markdown(intro or _introduction(visit.study.final_items))
    items_page(services, visit, visit.study.final_items, None)


def show_comments(services: Services, visit: Visit) -> None:
    comments = visit.study.comments
    assert comments is not None  # the step exists only in a study with comments
    head(visit, say("questions.comments"))
    begin_page(visit)
    before = stored(visit, comments.id)
    typed.field("comments", known_as(comments.id, None))
    written = st.text_area(
        comments.wording,
        value=str(before or ""),
        max_chars=comments.max_length,
        height=180,
        key="comments",
    )
    if (written or before is not None) and reconcile(services, visit, comments.id, written):
        st.markdown(saved_mark())
    next_clicked(services, visit, say("questions.finish"))
    foot(visit.study, visit.state.participant)


def _introduction(items: tuple[Item, ...]) -> str:
    all_scales = all(isinstance(item, Likert) for item in items)
    return say("questions.how_far") if all_scales else say("questions.no_right")


def items_page(services: Services, visit: Visit, items: tuple[Item, ...], period: int | None) -> None:
    begin_page(visit)
    saved = [_item(services, visit, items, n, period) for n in range(1, len(items) + 1)]
    st.markdown(say("questions.saved_of", saved=sum(saved), all=len(saved)))
    next_clicked(services, visit)
    foot(visit.study, visit.state.participant)


def _item(services: Services, visit: Visit, items: tuple[Item, ...], n: int, period: int | None) -> bool:
    """The ``n``-th of the page's items with its widget; True when its answer is stored."""
    item = items[n - 1]
    may_skip = f" {say('questions.may_be_left_out')}" if item.missing == "may_skip" else ""
    st.markdown(f"**{n}. {item.wording}**{may_skip}")
    before = stored(visit, item.id, period)
    met = pair.as_drawn(services, visit, item, period, pair.number_among(items, item))
    if met is None:
        return False
    key = f"item_{item.id}_{period or 0}"
    _remember_text(item, key, period)
    value = ask(visit.study, met, key, before, labelled=True)
    is_saved = reconcile(services, visit, item.id, value, period)
    _below(visit, met, is_saved)
    return is_saved


def _remember_text(item: Item, key: str, period: int | None) -> None:
    if isinstance(item, ShortText | LongText):
        typed.field(key, known_as(item.id, period))


def _below(visit: Visit, item: Item, is_saved: bool) -> None:
    """The mark of a stored answer; on a scale between the words for its ends."""
    if isinstance(item, Likert):
        labels = visit.study.scale_of(item).labels
        beside_each_other(labels[0], *([saved_mark()] if is_saved else []), labels[-1])
    elif is_saved:
        st.markdown(saved_mark())
