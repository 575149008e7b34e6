"""The researcher's pages for tests: the whole app, without models behind its door."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from argon2 import PasswordHasher
from streamlit.testing.v1 import AppTest

from study_app.researcher import accounts, audit, exports, monitor, participants, results, session, studies
from study_app.services import services
from study_app.study.access import accounts as stored_accounts
from study_app.study.access import sessions
from study_app.study.access.roles import Role

APP = str(Path(__file__).resolve().parents[2] / "study_app" / "app.py")
PASSWORD = "correct horse battery"
PATIENCE_S = 120
PAGES = {
    "monitor": (monitor.page, "viewer"),
    "participants": (participants.page, "editor"),
    "studies": (studies.page, "owner"),
    "results": (results.page, "viewer"),
    "export": (exports.page, "editor"),
    "accounts": (accounts.page, "owner"),
    "audit": (audit.page, "owner"),
}


def draw(name: str) -> None:
    """One page behind its door, as the app's navigation draws it."""
    from study_app.researcher import login, session
    from tests.study_app.researcher_app import PAGES

    show, role = PAGES[name]
    session.for_role(role, show, login.page)


def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real argon2id, a millisecond each."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(stored_accounts, "HASHER", cheap)
    monkeypatch.setattr(sessions, "HASHER", cheap)


@contextmanager
def app_without_models(db: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The app over ``db`` and a door that leads nowhere; closed afterwards."""
    cheap_hashes(monkeypatch)
    monkeypatch.setenv("SKINGEN_DB", str(db))
    monkeypatch.setenv("SKINGEN_PIPELINE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SKINGEN_PIPELINE_TOKEN", "none")
    st.cache_resource.clear()
    yield
    services().runner.stop()
    services().store.close()
    st.cache_resource.clear()


@contextmanager
def live_app(db: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same in a live run."""
    monkeypatch.setenv("SKINGEN_RUN_KIND", "live")
    with app_without_models(db, monkeypatch):
        yield


def account(name: str, role: Role) -> str:
    """Make sure there is somebody of this name and role; a token of theirs."""
    researcher = services().store.researcher
    if not researcher.is_set():
        researcher.set_password(PASSWORD, "anna")
    if name != "anna":
        researcher.accounts.accept(researcher.accounts.invite("anna", name, role), PASSWORD)
    return researcher.sessions.open(name)


def open_page(name: str, token: str = "", **parameters: str) -> AppTest:
    """A page in a new tab that holds ``token``."""
    page = AppTest.from_function(draw, args=(name,), default_timeout=PATIENCE_S)
    page.session_state[session._TOKEN] = token
    for key, value in parameters.items():
        page.query_params[key] = value
    return page.run()


def words(page: AppTest) -> str:
    """Everything the page says in titles, text, warnings and errors."""
    kinds: list[Any] = [page.title, page.subheader, page.markdown, page.warning, page.error, page.info]
    return "\n".join(str(element.value) for kind in kinds for element in kind)


class Markup(HTMLParser):
    """What a browser makes of HTML: ``tags`` in order; ``tables``, each as rows of the words in its cells."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_data(self, data: str) -> None:
        if self.tables:
            self.tables[-1][-1][-1] += data


def drawn(page: AppTest) -> Markup:
    """All HTML of the page."""
    return Markup("\n".join(element.proto.body for element in page.get("html")))


def tables(page: AppTest) -> list[pd.DataFrame]:
    """The tables that the page draws letter by letter, every cell as its words."""
    each = [Markup(element.proto.body).tables for element in page.get("html") if "<table" in element.proto.body]
    return [pd.DataFrame(rows[1:], columns=rows[0]) for found in each for rows in found]
