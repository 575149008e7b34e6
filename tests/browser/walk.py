"""A participant's hands: what they click on each page, in words of the page, never in element ids."""

from __future__ import annotations

import os
import re
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

SLOW_MS = int(os.environ.get("SKINGEN_PATIENCE_MS", "60000"))
"""For answers of the models: two busy cores, and the models may still be loading. A machine that does other things as
well may need more."""

TEST_S = 15 * SLOW_MS // 1000
"""For a whole walk."""


def new_page(browser: Browser, width: int, locale: str = "en-GB") -> Page:
    """A page with the patience of these walks."""
    page = browser.new_page(viewport={"width": width, "height": 900}, locale=locale)
    page.set_default_timeout(SLOW_MS)
    return page


def open_study(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.get_by_role("button", name="I agree and take part")).to_be_visible(timeout=SLOW_MS)


def idle(page: Page) -> None:
    """Until the page has no run under way."""
    expect(page.locator("[data-testid='stApp'][data-test-script-state='notRunning']")).to_be_attached(timeout=SLOW_MS)


def heading(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", level=1, name=words, exact=True)).to_be_visible(timeout=SLOW_MS)
    idle(page)


def agree(page: Page) -> None:
    for box in page.get_by_role("checkbox").all():
        box.locator("xpath=ancestor::label").click()
        idle(page)
    page.get_by_role("button", name="I agree and take part").click()


def pick(page: Page, group: str | re.Pattern[str], answer: str) -> None:
    """Choose ``answer`` in the question or statement ``group`` and wait for its mark."""
    radios = page.get_by_role("radiogroup", name=group)
    saved = page.get_by_text(re.compile(r"Saved$"))
    before = saved.count()
    chosen = radios.get_by_role("radio", name=answer, exact=True)
    was_empty = radios.locator("[aria-checked='true']").count() == 0
    chosen.click()
    expect(chosen).to_be_checked(timeout=SLOW_MS)
    if was_empty:
        expect(saved).to_have_count(before + 1, timeout=SLOW_MS)
    idle(page)


def describe_oneself(page: Page) -> None:
    heading(page, "About you")
    pick(page, re.compile("gender"), "Female")
    pick(page, re.compile("medical background"), "No")
    go_on(page)


def go_on(page: Page, name: str = "Continue") -> None:
    page.get_by_role("button", name=name, exact=True).click()


def choose_offered(page: Page, assistant: str, number: int, which: str = "A") -> None:
    heading(page, f"{which} photo for {assistant}")
    show_pictures(page)
    page.get_by_role("button", name=f"Photo {number}", exact=True).click()
    _continue_with_photo(page)


def show_pictures(page: Page) -> None:
    """The switch for all covered pictures; it holds for the rest of the study."""
    switch = page.get_by_label("Show all pictures")
    if not switch.is_checked():
        switch.locator("xpath=ancestor::label").click()
        expect(page.get_by_text(re.compile(r"overed\)?$"))).to_have_count(0, timeout=SLOW_MS)
        idle(page)


def upload(page: Page, assistant: str, photo: Path) -> None:
    heading(page, f"A photo for {assistant}")
    own = page.get_by_role("radio", name="My own photo")
    if own.count():
        own.click()
    page.locator("input[type=file]").set_input_files(photo)
    _continue_with_photo(page)


def _continue_with_photo(page: Page) -> None:
    expect(page.get_by_role("img", name="The photo you chose")).to_be_visible(timeout=SLOW_MS)
    idle(page)
    go_on(page)


def want_another(page: Page, assistant: str) -> None:
    """After "I cannot tell": back to the photo step."""
    page.get_by_role("button", name="Choose another photo").click()
    heading(page, f"Another photo for {assistant}")


def answered(page: Page, assistant: str) -> Locator:
    """Wait until the answer is complete; returns the button that leads to the rating."""
    heading(page, assistant)
    rate = page.get_by_role("button", name="Rate")
    expect(rate).to_be_visible(timeout=2 * SLOW_MS)
    idle(page)  # the foot of the page is drawn first, the replies under the answer last
    return rate


def ask(page: Page, question: str) -> None:
    """Send a question of one's own and wait for its answer."""
    field = page.get_by_placeholder("Ask about the photo")
    field.fill(question)
    field.press("Enter")
    expect(page.get_by_text(question, exact=True)).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("button", name="Rate")).to_be_visible(timeout=2 * SLOW_MS)


def rate(page: Page, statements: dict[str, int]) -> None:
    for statement, point in statements.items():
        pick(page, re.compile(re.escape(statement)), str(point))
