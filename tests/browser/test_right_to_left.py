"""A language written from right to left: the page begins at the right; what is called left stands at the left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import walk
from tests.browser.scripted_app import ScriptedApp, scripted_app
from tests.study_app.conftest import MOLES

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
ARABIC = {
    "没有把握": "غير متأكد",
    "很有把握": "متأكد",
    "您有多大把握？": "ما مدى تأكدك؟",
    "哪一句更接近？": "أيهما أقرب؟",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedApp]:
    """The study of the tests, its Chinese declared as Arabic; what a test reads is Arabic."""
    folder = tmp_path_factory.mktemp("arabic")
    text = MOLES.read_text(encoding="utf-8").replace("zh: ", "ar: ").replace("[de, zh]", "[de, ar]")
    for chinese, arabic in ARABIC.items():
        assert chinese in text
        text = text.replace(chinese, arabic)
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    with scripted_app(folder / "study.yaml", folder) as started:
        yield started


def opened(browser: Browser, app: ScriptedApp, step: str, language: str = "ar", locale: str = "ar-EG") -> Page:
    page = browser.new_page(viewport={"width": 390, "height": 844}, locale=locale)
    page.goto(f"{app.at(step)}&lang={language}")
    direction = "rtl" if language == "ar" else "ltr"
    expect(page.locator("html")).to_have_attribute("dir", direction, timeout=walk.SLOW_MS)
    expect(page.get_by_role("button", name="Continue")).to_be_visible(timeout=walk.SLOW_MS)
    walk.idle(page)
    return page


def left_of(one: Locator, other: Locator) -> bool:
    expect(one).to_be_visible(timeout=walk.SLOW_MS)
    expect(other).to_be_visible(timeout=walk.SLOW_MS)
    left, right = one.bounding_box(), other.bounding_box()
    assert left is not None
    assert right is not None
    return left["x"] + left["width"] <= right["x"] + 1  # the borders of two choices lie on each other


def middle_of(one: Locator) -> float:
    expect(one).to_be_visible(timeout=walk.SLOW_MS)
    box = one.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2


@pytest.mark.parametrize(("language", "locale"), [("ar", "ar-EG"), ("ar", "en-GB"), ("de", "ar-EG"), ("de", "en-GB")])
def test_a_slider_and_all_that_tells_its_ends_agree(
    browser: Browser, app: ScriptedApp, language: str, locale: str
) -> None:
    """Streamlit's slider follows the browser's language, not the page's."""
    page = opened(browser, app, "rating:1", language, locale)
    ends = [ARABIC["没有把握"], ARABIC["很有把握"]] if language == "ar" else ["unsicher", "sicher"]
    low, high = (page.get_by_text(end, exact=True) for end in ends)
    slider = page.get_by_test_id("stSlider")
    before = middle_of(slider.get_by_test_id("stSliderThumbValue"))
    slider.get_by_role("slider").press("Home")
    expect(slider.get_by_role("slider")).to_have_value("0")
    walk.idle(page)
    slider.hover()
    zero, hundred = (slider.get_by_test_id("stSliderTickBar").get_by_text(tick, exact=True) for tick in ("0", "100"))
    begins_at_the_left = middle_of(slider.get_by_test_id("stSliderThumbValue")) < before
    assert begins_at_the_left == (locale == "en-GB"), "if Streamlit turns it by itself, look.CSS need not any more"
    assert left_of(low, high) == begins_at_the_left
    assert (middle_of(zero) < middle_of(hundred)) == begins_at_the_left
    page.close()


def test_a_scale_begins_where_its_words_do(browser: Browser, app: ScriptedApp) -> None:
    page = opened(browser, app, "rating:1")
    points = page.get_by_role("radiogroup").nth(1).get_by_role("radio")
    assert left_of(points.nth(1), points.nth(0))
    page.close()


def test_what_is_called_left_stands_at_the_left(browser: Browser, app: ScriptedApp) -> None:
    page = opened(browser, app, "final_items")
    left, right = (page.get_by_role("radio", name=name, exact=True) for name in ("Left", "Right"))
    assert left_of(left, right)
    assert left_of(page.get_by_text("Left."), page.get_by_text("Right."))
    page.get_by_role("radio", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("dir", "ltr", timeout=walk.SLOW_MS)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.close()
