"""Who looked at what, and when. For owners."""

from __future__ import annotations

import streamlit as st

from study_app.failures import guarded
from study_app.researcher.login import researcher_head
from study_app.researcher.plain_table import show_table
from study_app.services import services
from study_app.study.access.audit import Action, Entry

SHOWN = 200


@guarded
def page() -> None:
    audit = services().store.researcher.audit
    researcher_head("Audit")
    st.markdown("Written before anything is shown or done, and only ever added to. The newest first; times are UTC.")
    with st.container(horizontal=True):
        who = st.selectbox("Who", ["", *audit.names()], format_func=_anybody, width=260, key="audit_who")
        action = st.selectbox(
            "What", ["", *(a.value for a in Action)], format_func=_anything, width=320, key="audit_what"
        )
    entries = audit.entries(SHOWN, who or "", action or "")
    if not entries:
        st.markdown("Nothing of this kind.")
        return
    show_table(table(entries), "The audit, the newest first")
    if len(entries) == SHOWN:
        st.markdown(f"Only the newest {SHOWN}. All of them: `python -m study_app audit --db FILE`.")


def table(entries: tuple[Entry, ...]) -> list[dict[str, object]]:
    return [
        {
            "When (UTC)": f"{e.at[:10]} {e.at[11:19]}".replace("-", "\u2011"),
            "Who": e.who,
            "What": e.action.capitalize(),
            "Whom or what": e.subject,
            "Details": e.detail,
        }
        for e in entries
    ]


def _anybody(name: str) -> str:
    return name or "Anybody"


def _anything(action: str) -> str:
    return action.capitalize() or "Anything"
