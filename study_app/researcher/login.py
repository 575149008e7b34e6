"""The researcher's door: the first account by the code printed at the start, invitations, signing in and out."""

from __future__ import annotations

import hmac
import os
import threading
import time

import streamlit as st

from study_app.researcher import kept
from study_app.researcher.session import enter, leave, the_researcher
from study_app.services import Services, services
from study_app.study.access.accounts import FIRST_OWNER, INVITATION
from study_app.study.state import RunKind
from study_app.study.store import Refused

SETUP_CODE = "SKINGEN_SETUP_CODE"
_CODE_DELAY_S = 1.0
_one_code_at_a_time = threading.Lock()


def researcher_head(title: str, run: RunKind | None = None) -> RunKind:
    """Title, the choice between live and pilot where ``run`` names the first shown, who it is, and the way out."""
    account = the_researcher()
    kept.begin(title, account.name)
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
            st.markdown(f"{account.name}, {account.role}", width="content")
            if st.button("Sign out", icon=":material/logout:", key=f"sign_out_{key}"):
                leave()
    return run or "live"


def page() -> None:
    """Sign in, take up an invitation, or make the first account."""
    opened = services()
    _, middle, _ = st.columns([1, 2, 1])
    with middle:
        if not opened.store.researcher.is_set():
            _set_up(opened)
        elif INVITATION in st.query_params:
            _take_up_invitation(opened, st.query_params[INVITATION])
        else:
            _sign_in(opened)


def _sign_in(opened: Services) -> None:
    st.title("Researcher", anchor=False)
    with st.form("sign_in", border=False):
        name = st.text_input("Name", autocomplete="username", key="sign_in_name")
        password = st.text_input("Password", type="password", autocomplete="current-password", key="sign_in_password")
        sent = st.form_submit_button("Sign in", type="primary", key="sign_in_sent")
    st.markdown(
        "Password forgotten? An owner makes you a new link; so does, where the app runs, "
        "`python -m study_app account NAME --db FILE`."
    )
    if not sent:
        return
    result = opened.store.researcher.sign_in(name or "", password or "")
    if result.ok:
        enter(result.token)
    elif result.wait_s > 0:
        st.warning(f"Not signed in. The next attempt is looked at in {result.wait_s:.0f} seconds.")
    else:
        st.warning("Not signed in. The name or the password is a different one.")


def _set_up(opened: Services) -> None:
    st.title("Set the researcher's password", anchor=False)
    expected = os.environ.get(SETUP_CODE, "")
    if not expected:
        st.warning("Start the app with `python -m study_app serve`: it prints the setup code this page asks for.")
        return
    st.markdown("The setup code is printed where the app was started. This first account owns the study.")
    with st.form("set_up", border=False):
        code = st.text_input("Setup code", autocomplete="off", key="set_up_code")
        name = st.text_input("Your name", value=FIRST_OWNER, autocomplete="username", key="set_up_name")
        password, again = _new_password()
        sent = st.form_submit_button("Set the password", type="primary", key="set_up_sent")
    if not sent:
        return
    if not _code_is_right(code or "", expected):
        st.warning("The setup code is a different one. It is printed where the app was started.")
    elif password != again:
        st.warning("The two passwords differ. Nothing was set.")
    else:
        _set_password(opened, name or "", password)


def _set_password(opened: Services, name: str, password: str) -> None:
    try:
        opened.store.researcher.set_password(password, name)
    except Refused as refused:
        st.warning(str(refused))
        return
    enter(opened.store.researcher.sessions.open(name.strip()))


def _take_up_invitation(opened: Services, code: str) -> None:
    account = opened.store.researcher.accounts.invited(code)
    if account is None:
        st.title("This invitation is over", anchor=False)
        st.markdown("It was used already, or is older than seven days. Ask an owner of the study for a new link.")
        if st.button("Sign in", key="to_sign_in"):
            _without_invitation()
        return
    st.title(f"Welcome, {account.name}", anchor=False)
    st.markdown(f"You are invited as {account.role}. Choose a password; you sign in with it and the name above.")
    with st.form("invitation", border=False):
        password, again = _new_password()
        sent = st.form_submit_button("Set the password", type="primary", key="invitation_sent")
    if not sent:
        return
    if password != again:
        st.warning("The two passwords differ. Nothing was set.")
        return
    try:
        name = opened.store.researcher.accounts.accept(code, password)
    except Refused as refused:
        st.warning(str(refused))
        return
    del st.query_params[INVITATION]
    enter(opened.store.researcher.sessions.open(name))


def _without_invitation() -> None:
    del st.query_params[INVITATION]
    st.rerun()


def _new_password() -> tuple[str, str]:
    password = st.text_input("New password", type="password", autocomplete="new-password", key="new_password")
    again = st.text_input("New password, again", type="password", autocomplete="new-password", key="new_again")
    return password or "", again or ""


def _code_is_right(code: str, expected: str) -> bool:
    """Compared one at a time and a second apart, in constant time: guessing leads nowhere."""
    with _one_code_at_a_time:
        time.sleep(_CODE_DELAY_S)
    return hmac.compare_digest(code.strip().encode(), expected.encode())
