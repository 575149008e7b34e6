"""What a researcher may do about one participant: a new link, exclude with a reason, withdraw and erase."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from study_app.researcher.kept import keep, kept
from study_app.researcher.session import with_role
from study_app.services import Services
from study_app.study.access.audit import Action
from study_app.study.errors import Refused
from study_app.study.migration_backups import backups_with
from study_app.study.visit import Visit

_LINK = "link"
_LONGEST_REASON = 300


def show(services: Services, visit: Visit) -> None:
    if visit.state.status == "withdrawn":
        _withdrawn(services, visit.state.participant)
        return
    participant = visit.state.participant
    with st.container(border=True):
        _link(services, participant)
    if visit.state.status in ("active", "completed"):
        with st.container(border=True):
            _exclude(services, participant)
    with st.container(border=True):
        _withdraw(services, participant)


def _withdrawn(services: Services, participant: str) -> None:
    """Also after a withdrawal by the participant, who can do nothing about a backup, and after one under a version of
    the app that did not reach backups."""
    left = backups_with(services.store.database, participant)
    if not left:
        st.markdown("Withdrawn: nothing is left to do.")
        return
    names = ", ".join(f"`{backup}`" for backup in left)
    st.warning(f"Withdrawn, but not erased in {names}. Erase there, too; where that fails, delete these backups.")
    if st.button("Erase in these backups", icon=":material/delete_forever:", key=f"erase_again_{participant}"):
        _erase(services, participant)


def _link(services: Services, participant: str) -> None:
    st.markdown("**A new link for the participant**")
    st.markdown(
        "For somebody who lost theirs. Whoever opens it goes on as this participant: give it to nobody else. "
        "It is shown only now; links are stored as hashes."
    )
    if st.button("Make a link", icon=":material/link:", key=f"link_{participant}"):
        try:
            who = with_role("editor").name
            with services.store.researcher.audit.around(who, Action.link_renewed, participant):
                token = services.store.door.new_link(participant)
        except Refused as refused:
            st.warning(str(refused))
            return
        address = urlsplit(st.context.url or "")
        keep(_LINK, (participant, f"{address.scheme}://{address.netloc}/?t={token}"))
    shown = kept(_LINK)
    if shown and shown[0] == participant:
        st.code(shown[1], language=None, wrap_lines=True)


def _exclude(services: Services, participant: str) -> None:
    st.markdown("**Exclude from the analysis**")
    st.markdown("The data stay; results and the flow diagram leave them out, with your reason. It cannot be undone.")
    reason = st.text_input("Reason", max_chars=_LONGEST_REASON, key=f"reason_{participant}")
    if not st.button("Exclude", icon=":material/block:", key=f"exclude_{participant}"):
        return
    if not (reason or "").strip():
        st.warning("Give a reason: it appears in the flow diagram.")
        return
    try:
        who = with_role("editor").name
        with services.store.researcher.audit.around(who, Action.excluded, participant):
            services.store.exclude(participant, reason.strip())
    except Refused as refused:
        st.warning(str(refused))
        return
    st.rerun()


def _withdraw(services: Services, participant: str) -> None:
    st.markdown("**Withdraw and erase**")
    st.markdown(
        "When a participant asks for it. Photos, pictures, conversations and answers are erased for good: in the "
        "database, on disk, with the models, and in the backups that updates of the app left beside the database. "
        "Exports and backups that you made before still hold them: erase those yourself."
    )
    typed = st.text_input(f"Type {participant} to confirm", autocomplete="off", key=f"confirm_{participant}")
    if not st.button("Withdraw and erase", icon=":material/delete_forever:", key=f"withdraw_{participant}"):
        return
    if (typed or "").strip().upper() != participant:
        st.warning(f"Nothing was erased: type {participant} first.")
        return
    _erase(services, participant)


def _erase(services: Services, participant: str) -> None:
    """Harmless when repeated."""
    try:
        who = with_role("editor").name
        with services.store.researcher.audit.around(who, Action.withdrawn, participant):
            services.media.withdraw(participant)
    except Refused as refused:
        st.warning(str(refused))
        return
    st.rerun()
