"""What a participant wrote reaches a researcher's page as letters: nothing is fetched, nothing can be clicked."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import walk
from tests.browser.scripted_app import scripted_app
from tests.study_app.conftest import SKINGEN
from tests.study_app.people import walk_to

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PASSWORD = "a long enough password"
WRITTEN = "![y](http://e.example/y.png) [link](http://e.example) <img src='http://e.example/z.png'>"


def test_a_comment_loads_no_picture_and_makes_no_link(browser: Browser, tmp_path: Path) -> None:
    with scripted_app(SKINGEN, tmp_path) as app:
        _, state = app.arrive()
        walk_to(app.store, app.media, state.participant, "comments")
        app.store.save_answer(state.participant, "comments", WRITTEN)
        app.store.researcher.set_password(PASSWORD)
        page = walk.new_page(browser, 1280)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{app.url}participants")
        page.get_by_label("Name", exact=True).fill("owner", timeout=walk.SLOW_MS)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("combobox", name="Open a participant").click(timeout=walk.SLOW_MS)
        page.get_by_role("option", name=state.participant).click()
        answers = page.get_by_role("table", name=f"Answers of {state.participant}")
        expect(answers.get_by_text(WRITTEN, exact=True)).to_be_visible(timeout=walk.SLOW_MS)
        walk.idle(page)
        assert answers.locator("img, a").count() == 0
        assert not [url for url in asked if "e.example" in url]
        page.close()
