"""Who may look at this study: invite, change a role, give a new link, close. For owners."""

from __future__ import annotations

import html
from urllib.parse import urlsplit

import streamlit as st

from study_app.failures import guarded
from study_app.researcher.kept import keep, kept
from study_app.researcher.login import researcher_head
from study_app.researcher.session import with_role
from study_app.services import Services, services
from study_app.study.access.accounts import invitation_page
from study_app.study.access.roles import MAY, ROLES, Account
from study_app.study.errors import Refused

_LINK = "link"


@guarded
def page() -> None:
    opened = services()
    researcher_head("Accounts")
    st.markdown(" · ".join(f"**{role.capitalize()}**: {may}" for role, may in MAY.items()))
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Researchers of this study", anchor=False)
        for account in opened.store.researcher.accounts.people():
            _account(opened, account)
    with right:
        _invite(opened)
        _show_link()


def _invite(opened: Services) -> None:
    st.subheader("Invite somebody", anchor=False)
    with st.form("invite", border=False, clear_on_submit=True):
        name = st.text_input("Name", autocomplete="off", key="invite_name")
        role = st.selectbox("Role", ROLES, format_func=str.capitalize, key="invite_role")
        sent = st.form_submit_button("Make a link", type="primary", key="invite_sent")
    if sent:
        try:
            by = with_role("owner").name
            _keep_link(name.strip(), opened.store.researcher.accounts.invite(by, name, role))
        except Refused as refused:
            st.warning(str(refused))
            return
        st.rerun()  # the list beside the form has one more


def _account(opened: Services, account: Account) -> None:
    with st.container(border=True):
        state = "" if account.state == "active" else f" ({account.state})"
        st.markdown(f"**{account.name}**{state}")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            role = st.selectbox(
                f"Role of {account.name}",
                ROLES,
                index=ROLES.index(account.role),
                format_func=str.capitalize,
                label_visibility="collapsed",
                width=160,
                key=f"role_{account.name}_{account.role}",
            )
            renew = st.button("New link", icon=":material/key:", key=f"link_{account.name}")
            close = account.state != "closed" and st.button(
                "Close account", icon=":material/person_off:", key=f"close_{account.name}"
            )
        _carry_out(opened, account, role != account.role and role, renew, bool(close))


def _carry_out(opened: Services, account: Account, role: object, renew: bool, close: bool) -> None:
    accounts = opened.store.researcher.accounts
    if not (role or renew or close):
        return
    try:
        by = with_role("owner").name
        if renew:
            _keep_link(account.name, accounts.invite_again(by, account.name))
            return
        if close:
            accounts.close(by, account.name)
        else:
            accounts.change_role(by, account.name, next(each for each in ROLES if each == role))
    except Refused as refused:
        st.warning(str(refused))
        return
    st.rerun()


def _keep_link(name: str, code: str) -> None:
    address = urlsplit(st.context.url or "")
    link = f"{address.scheme}://{address.netloc}/{invitation_page(code)}"
    keep(_LINK, (name, link))


def _show_link() -> None:
    found = kept(_LINK)
    if found is None:
        return
    name, link = found
    with st.container(border=True):
        st.html(
            f"<p>Give this link to <strong>{html.escape(name)}</strong> yourself; whoever opens it first sets the "
            "password. It works once, for seven days, and is shown only here.</p>"
        )
        st.code(link, language=None, wrap_lines=True)
        if st.button("Done", key="link_done"):
            keep(_LINK, None)
            st.rerun()
