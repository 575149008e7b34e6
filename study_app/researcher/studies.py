"""The study that is served: open, pause, close, pilot or live; and a study file to check and to walk through."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from study_app.failures import guarded
from study_app.researcher import preview
from study_app.researcher.login import researcher_head
from study_app.researcher.session import with_role
from study_app.services import Services, services
from study_app.study.access.audit import Action
from study_app.study.checked import check_text
from study_app.study.definition import DefinitionError, Study
from study_app.study.errors import Refused
from study_app.study.running import STATES, Running, StudyState
from study_app.study.state import RunKind

_MEANS: dict[StudyState, str] = {
    "open": "Whoever opens the link may take part.",
    "paused": "New arrivals are told to come back later. People inside may finish.",
    "closed": "New arrivals are told that the study is over. People inside may finish.",
}
_RUNS: tuple[RunKind, ...] = ("pilot", "live")
_LARGEST = 1_000_000
"""Bytes of a study file."""


@guarded
def page() -> None:
    opened = services()
    researcher_head("Studies")
    left, right = st.columns([2, 3], gap="large")
    with left:
        _served(opened)
    with right:
        _another(opened)


def _served(opened: Services) -> None:
    study, running = opened.study, Running(opened.store.database)
    st.subheader("The study that is served", anchor=False)
    st.markdown(f"{study.title}  \n`{study.id}` · definition `{study.hash[:12]}` · {study.planned_n} planned")
    state = running.state(study.id)
    chosen = st.segmented_control(
        "New participants", STATES, default=state, required=True, format_func=str.capitalize, key=f"state_{state}"
    )
    st.markdown(_MEANS[state])
    kind = running.run_kind(study.id, opened.run_kind)
    if kind in _RUNS:
        _run_kind(opened, running, kind)
    if chosen is not None and chosen != state:
        _change(opened, f"{state} -> {chosen}", lambda: running.set_state(study.id, chosen))


def _run_kind(opened: Services, running: Running, kind: RunKind) -> None:
    study = opened.study
    chosen = st.segmented_control(
        "Run of new participants", _RUNS, default=kind, required=True, format_func=str.capitalize, key=f"kind_{kind}"
    )
    st.markdown(
        "Only participants of a live run count in the results. People inside stay in the run they began in. "
        "Later starts of the app keep what is set here."
    )
    open_fields = [name for name in ("institution", "ethics", "contact") if getattr(study, name).startswith("[")]
    if kind == "live" and open_fields:
        st.warning(f"The study file still says REPLACE in: {', '.join(open_fields)}. Participants read that.")
    if chosen is not None and chosen != kind:
        _change(opened, f"{kind} -> {chosen}", lambda: running.set_run_kind(study.id, chosen))


def _change(opened: Services, what: str, carry_out: Callable[[], None]) -> None:
    """Written down, done, shown anew."""
    try:
        who = with_role("owner").name
        with opened.store.researcher.audit.around(who, Action.study_state, opened.study.id, what):
            carry_out()
    except Refused as refused:
        st.warning(str(refused))
        return
    st.rerun()


def _another(opened: Services) -> None:
    st.subheader("Check a study file", anchor=False)
    st.markdown(
        "Nothing is stored and nothing changes for participants. To serve it: `python -m study_app serve --study FILE`."
    )
    upload = st.file_uploader("Study file (YAML)", type=["yaml", "yml"], max_upload_size=1, key="study_file")
    pasted = st.text_area("Or paste it here", height=160, key="study_text")
    name, text = "pasted.yaml", (pasted or "").encode()
    if upload is not None:
        name, text = upload.name, upload.getvalue()
    if not text.strip():
        if st.toggle("Preview the study that is served", key="preview_served"):
            preview.show(opened.study)
        return
    if len(text) > _LARGEST:
        st.warning("A study file has at most 1 MB. Is this one?")
        return
    _checked(name, text)


def _checked(name: str, text: bytes) -> None:
    try:
        study: Study = check_text(name, text)
    except DefinitionError as error:
        n = len(error.problems)
        st.error(f"{n} mistake{'' if n == 1 else 's'}. Nothing else was found; correct and check again.")
        st.code("\n".join(error.problems), language=None, wrap_lines=True)
        return
    st.success(f"No mistakes. {study.title}: definition {study.hash[:12]}.")
    if study.files:
        st.markdown(
            f"The pictures of its cases and pairs ({len(study.files)}) were not looked for, since their folder is not "
            "here. `python -m study_app check FILE` looks for them."
        )
    preview.show(study)
