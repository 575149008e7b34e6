"""Every kind of item in Chromium on a phone: a thumb hits it, the keyboard reaches it, the language is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import walk
from tests.browser.scripted_app import scripted_app
from tests.study_app.conftest import MOLES

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
THUMB_PX = 44
Opened = Callable[[str], Page]


@pytest.fixture(scope="module")
def at(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Opens the page of a step, for a participant brought there by the store; the browser speaks Chinese."""
    with scripted_app(MOLES, tmp_path_factory.mktemp("moles")) as app:

        def page_at(step: str) -> Page:
            page = browser.new_page(viewport={"width": 390, "height": 844}, locale="zh-CN")
            page.goto(app.at(step))
            expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=walk.SLOW_MS)
            if step != "photo:1":
                below_the_last_item = page.get_by_text(re.compile(r"已保存 \d+ 个回答"))
                expect(below_the_last_item).to_be_visible(timeout=walk.SLOW_MS)
            walk.idle(page)
            return page

        yield page_at


def test_scale_points_and_choices_are_a_thumb_high_and_wide(at: Opened) -> None:
    for step, least in (("rating:1", 2 + 7 + 7 + 3 + 7), ("final_items", 2 + 3 + 1)):
        page = at(step)
        buttons = page.get_by_test_id("stButtonGroup").locator("button")
        expect(buttons.nth(least - 1)).to_be_visible(timeout=walk.SLOW_MS)  # they load after the texts
        boxes = [button.bounding_box() for button in buttons.all()]
        sizes = [(box["width"], box["height"]) for box in boxes if box is not None]
        assert len(sizes) >= least
        assert min(height for _, height in sizes) >= THUMB_PX
        assert min(width for width, _ in sizes) >= THUMB_PX
        page.close()


def test_the_page_speaks_the_language_of_the_browser_and_says_so(at: Opened) -> None:
    page = at("rating:1")
    expect(page.locator("html")).to_have_attribute("lang", "zh", timeout=walk.SLOW_MS)
    expect(page.get_by_text("1. 说得很清楚。")).to_be_visible()
    page.get_by_role("radio", name="Deutsch").click()
    expect(page.get_by_text("1. Das war klar.")).to_be_visible(timeout=walk.SLOW_MS)
    expect(page.locator("html")).to_have_attribute("lang", "de", timeout=walk.SLOW_MS)
    assert "lang=de" in page.url
    page.close()


def test_the_words_of_streamlit_itself_are_in_the_language_of_the_page(at: Opened) -> None:
    page = at("photo:1")
    expect(page.get_by_role("button", name="上传", exact=True)).to_be_visible(timeout=walk.SLOW_MS)
    expect(page.get_by_text("每个文件最大 20")).to_be_visible()
    page.get_by_role("radio", name="Deutsch").click()
    expect(page.get_by_role("button", name="Upload", exact=True)).to_be_visible(timeout=walk.SLOW_MS)
    page.get_by_role("radio", name="中文").click()
    expect(page.get_by_role("button", name="上传", exact=True)).to_be_visible(timeout=walk.SLOW_MS)
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    page.close()


def test_a_scale_and_a_slider_are_answered_by_the_keyboard_alone(at: Opened) -> None:
    page = at("rating:1")
    saved = page.get_by_text(re.compile(r"已保存$"))
    page.get_by_role("radiogroup", name=re.compile("说得很清楚")).get_by_role("radio").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(saved).to_have_count(1, timeout=walk.SLOW_MS)
    walk.idle(page)
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(saved).to_have_count(2, timeout=walk.SLOW_MS)
    page.close()


def test_several_options_are_chosen_by_the_keyboard_and_told_as_chosen(at: Opened) -> None:
    page = at("final_items")
    friends = page.get_by_role("button", name="朋友")
    friends.focus()
    page.keyboard.press("Space")
    expect(page.get_by_text(re.compile(r"已保存$"))).to_have_count(1, timeout=walk.SLOW_MS)
    expect(friends).to_have_attribute("aria-pressed", "true")
    page.close()


def test_every_control_has_a_name(at: Opened) -> None:
    for step in ("rating:1", "final_items"):
        page = at(step)
        nameless = page.evaluate(
            "[...document.querySelectorAll('[data-testid=stMain] input, [data-testid=stMain] textarea')].filter("
            "e => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.labels?.length))"
            ".map(e => e.outerHTML)"
        )
        assert nameless == []
        page.close()
