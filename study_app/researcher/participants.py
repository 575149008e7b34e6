"""Who took part: the list, one participant's answers and conversations, and what can be done about them.

Opening somebody is written into the audit before anything of theirs is shown.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from study_app.failures import guarded
from study_app.researcher import participant_actions, replay
from study_app.researcher.login import researcher_head
from study_app.researcher.session import with_role
from study_app.services import Services, services
from study_app.study.access.audit import Action
from study_app.study.flow import condition_of
from study_app.study.roster import Given, Person, look_at, read_answers, read_people
from study_app.study.visit import Visit

_OPENED = "participant_opened"
_NOBODY = ""
LISTED = 200
"""Rows of the list at most."""


@guarded
def page() -> None:
    opened = services()
    kind = researcher_head("Participants", opened.run_kind)
    people = read_people(opened.store.database, opened.study, kind)
    if not people:
        st.info("Nobody has arrived in this run yet.")
        return
    outcomes = sorted({person.outcome for person in people})
    wanted = st.pills("Outcome", outcomes, selection_mode="multi", format_func=_plain, key="people_outcomes")
    shown = [person for person in people if not wanted or person.outcome in wanted]
    numbers = [_NOBODY, *(person.participant for person in shown)]
    chosen = st.selectbox("Open a participant", numbers, format_func=_number, width=320, key="people_open")
    if chosen:
        _one(opened, chosen)
    else:
        st.session_state.pop(_OPENED, None)
        _everybody(shown)


def _everybody(people: list[Person]) -> None:
    """A plain table: a grid of Streamlit's would offer a download that no audit hears of."""
    if len(people) > LISTED:
        st.markdown(f"The newest {LISTED} of {len(people)}. All can be opened: type a number into the field above.")
    st.table(_list(people[:LISTED]), border="horizontal", hide_index=True, alt="Participants, the newest first")


def _list(people: list[Person]) -> pd.DataFrame:
    rows = [
        {
            "Number": person.participant,
            "Outcome": _plain(person.outcome),
            "Periods": person.periods_finished,
            "Answers": person.answers,
            "Last seen (UTC)": _moment(person.last_seen),
            "Arrived (UTC)": _moment(person.arrived_at),
            "Sequence": person.sequence.replace(">", " > "),
            "Reason": person.reason,
        }
        for person in people
    ]
    table = pd.DataFrame(rows)
    return table if any(person.reason for person in people) else table.drop(columns="Reason")  # narrower on a phone


def _one(opened: Services, participant: str) -> None:
    who = with_role("editor").name
    if st.session_state.get(_OPENED) != participant:
        opened.store.researcher.audit.add(who, Action.participant_opened, participant)
        st.session_state[_OPENED] = participant
    visit = look_at(opened.store.database, participant)
    st.header(participant, anchor=False)
    reason = f": {visit.state.exclusion_reason}" if visit.state.exclusion_reason else ""
    st.markdown(f"**{_plain(visit.state.status)}**{reason} · now at *{_plain(visit.step.key)}*")
    answers, conversations, actions = st.tabs(["Answers", "Conversations", "Actions"])
    with answers:
        _answers(opened, visit)
    with conversations:
        replay.show(opened, visit)
    with actions:
        participant_actions.show(opened, visit)


def _answers(opened: Services, visit: Visit) -> None:
    given = read_answers(opened.store.database, visit)
    if not given:
        st.markdown("No answers are kept." if visit.state.status == "withdrawn" else "No answers yet.")
        return
    alt = f"Answers of {visit.state.participant}"
    st.table(_answer_table(given, visit), border="horizontal", hide_index=True, alt=alt)


def _answer_table(given: tuple[Given, ...], visit: Visit) -> pd.DataFrame:
    rows = [
        {
            "Item": each.item,  # on a phone the first columns are seen at once, the others by scrolling
            "Answer": each.value,
            "Step": _plain(each.step) + (f", {visit.study.name_in_period(each.period)}" if each.period else ""),
            "Condition": condition_of(visit.study, visit.state, each.period).key if each.period else "",
            "Seconds on page": "–" if each.duration_s is None else f"{each.duration_s:.1f}",
            "Changed": each.changes,
            "When (UTC)": _moment(each.answered_at, 19),
            "Wording": each.wording,
        }
        for each in given
    ]
    return pd.DataFrame(rows)


def _plain(name: str) -> str:
    return name.replace("_", " ").replace(":", " ").capitalize()


def _moment(stamp: str, characters: int = 16) -> str:
    """ISO-8601 up to the minute, on one line also where the column is narrow."""
    return stamp[:characters].replace("T", "\u00a0").replace("-", "\u2011")


def _number(participant: str) -> str:
    return participant or "Nobody: show the list"
