"""Who took part: the list, one participant's answers and conversations, and what can be done about them.

Opening somebody is written into the audit before anything of theirs is shown.
"""

from __future__ import annotations

import streamlit as st

from study_app.failures import guarded
from study_app.participant.safe_text import show_text
from study_app.researcher import participant_actions, replay
from study_app.researcher.kept import keep, kept
from study_app.researcher.login import researcher_head
from study_app.researcher.plain_table import show_table
from study_app.researcher.session import with_role
from study_app.services import Services, services
from study_app.study.access.audit import Action
from study_app.study.flow import condition_of
from study_app.study.roster import Given, Person, look_at, read_answers, read_people
from study_app.study.visit import Visit

_OPENED = "opened"
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
        keep(_OPENED, None)
        _everybody(shown)


def _everybody(people: list[Person]) -> None:
    """A plain table: a grid of Streamlit's would offer a download that no audit hears of."""
    if len(people) > LISTED:
        st.markdown(f"The newest {LISTED} of {len(people)}. All can be opened: type a number into the field above.")
    if people:
        show_table(_list(people[:LISTED]), "Participants, the newest first")


def _list(people: list[Person]) -> list[dict[str, object]]:
    reasons = any(person.reason for person in people)  # without that column it is narrower on a phone
    return [
        {
            "Number": person.participant,
            "Outcome": _plain(person.outcome),
            "Periods": person.periods_finished,
            "Answers": person.answers,
            "Last seen (UTC)": _moment(person.last_seen),
            "Arrived (UTC)": _moment(person.arrived_at),
            "Sequence": person.sequence.replace(">", " > "),
            **({"Reason": person.reason} if reasons else {}),
        }
        for person in people
    ]


def _one(opened: Services, participant: str) -> None:
    who = with_role("editor").name
    if kept(_OPENED) != participant:
        opened.store.researcher.audit.add(who, Action.participant_opened, participant)
        keep(_OPENED, participant)
    visit = look_at(opened.store.database, participant)
    st.header(participant, anchor=False)
    st.markdown(f"**{_plain(visit.state.status)}** · now at *{_plain(visit.step.key)}*")
    show_text(visit.state.exclusion_reason or "")
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
    show_table(_answer_table(given, visit), f"Answers of {visit.state.participant}")


def _answer_table(given: tuple[Given, ...], visit: Visit) -> list[dict[str, object]]:
    return [
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


def _plain(name: str) -> str:
    return name.replace("_", " ").replace(":", " ").capitalize()


def _moment(stamp: str, characters: int = 16) -> str:
    """ISO-8601 up to the minute, on one line also where the column is narrow."""
    return stamp[:characters].replace("T", "\u00a0").replace("-", "\u2011")


def _number(participant: str) -> str:
    return participant or "Nobody: show the list"
