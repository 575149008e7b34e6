"""Every kind of item in Chromium on a phone: a thumb hits it, the keyboard reaches it, the language is told."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from study_app.study.definition import load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.store import Store
from tests.browser import walk
from tests.browser.conftest import ROOT
from tests.scripted import TOKEN, scripted_server
from tests.study_app.conftest import MOLES
from tests.study_app.people import walk_to

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
THUMB_PX = 44
Opened = Callable[[str], Page]


@pytest.fixture(scope="module")
def at(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Opens the page of a step, for a participant brought there by the store; the browser speaks Chinese."""
    folder = tmp_path_factory.mktemp("moles")
    db, study = folder / "study.db", load_study(MOLES)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with scripted_server(folder / "pictures") as server:
        environment = {
            "SKINGEN_STUDY": str(MOLES),
            "SKINGEN_DB": str(db),
            "SKINGEN_PIPELINE_URL": server.url,
            "SKINGEN_PIPELINE_TOKEN": TOKEN,
            "PYTHONPATH": str(ROOT),
        }
        app = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "study_app/app.py", "--server.port", str(port)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(f"http://localhost:{port}/_stcore/health")
            store = Store.open(db)
            store.register(study)

            def page_at(step: str) -> Page:
                token = store.arrive(study, "pilot")
                state = store.participant_by_token(token)
                assert state is not None
                walk_to(store, MediaStore(folder_of(db), store), state.participant, step)
                page = browser.new_page(viewport={"width": 390, "height": 844}, locale="zh-CN")
                page.goto(f"http://localhost:{port}/?t={token}")
                expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=walk.SLOW_MS)
                if step != "photo:1":
                    below_the_last_item = page.get_by_text(re.compile(r"已保存 \d+ 个回答"))
                    expect(below_the_last_item).to_be_visible(timeout=walk.SLOW_MS)
                walk.idle(page)
                return page

            yield page_at
            store.close()
        finally:
            app.terminate()
            app.wait(20)


def _wait_for(url: str, within_s: float = 60.0) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"{url} did not answer")


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
