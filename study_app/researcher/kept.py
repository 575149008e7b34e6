"""What a page keeps in this tab for whoever is signed in: a prepared ZIP, a link that is shown once.

It belongs to one account and one page: gone with the sign-out, for whoever signs in next, and on another page.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

_KEPT = "researcher_kept"
_OF = "researcher_kept_of"


def begin(page: str, who: str) -> None:
    """At the head of every page of a researcher's, before anything of it is drawn."""
    if st.session_state.get(_OF) != (page, who):
        let_go()
        st.session_state[_OF] = (page, who)


def keep(name: str, value: object) -> None:
    """For the next runs of this page. None: no longer."""
    st.session_state[_KEPT] = {**st.session_state.get(_KEPT, {}), name: value}


def kept(name: str) -> Any:
    """None where there is nothing."""
    return st.session_state.get(_KEPT, {}).get(name)


def let_go() -> None:
    """Of everything."""
    for key in (_KEPT, _OF):
        st.session_state.pop(key, None)
