"""Entry of the app: a visitor is routed to the participant's or the researcher's side.

Started by `python -m study_app serve`. This process never imports torch: models live behind the door.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from study_app.failures import guarded
from study_app.look import CSS
from study_app.participant import guard
from study_app.participant import page as participant
from study_app.participant.not_open import told_if_not_open
from study_app.researcher import accounts, audit, exports, kept, login, monitor, participants, results, session, studies
from study_app.study.access.roles import Account, Role, at_least

# Of our own: a page with a named symbol as its icon makes the browser fetch that from another site.
ICON = str(Path(__file__).with_name("icon.png"))


def for_researcher(show: Callable[[], None], name: str, role: Role) -> Callable[[], None]:
    """``show`` for whoever signed in with that role. Hidden navigation protects nothing; this does."""

    def page() -> None:
        session.for_role(role, show, login.page)

    page.__name__ = name
    return guarded(page)


RESEARCHER: tuple[tuple[str, str, Callable[[], None], Role], ...] = (
    ("Monitor", "researcher", monitor.page, "viewer"),
    ("Participants", "participants", participants.page, "editor"),
    ("Results", "results", results.page, "viewer"),
    ("Export", "export", exports.page, "editor"),
    ("Studies", "studies", studies.page, "owner"),
    ("Accounts", "accounts", accounts.page, "owner"),
    ("Audit", "audit", audit.page, "owner"),
)
"""Title, address, page and the role it needs, in the order of the navigation."""


def researcher_page(who: Account | None, title: str, url: str, show: Callable[[], None], role: Role) -> Any:
    """Not in the navigation of whoever may not see it; its address then says why."""
    seen = who is not None and at_least(who.role, role)
    page = for_researcher(show, url, role)
    return st.Page(page, title=title, url_path=url, visibility="visible" if seen else "hidden")


def main() -> None:
    study = st.Page(guard.guarded(told_if_not_open(participant.page)), title="Study", default=True, visibility="hidden")
    who = session.signed_in_if_known()
    pages = [researcher_page(who, *each) for each in RESEARCHER]
    chosen = st.navigation([study, *pages], position="top" if who else "hidden")
    st.set_page_config(layout="centered" if chosen == study else "wide", page_icon=ICON)
    st.html(CSS)
    if chosen == study:
        kept.let_go()
    chosen.run()


main()
