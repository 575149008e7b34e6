"""The researcher's pages: who gets in, who sees what, and that it is written down."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from study_app.researcher import login, session
from study_app.services import services
from study_app.study.access import sessions
from tests.study_app.conftest import ENGLISH
from tests.study_app.people import arrive, walk_to
from tests.study_app.researcher_app import (
    APP,
    PASSWORD,
    PATIENCE_S,
    account,
    app_without_models,
    open_page,
    tables,
    words,
)


@pytest.fixture(autouse=True)
def app(db: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The app's environment: an empty database, and a door that leads nowhere."""
    monkeypatch.setattr(login, "_CODE_DELAY_S", 0.0)
    monkeypatch.setenv("SKINGEN_SETUP_CODE", "the code")
    with app_without_models(db, monkeypatch):
        yield


def audited() -> list[tuple[str, str, str]]:
    """Oldest first."""
    return [(e.who, e.action, e.subject) for e in reversed(services().store.researcher.audit.entries())]


def sign_in(page: AppTest, name: str, password: str) -> AppTest:
    page.text_input(key="sign_in_name").set_value(name)
    page.text_input(key="sign_in_password").set_value(password)
    return page.button(key="sign_in_sent").click().run()


def set_password(page: AppTest, sent: str, password: str, again: str) -> AppTest:
    page.text_input(key="new_password").set_value(password)
    page.text_input(key="new_again").set_value(again)
    return page.button(key=sent).click().run()


def test_the_first_account_needs_the_code_and_is_then_signed_in() -> None:
    page = open_page("audit")
    page.text_input(key="set_up_code").set_value("a guess")
    assert "setup code is a different one" in words(set_password(page, "set_up_sent", PASSWORD, PASSWORD))
    page.text_input(key="set_up_code").set_value("the code")
    assert "two passwords differ" in words(set_password(page, "set_up_sent", PASSWORD, "another password"))
    assert not services().store.researcher.is_set()
    page = set_password(page, "set_up_sent", PASSWORD, PASSWORD)
    assert [title.value for title in page.title] == ["Audit"]
    assert audited() == [("owner", "first account made", "owner"), ("owner", "signed in", "")]


def test_signing_in_needs_the_right_password_and_a_refresh_does_not_shorten_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account("anna", "owner")
    page = sign_in(open_page("monitor"), "anna", "not the password")
    assert "name or the password is a different one" in words(page)
    monkeypatch.setattr(sessions, "FREE_TRIES", -6)
    assert "looked at in 256 seconds" in words(sign_in(page, "anna", "not the password"))
    again = sign_in(open_page("monitor"), "anna", PASSWORD)
    assert "Not signed in. The next attempt is looked at in 2" in words(again)


def test_a_refresh_finds_the_session_by_the_cookie_until_signing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    account("anna", "owner")
    page = sign_in(open_page("audit"), "anna", PASSWORD)
    token = page.session_state[session._TOKEN]
    told = [element.proto.body for element in page.get("html") if "document.cookie" in element.proto.body]
    assert len(told) == 1
    assert f"={token}; path=/; SameSite=Strict" in told[0]
    monkeypatch.setattr(session, "_from_browser", lambda: token)
    fresh = open_page("audit")
    assert [title.value for title in fresh.title] == ["Audit"]
    assert not [e for e in fresh.get("html") if "document.cookie" in e.proto.body], "the browser has it already"
    fresh = fresh.button(key="sign_out_audit").click().run()
    assert [title.value for title in fresh.title] == ["Researcher"]
    assert [title.value for title in open_page("audit").title] == ["Researcher"]
    assert [title.value for title in page.run().title] == ["Researcher"], "in every tab"


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("viewer", {"monitor", "results"}), ("editor", {"monitor", "results", "export"})],
)
def test_a_role_sees_its_pages_and_no_other(role: str, allowed: set[str]) -> None:
    account("anna", "owner")
    token = account("ben", role)  # type: ignore[arg-type]
    for name in ("monitor", "results", "export", "accounts", "audit"):
        titles = [title.value for title in open_page(name, token).title]
        assert titles == ([name.capitalize()] if name in allowed else ["Not for your role"])


def test_a_stranger_sees_the_sign_in_on_every_page_and_starts_no_participation() -> None:
    account("anna", "owner")
    for name in ("monitor", "results", "export", "accounts", "audit"):
        page = open_page(name, "x" * 43)
        assert [title.value for title in page.title] == ["Researcher"]
    assert services().store.counts(services().study, "pilot").arrived == 0


def test_the_app_still_opens_with_the_participants_page() -> None:
    page = AppTest.from_file(APP, default_timeout=PATIENCE_S).run()
    assert not page.exception
    assert services().store.counts(services().study, "pilot").arrived == 1


def test_an_owner_invites_and_the_invited_chooses_the_password() -> None:
    page = open_page("accounts", account("anna", "owner"))
    page.text_input(key="invite_name").set_value("ben")
    page.selectbox(key="invite_role").select("editor")
    page = page.button(key="invite_sent").click().run()
    (link,) = [code.value for code in page.code]
    code = link.split("invitation=")[1]
    welcome = open_page("export", invitation=code)
    assert "Welcome, ben" in words(welcome)
    entered = set_password(welcome, "invitation_sent", PASSWORD, PASSWORD)
    assert [title.value for title in entered.title] == ["Export"]
    assert "invitation is over" in words(open_page("export", invitation=code))
    assert ("ben", "password set by invitation", "") in audited()


def test_an_owner_changes_a_role_and_closes_an_account() -> None:
    token = account("anna", "owner")
    bens = account("ben", "viewer")
    page = open_page("accounts", token)
    page = page.selectbox(key="role_ben_viewer").select("editor").run()
    assert page.selectbox(key="role_ben_editor").value == "editor"
    page = page.button(key="close_ben").click().run()
    assert [title.value for title in open_page("monitor", bens).title] == ["Researcher"]
    assert "last owner" in words(page.button(key="close_anna").click().run())


def test_the_role_is_asked_again_at_the_click() -> None:
    account("anna", "owner")
    page = open_page("export", account("ben", "editor"))
    services().store.researcher.accounts.change_role("anna", "ben", "viewer")
    page = page.button(key="export_prepare").click().run()
    assert "Not for your role" in words(page)
    assert ("ben", "exported", "everything, as ZIP") not in audited()


def test_the_audit_is_shown_and_narrowed_down() -> None:
    token = account("anna", "owner")
    account("ben", "viewer")
    page = open_page("audit", token)
    assert set(tables(page)[0]["Who"]) == {"anna", "ben"}
    page = page.selectbox(key="audit_who").select("ben").run()
    assert list(tables(page)[0]["What"]) == ["Signed in", "Password set by invitation"]


def test_the_monitor_shows_the_flow_of_each_sequence_and_where_people_are() -> None:
    opened, token = services(), account("anna", "viewer")
    walk_to(opened.store, opened.media, arrive(opened.store, opened.study, "pilot"), "finished")
    walk_to(opened.store, opened.media, arrive(opened.store, opened.study, "pilot"), "rating:2", colour=1)
    page = open_page("monitor", token)
    assert not page.error
    arms = page.table[0].value
    assert list(arms.columns) == ["Sequence", "Start", "P1", "P2", "P3", "Done", "Left", "Out"]
    assert arms[["Start", "P1", "P2", "Done"]].sum().tolist() == [2, 2, 1, 1]
    assert [metric.value for metric in page.metric][:2] == ["1 of 32", "1"]
    assert "Nobody has left early." in words(page)


def test_the_monitor_tells_sequences_apart_whose_conditions_begin_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = ENGLISH.read_text()
    for before, after in (("text", "words"), ("cases", "pictures"), ("generated", "photos")):
        text = text.replace(f"key: {before}\n", f"key: {after}\n").replace(f"{{{before}}}", f"{{{after}}}")
    study = tmp_path / "study.yaml"
    study.write_text(text)
    monkeypatch.setenv("SKINGEN_STUDY", str(study))
    page = open_page("monitor", account("anna", "viewer"))
    assert not page.error
    arms = page.table[0].value
    assert set(arms["Sequence"]) == {"·".join(order) for order in permutations(("W", "Pi", "Ph"))}
