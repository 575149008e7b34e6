"""axe-core on the pages that no walk through a study meets: every kind of item, decisions, ends, and the researcher's.

The pages of the studies that ship are looked at in `test_walks.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from study_app.study.definition import load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.simulate import simulate
from study_app.study.store import Store
from tests.browser import walk
from tests.browser.accessible import Look
from tests.browser.scripted_app import ScriptedApp, scripted_app
from tests.study_app.conftest import ADVICE, MOLES, SKINGEN

pytestmark = [pytest.mark.browser, pytest.mark.timeout(walk.TEST_S)]
PASSWORD = "a long enough password"
PAGES = ("Monitor", "Participants", "Results", "Export", "Studies", "Accounts", "Audit")
N = 8


def opened(browser: Browser, url: str, locale: str = "en-GB") -> Page:
    """A page of its own, drawn to its end."""
    page = walk.new_page(browser, 1280, locale)
    page.goto(url)
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=walk.SLOW_MS)
    walk.idle(page)
    return page


def look_at(browser: Browser, look: Look, app: ScriptedApp, steps: tuple[str, ...], locale: str) -> None:
    for step in steps:
        page = opened(browser, app.at(step), locale)
        look.at(page, step)
        page.close()


def test_every_kind_of_item_and_every_decision(browser: Browser, tmp_path: Path) -> None:
    look = Look("others")
    with scripted_app(MOLES, tmp_path / "moles") as app:
        look_at(browser, look, app, ("demographics", "photo:1", "rating:1", "final_items"), "zh-CN")
    with scripted_app(ADVICE, tmp_path / "advice") as app:
        look_at(browser, look, app, ("first_decision:1", "final_decision:1"), "en-GB")
    assert len(look.seen) == 6
    assert look.wrong == {}


def test_the_three_ways_to_explain_and_the_ends_of_a_study(browser: Browser, tmp_path: Path) -> None:
    look = Look("skingen")
    with scripted_app(SKINGEN, tmp_path) as app:
        for condition in ("text", "cases", "generated"):
            page = opened(browser, app.at_first(condition))
            expect(page.get_by_role("button", name="Rate")).to_be_visible(timeout=walk.SLOW_MS)
            walk.idle(page)
            look.at(page, f"covered_{condition}")
            page.close()
        link, state = app.arrive()
        first = opened(browser, link)
        second = opened(browser, link)
        look.at(second, "in_another_tab")
        second.close()
        first.close()
        app.store.record_consent(state.participant, agreed=False)
        for what, url in (("declined", link), ("unknown_link", f"{app.url}?t=nobodys")):
            page = opened(browser, url)
            look.at(page, what)
            page.close()
    assert len(look.seen) == 6
    assert look.wrong == {}


def test_every_page_of_the_researcher(browser: Browser, tmp_path: Path) -> None:
    database = tmp_path / "study.db"
    store = Store.open(database)
    simulate(load_study(SKINGEN), store, MediaStore(folder_of(database), store), N, (), seed=3)
    store.researcher.set_password(PASSWORD)
    store.close()
    look = Look("researcher")
    with scripted_app(SKINGEN, tmp_path, database) as app:
        page = walk.new_page(browser, 1280)
        page.goto(f"{app.url}researcher")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=walk.SLOW_MS)
        walk.idle(page)
        look.at(page, "sign_in")
        page.get_by_label("Name", exact=True).fill("owner")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        for name in PAGES:
            if name != PAGES[0]:
                page.get_by_role("link", name=name, exact=True).click()
            expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=walk.SLOW_MS)
            walk.idle(page)
            live = page.get_by_role("radio", name="Live")
            if live.count():
                live.click()
                walk.idle(page)
            look.at(page, name.lower())
        page.close()
    assert len(look.seen) == 1 + len(PAGES)
    assert look.wrong == {}
