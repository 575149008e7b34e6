"""The researcher's door: a password set once with the code printed at the start, then signing in and out."""

from __future__ import annotations

import hmac
import os
import threading
import time

import streamlit as st

from study_app.services import Services, services
from study_app.study.state import RunKind
from study_app.study.store import Refused

SETUP_CODE = "SKINGEN_SETUP_CODE"
_SIGNED_IN_FOR_S = 8 * 3600.0
_CODE_DELAY_S = 1.0
_one_code_at_a_time = threading.Lock()


def signed_in() -> bool:
    """Whether this tab signed in, in the last eight hours."""
    return bool(time.monotonic() < st.session_state.get("researcher_until", 0.0))


def researcher_head(title: str, run: RunKind | None = None) -> RunKind:
    """Title, the choice between live and pilot where ``run`` names the first shown, and the way out."""
    key = title.lower()
    kinds: list[RunKind] = ["live", "pilot"]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(title, anchor=False, width="content")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            if run is not None:
                run = st.segmented_control(
                    "Run",
                    kinds,
                    default=run,
                    required=True,
                    format_func=str.capitalize,
                    label_visibility="collapsed",
                    key=f"run_{key}",
                )
            if st.button("Sign out", icon=":material/logout:", key=f"sign_out_{key}"):
                st.session_state.pop("researcher_until", None)
                st.rerun()
    return run or "live"


def page() -> None:
    """Sign in, or set the password at the first start."""
    opened = services()
    _, middle, _ = st.columns([1, 2, 1])
    with middle:
        if opened.store.researcher.is_set():
            _sign_in(opened)
        else:
            _set_up(opened)


def _sign_in(opened: Services) -> None:
    st.title("Researcher", anchor=False)
    with st.form("sign_in", border=False):
        password = st.text_input("Password", type="password", autocomplete="current-password")
        sent = st.form_submit_button("Sign in", type="primary")
    if not sent:
        return
    result = opened.store.researcher.check(password or "")
    if result.ok:
        _enter()
    elif result.wait_s > 0:
        st.warning(f"Not signed in. The next attempt is looked at in {result.wait_s:.0f} seconds.")
    else:
        st.warning("Not signed in. The password is a different one.")


def _set_up(opened: Services) -> None:
    st.title("Set the researcher's password", anchor=False)
    expected = os.environ.get(SETUP_CODE, "")
    if not expected:
        st.warning("Start the app with `python -m study_app serve`: it prints the setup code this page asks for.")
        return
    st.markdown("The setup code is printed where the app was started.")
    with st.form("set_up", border=False):
        code = st.text_input("Setup code", autocomplete="off")
        password = st.text_input("New password", type="password", autocomplete="new-password")
        again = st.text_input("New password, again", type="password", autocomplete="new-password")
        sent = st.form_submit_button("Set the password", type="primary")
    if not sent:
        return
    if not _code_is_right(code or "", expected):
        st.warning("The setup code is a different one. It is printed where the app was started.")
    elif password != again:
        st.warning("The two passwords differ. Nothing was set.")
    else:
        _set_password(opened, password or "")


def _set_password(opened: Services, password: str) -> None:
    try:
        opened.store.researcher.set_password(password)
    except Refused as refused:
        st.warning(str(refused))
        return
    _enter()


def _code_is_right(code: str, expected: str) -> bool:
    """Compared one at a time and a second apart, in constant time: guessing leads nowhere."""
    with _one_code_at_a_time:
        time.sleep(_CODE_DELAY_S)
    return hmac.compare_digest(code.strip().encode(), expected.encode())


def _enter() -> None:
    st.session_state["researcher_until"] = time.monotonic() + _SIGNED_IN_FOR_S
    st.rerun()
