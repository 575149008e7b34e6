"""Nothing leaves by the researcher's pages unless the audit hears of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import study_app
from study_app.look import CSS
from study_app.researcher import kept, session
from study_app.services import services
from study_app.study.errors import Refused
from tests.study_app.people import arrive, walk_to
from tests.study_app.researcher_app import account, live_app, open_page, words

GRIDS = {"dataframe", "data_editor"}
"""Streamlit draws a download above these, and no setting takes it away."""


@pytest.fixture(autouse=True)
def app(db: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An app without models; one participant completed."""
    with live_app(db, monkeypatch):
        opened = services()
        walk_to(opened.store, opened.media, arrive(opened.store, opened.study), "finished")
        yield


def exported() -> list[str]:
    """What was exported, the newest first."""
    return [e.subject for e in services().store.researcher.audit.entries() if e.action == "exported"]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """label -> what the browser would get, of every download that a page offers."""
    found: dict[str, Any] = {}

    def button(label: str, data: Any, *_: Any, **__: Any) -> bool:
        found[label] = data
        return False

    monkeypatch.setattr(st, "download_button", button)
    return found


def test_every_file_of_the_results_is_made_and_written_down_at_the_click(offered: dict[str, Any]) -> None:
    page = open_page("results", account("anna", "viewer"))
    assert not page.exception
    assert list(offered) == ["PNG", "SVG", "PDF", "Report, one HTML file"]
    assert exported() == [], "looking is no export"
    starts: dict[str, bytes] = {"PNG": b"\x89PNG", "SVG": b"<?xml", "PDF": b"%PDF", "Report, one HTML file": b"<!"}
    for n, (label, made) in enumerate(offered.items(), 1):
        assert callable(made), f"{label} would leave without being made at the click"
        assert made().startswith(starts[label])
        assert len(exported()) == n
    assert exported() == ["report, one HTML file", "Figure 9, PDF", "Figure 9, SVG", "Figure 9, PNG"]


def test_the_export_page_writes_down_what_it_prepares_and_the_database(offered: dict[str, Any]) -> None:
    page = open_page("export", account("anna", "editor"))
    assert list(offered) == ["Download database"]
    page.button(key="export_prepare").click().run()
    assert list(offered) == ["Download database", "Download ZIP"]
    assert exported() == ["everything, as ZIP"]
    assert offered["Download database"]().startswith(b"SQLite format 3")
    assert exported() == ["the database", "everything, as ZIP"]


def test_no_file_is_made_for_whoever_is_no_longer_allowed(offered: dict[str, Any]) -> None:
    """Streamlit makes it at the click, without running the page: nobody asked who it is."""
    accounts = services().store.researcher.accounts
    open_page("results", account("anna", "owner"))
    open_page("export", account("ben", "editor")).button(key="export_prepare").click().run()
    mine = {label: made for label, made in offered.items() if label in ("Download database", "Download ZIP")}
    assert len(mine) == 2
    before = exported()
    accounts.change_role("anna", "ben", "viewer")
    for made in mine.values():
        with pytest.raises(Refused, match="this needs editor"):
            made()
    accounts.change_role("anna", "ben", "editor")
    accounts.close("anna", "ben")
    for made in mine.values():
        with pytest.raises(Refused, match="signed out"):
            made()
    offered["PNG"]()
    assert exported() == ["Figure 9, PNG", *before]


@pytest.mark.parametrize("label", ["PNG", "SVG", "PDF", "Report, one HTML file"])
def test_no_result_leaves_after_signing_out(offered: dict[str, Any], label: str) -> None:
    token = account("anna", "owner")
    open_page("results", token)
    services().store.researcher.sessions.sign_out(token)
    with pytest.raises(Refused, match="signed out"):
        offered[label]()
    assert exported() == []


def test_a_prepared_zip_does_not_outlive_a_withdrawal(offered: dict[str, Any]) -> None:
    page = open_page("export", account("anna", "editor")).button(key="export_prepare").click().run()
    assert offered["Download ZIP"]().startswith(b"PK")
    services().media.withdraw("P0001")
    with pytest.raises(Refused, match="has withdrawn since"):
        offered["Download ZIP"]()
    offered.clear()
    page = page.run()
    assert list(offered) == ["Download database"]
    assert "Prepare it anew" in words(page)
    page.button(key="export_prepare").click().run()
    assert offered["Download ZIP"]().startswith(b"PK")


def test_a_prepared_zip_does_not_outlive_the_page_or_the_account(offered: dict[str, Any]) -> None:
    anna, ben = account("anna", "owner"), account("ben", "editor")

    def ready() -> AppTest:
        page = open_page("export", anna).button(key="export_prepare").click().run()
        assert "Download ZIP" in offered
        return page

    page = go(go(ready(), "results"), "export")
    offered.clear()
    page.run()
    assert list(offered) == ["Download database"]

    page = ready()
    page.session_state[session._TOKEN] = ben
    offered.clear()
    page.run()
    assert list(offered) == ["Download database"], "another account in the same tab"

    page = ready().button(key="sign_out_export").click().run()
    assert kept._KEPT not in page.session_state
    page.session_state[session._TOKEN] = services().store.researcher.sessions.open("anna")
    offered.clear()
    page.run()
    assert list(offered) == ["Download database"]


def test_links_that_are_shown_once_do_not_outlive_the_account() -> None:
    token = account("anna", "owner")
    account("ben", "viewer")
    page = open_page("accounts", token).button(key="link_ben").click().run()
    assert "invitation=" in page.code[0].value
    page = page.button(key="sign_out_accounts").click().run()
    page.session_state[session._TOKEN] = services().store.researcher.sessions.open("anna")
    assert not page.run().code

    page = open_page("participants", services().store.researcher.sessions.open("anna"))
    page = page.selectbox(key="people_open").select("P0001").run().button(key="link_P0001").click().run()
    assert "?t=" in page.code[0].value
    page.button(key="sign_out_participants").click().run()
    page.session_state[session._TOKEN] = services().store.researcher.sessions.open("anna")
    page = page.run().selectbox(key="people_open").select("P0001").run()
    assert not page.code


def go(page: AppTest, name: str) -> AppTest:
    """Another page of the app, in the same tab."""
    page.args = (name,)
    return page.run()


def test_no_page_has_a_grid_with_a_download_of_its_own() -> None:
    """Plain tables instead; and the tools above a chart are hidden, which offer its numbers."""
    files = sorted(Path(study_app.__file__).parent.rglob("*.py"))
    used = [
        f"{file.name}:{node.lineno}: {node.func.attr}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in GRIDS
    ]
    assert len(files) > 50
    assert used == []
    assert ':has([data-testid="stVegaLiteChart"]) [data-testid="stElementToolbar"]{display:none}' in CSS
