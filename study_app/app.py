"""Entry of the app: a visitor is routed to the participant's or the researcher's side.

Started by `python -m study_app serve`. This process never imports torch: models live behind the door.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from study_app.failures import guarded
from study_app.look import CSS
from study_app.participant import page as participant
from study_app.researcher import exports, login, monitor, results

# Of our own: a page with a named symbol as its icon makes the browser fetch that from another site.
ICON = str(Path(__file__).with_name("icon.png"))


def for_researcher(show: Callable[[], None], name: str) -> Callable[[], None]:
    """``show`` behind the password. Hidden navigation protects nothing; this does."""

    def page() -> None:
        if login.signed_in():
            show()
        else:
            login.page()

    page.__name__ = name
    return guarded(page)


def main() -> None:
    study = st.Page(guarded(participant.page), title="Study", default=True, visibility="hidden")
    pages = [
        st.Page(for_researcher(monitor.page, "monitor"), title="Monitor", url_path="researcher"),
        st.Page(for_researcher(results.page, "results"), title="Results", url_path="results"),
        st.Page(for_researcher(exports.page, "exports"), title="Export", url_path="export"),
    ]
    chosen = st.navigation([study, *pages], position="top" if login.signed_in() else "hidden")
    st.set_page_config(layout="centered" if chosen == study else "wide", page_icon=ICON)
    st.html(CSS)
    chosen.run()


main()
