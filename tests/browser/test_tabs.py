"""In Chromium: a reload goes on where it was, a second tab asks first, and the first then stores nothing more."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Served

PATIENCE_MS = 200_000


def heading(page: Page, text: str) -> None:
    """It and no other: for an instant Streamlit shows the page before beside the new one."""
    expect(page.get_by_role("heading", level=1)).to_have_text([text], timeout=PATIENCE_MS)


@pytest.mark.timeout(900)  # a busy machine takes minutes to load the models beside the app
def test_one_tab_goes_on(served: Served, browser: Browser) -> None:
    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    first = context.new_page()
    first.goto(served.url, wait_until="commit")
    title = "How do assistants explain skin conditions?"
    heading(first, title)
    for _ in range(3):  # the connection of before is closed: no question
        first.reload(wait_until="commit")
        heading(first, title)
    assert "t=" in first.url

    second = context.new_page()
    second.goto(first.url, wait_until="commit")
    heading(second, "The study is open in another tab")
    second.get_by_role("button", name="Go on here").click()
    heading(second, title)
    first.bring_to_front()
    first.get_by_role("button", name="I do not want to take part").click()
    heading(first, "The study is open in another tab")
    with closing(sqlite3.connect(f"file:{served.database}?mode=ro", uri=True)) as conn:
        assert conn.execute("SELECT participant, status FROM participant").fetchall() == [("P0001", "active")]

    second.close()
    heading(first, title)  # by itself: nobody is asked to reload
    context.close()
