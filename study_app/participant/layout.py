"""What all participant pages share: progress, the demonstration banner, the title, the foot."""

from __future__ import annotations

import html
import re

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from study_app.participant.language import say
from study_app.services import services
from study_app.study import flow
from study_app.study.definition import Study
from study_app.study.visit import Visit

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
# A page with a chat field holds on to its end for a moment after it is gone: hence the second time.
_TO_TOP = """<script>
for (const wait of [0, 300])
  setTimeout(() => document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0), wait);
</script>"""


def head(visit: Visit, title: str, where: str = "") -> None:
    """Progress, banner and title. ``where``: the assistant's part of the progress line."""
    k, n = flow.progress(visit.study, visit.state, visit.step)
    st.progress(k / n, text=say("page.step", step=k, steps=n) + (f" · {where}" if where else ""))
    demonstration_banner()
    st.title(title, anchor=False)


def demonstration_banner() -> None:
    """On every page while the models are a demonstration, or while it is not known whether they are."""
    known = services().models.now()
    if known is None or known.demonstration:
        badge = f":orange-badge[:material/science: {say('page.demonstration')}]"
        st.markdown(f"{badge} {say('page.demonstration_means')}")


def foot(study: Study, participant: str = "") -> None:
    """Who is responsible, whom to ask, and the number to name when asking."""
    contact = html.escape(study.contact)
    if _ADDRESS.fullmatch(study.contact):
        contact = f'<a href="mailto:{contact}">{contact}</a>'
    said = [html.escape(study.institution), html.escape(study.ethics), say("page.questions_to", contact=contact)]
    if participant:
        said.append(say("page.your_number", number=participant))
    st.html(f"<p>{' · '.join(said)}</p>")


def assistants(visit: Visit, period: int) -> str:
    """Where in the study: "Assistant 2 of 3"; just the name where there is one only."""
    name = visit.study.name_in_period(period)
    if visit.study.conditions_met > 1:
        name = say("page.assistant_of", assistant=name, assistants=visit.study.conditions_met)
    photos = visit.study.photo.cases_per_condition
    if photos == 1:
        return name
    return say("case.nth", assistant=name, number=(period - 1) % photos + 1, photos=photos)


def left_to_right(key: str) -> DeltaGenerator:
    """A place whose parts stand from left to right in every language: for what the words call left and right. ``key``:
    one of its own on the page."""
    return st.container(key=f"ltr_{key}")


def not_saved() -> None:
    st.error(say("page.not_saved"))


def not_saved_page(visit: Visit, title: str, where: str = "") -> None:
    """In the place of a step that begins by itself, and could not: every run tries again, and the button makes one."""
    head(visit, title, where)
    not_saved()
    st.button(say("page.try_again"), type="primary", key="try_again")
    foot(visit.study, visit.state.participant)


def scroll_up_on_a_new_step(visit: Visit) -> None:
    """Streamlit keeps the scroll position: after "Continue" a new page would open at its end."""
    before = st.session_state.get("step_shown")
    st.session_state["step_shown"] = visit.step.key
    if before not in (None, visit.step.key):
        st.html(_TO_TOP, unsafe_allow_javascript=True)
