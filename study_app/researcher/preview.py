"""A walk through a study's text and items, one step at a time. Nobody takes part and nothing is stored."""

from __future__ import annotations

import streamlit as st

from study_app.participant.items import ask
from study_app.study import flow
from study_app.study.allocation import sequences
from study_app.study.definition import Item, Study
from study_app.study.state import ParticipantState

_CODE = "the completion code"


def show(study: Study) -> None:
    """The switches (language, sequence, step) and the step."""
    with st.container(border=True):
        st.subheader("Preview", anchor=False)
        language = study.languages[0]
        if len(study.languages) > 1:
            chosen = st.segmented_control(
                "Language", study.languages, default=language, required=True, key=f"preview_language_{study.hash[:12]}"
            )
            language = chosen or language
        orders = sequences(study)
        sequence = st.selectbox("Sequence", orders, format_func=" > ".join, key=f"preview_sequence_{study.hash[:12]}")
        text, somebody = study.in_language(language), somebody_with(study, sequence or orders[0])
        steps = walk(text, somebody)
        step = _chosen_step(study, steps)
        st.divider()
        _step(text, somebody, step)


def somebody_with(study: Study, sequence: tuple[str, ...]) -> ParticipantState:
    """A participant who exists nowhere."""
    return ParticipantState(
        participant="",
        definition_hash=study.hash,
        run_kind="pilot",
        status="active",
        exclusion_reason=None,
        consented=True,
        sequence=sequence,
        answers={},
        steps_done=frozenset(),
        exposures={},
    )


def walk(study: Study, state: ParticipantState) -> tuple[flow.Step, ...]:
    """Every step with a page, in order, for this sequence."""
    single: dict[str, flow.Step] = {
        "consent": flow.Consent(),
        "demographics": flow.Demographics(),
        "final_items": flow.FinalItems(),
        "comments": flow.Comments(),
    }
    steps: list[flow.Step] = []
    for name in study.steps:
        if name == "periods":
            for period in range(1, study.periods + 1):
                steps += flow.period_pages(study, state, period)
        else:
            steps.append(single[name])
    return (*steps, flow.Finished())


def _chosen_step(study: Study, steps: tuple[flow.Step, ...]) -> flow.Step:
    """By name, or one after another."""
    place = f"preview_step_{study.hash[:12]}"
    names = [f"{n}. {_name(step)}" for n, step in enumerate(steps, 1)]
    if st.session_state.get(place) not in names:
        st.session_state[place] = names[0]
    at = names.index(st.session_state[place])

    def go(to: int) -> None:
        st.session_state[place] = names[to]

    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Step", names, key=place)
        st.button("Back", disabled=at == 0, on_click=go, args=(max(0, at - 1),), key=f"{place}_back")
        last = len(names) - 1
        st.button("Next", disabled=at == last, on_click=go, args=(min(last, at + 1),), key=f"{place}_next")
    return steps[names.index(name)]


def _name(step: flow.Step) -> str:
    name, _, period = step.key.replace("_", " ").partition(":")
    return f"{name.capitalize()} {period}".strip()


def _step(study: Study, state: ParticipantState, step: flow.Step) -> None:
    items = flow.asked(study, step)
    if items:
        if isinstance(step, flow.FinalItems):
            st.markdown(flow.final_items_intro(study, state))
        for n, item in enumerate(items, 1):
            _item(study, item, n, step)
        return
    match step:
        case flow.Consent():
            _consent(study)
        case flow.Photo(period):
            st.markdown(f"The participant chooses a photo for {study.name_in_period(period)}.")
        case flow.Conversation(period):
            _conversation(study, state, period)
        case flow.Comments():
            st.text_area(study.comments.wording if study.comments else "", key=f"preview_{study.hash[:12]}_comments")
        case flow.Finished():
            st.markdown(f"**{study.debrief.title}**")
            st.markdown(f"Here stands {_CODE}.")
            st.markdown(study.debrief.text)
        case _:
            st.markdown("This step has no text of its own.")


def _item(study: Study, item: Item, n: int, step: flow.Step) -> None:
    optional = " (may be left out)" if item.missing == "may_skip" else ""
    st.markdown(f"**{n}. {item.wording}**{optional}")
    ask(study, item, f"preview_{study.hash[:12]}_{step.key}_{item.id}", None, labelled=True)


def _consent(study: Study) -> None:
    st.markdown(f"**{study.title}**")
    st.markdown(study.consent.summary)
    st.markdown("\n".join(f"- **{bullet.lead}** {bullet.text}" for bullet in study.consent.bullets))
    with st.expander("The full information sheet"):
        st.markdown(study.consent.sheet)
    st.markdown("\n".join(f"- ☐ {agreement}" for agreement in study.consent.agreements))


def _conversation(study: Study, state: ParticipantState, period: int) -> None:
    condition = flow.condition_of(study, state, period)
    st.markdown(
        f"The participant talks with **{study.name_in_period(period)}** about the photo. Condition `{condition.key}` "
        f"({condition.label}); participants never see that name. The preview asks no models."
    )
    if study.suggested_questions:
        st.markdown("Offered under an answer:\n" + "\n".join(f"- {question}" for question in study.suggested_questions))
