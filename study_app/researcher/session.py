"""Who is signed in, in this tab and after a refresh; and the browser's part of it.

The proof is a random token. This tab keeps it in its session; the browser keeps it in a cookie, so that a refresh,
another tab and a restart of the server find it again. Streamlit cannot set a cookie by itself, so a script of the page
does: the cookie is SameSite=Strict and lasts until the browser is closed, but it cannot be HttpOnly. The token is good
for eight hours, is stored hashed, and is worth nothing after signing out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import streamlit as st

from study_app.researcher import kept
from study_app.services import services
from study_app.study.access.roles import MAY, Account, Role, at_least
from study_app.study.errors import Refused, StoreError

_TOKEN = "researcher_token"
_SIGNED_OUT = "You are signed out. Reload the page and sign in."
_FORM = re.compile(r"[A-Za-z0-9_-]{43}\Z")


def signed_in() -> Account | None:
    """Asked of the store on every run: a session that was ended elsewhere, or a changed role, counts at once."""
    for token in (st.session_state.get(_TOKEN, ""), _from_browser()):
        account = services().store.researcher.sessions.who(token) if _FORM.match(token) else None
        if account is not None:
            st.session_state[_TOKEN] = token
            return account
    return None


def signed_in_if_known() -> Account | None:
    """For what is drawn around the page: None also while the store does not answer (the page itself says so)."""
    try:
        return signed_in()
    except StoreError:
        return None


def enter(token: str) -> None:
    """Remember in this tab; `remember` tells the browser on the next run."""
    st.session_state[_TOKEN] = token
    st.rerun()


def leave() -> None:
    """End the session, for every tab of this browser. What this tab kept for it is gone."""
    kept.let_go()
    for token in {st.session_state.pop(_TOKEN, ""), _from_browser()}:
        if _FORM.match(token):
            services().store.researcher.sessions.sign_out(token)
    st.rerun()


def remember() -> None:
    """Let the browser keep the token, unless it has it."""
    token = st.session_state.get(_TOKEN, "")
    if _FORM.match(token) and _from_browser() != token:
        cookie = f"{_cookie()}={token}; path=/; SameSite=Strict"
        secure = 'location.protocol === "https:" ? "; Secure" : ""'
        st.html(f'<script>document.cookie = "{cookie}" + ({secure});</script>', unsafe_allow_javascript=True)


def the_researcher() -> Account:
    """Who is looking. Raises Refused when the session is over: the next run shows the sign-in."""
    account = signed_in()
    if account is None:
        raise Refused(_SIGNED_OUT)
    return account


def with_role(needed: Role) -> Account:
    """Who is about to do something that needs a role; asked again at the click, whatever the page showed. Raises
    Refused."""
    return _checked(the_researcher(), needed)


def proof() -> str:
    """The token of who is looking: for `with_proof`. Raises Refused, as `the_researcher`."""
    the_researcher()
    return str(st.session_state[_TOKEN])


def with_proof(token: str, needed: Role) -> Account:
    """As `with_role`, for files that are made at the click: Streamlit makes them without running the page, so that
    nobody there is asked who it is. ``token`` is `proof` of when the page was drawn. Raises Refused."""
    account = services().store.researcher.sessions.who(token)
    if account is None:
        raise Refused(_SIGNED_OUT)
    return _checked(account, needed)


def _checked(account: Account, needed: Role) -> Account:
    if not at_least(account.role, needed):
        raise Refused(f"Your role is {account.role} ({MAY[account.role]}); this needs {needed}.")
    return account


def for_role(needed: Role, show: Callable[[], None], sign_in: Callable[[], None]) -> None:
    """``show`` for whoever may see it, the sign-in for strangers, a plain sentence for the others."""
    account = signed_in()
    if account is None:
        kept.let_go()
        sign_in()
        return
    remember()
    if at_least(account.role, needed):
        show()
        return
    kept.let_go()
    st.title("Not for your role", anchor=False)
    st.markdown(f"Your role is {account.role}: {MAY[account.role]}. This page needs {needed}. An owner can change it.")


def _from_browser() -> str:
    """The token that the browser sent when this tab was opened; empty where it has none."""
    found = st.context.cookies.get(_cookie())
    return found if isinstance(found, str) else ""


def _cookie() -> str:
    """Named after the study's database: all ports of one machine share their cookies."""
    return f"researcher_{hashlib.sha256(str(services().database).encode()).hexdigest()[:12]}"
