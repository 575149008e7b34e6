"""Pictures of every step at 1280 and 390 pixels, for looking at: `python -m tests.browser.screens FOLDER`.

Runs the app with the embedded models and a database in a temporary folder; both go when it ends. With a
second argument (`python -m tests.browser.screens FOLDER docs`) the README's two pictures are made anew.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from study_app.study.definition import load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.simulate import parse_effect, simulate
from study_app.study.store import Store
from tests.browser import walk
from tests.browser.conftest import CHROMIUM_ARGS, ROOT, Served, chromium

WIDTHS = (1280, 390)
TALLEST = 4000
README_WIDTH = 760
PHOTOS = {1: 5, 2: 7, 3: 16}
"""Offered photos that the embedded models have a name for."""
PASSWORD = "a long enough password"


class Camera:
    """Takes the whole page, however long, and numbers the files."""

    def __init__(self, page: Page, folder: Path, width: int) -> None:
        self.page = page
        self._folder = folder
        self._width = width
        self._taken = 0

    def take(self, name: str, settle_ms: int = 600) -> None:
        self.page.wait_for_timeout(settle_ms)
        inside = "Math.max(...['stMain','stAppViewContainer'].map(i=>document.querySelector(`[data-testid=${i}]`)"
        height = int(self.page.evaluate(inside + "?.scrollHeight||0))"))
        self.page.set_viewport_size({"width": self._width, "height": max(700, min(height, TALLEST))})
        self.page.wait_for_timeout(400)
        self._taken += 1
        self.page.screenshot(path=self._folder / f"{self._width}_{self._taken:02d}_{name}.png")
        self.page.set_viewport_size({"width": self._width, "height": 900})
        print(f"{self._width} {name}", flush=True)


def participant(camera: Camera, served: Served, folder: Path) -> None:
    page = camera.page
    walk.open_study(page, served.url)
    camera.take("consent")
    page.get_by_text("The full information sheet").click()
    camera.take("consent_sheet")
    walk.agree(page)
    walk.heading(page, "About you")
    camera.take("demographics")
    walk.describe_oneself(page)
    for period in (1, 2, 3):
        one_assistant(camera, period, folder)
    walk.heading(page, "Looking back")
    camera.take("final_items")
    for radios in scales(page):
        radios.get_by_role("radio", name="4", exact=True).click()
        walk.idle(page)
    walk.go_on(page)
    walk.heading(page, "Comments")
    page.get_by_role("textbox").fill("The second assistant was the clearest.")
    camera.take("comments")
    walk.go_on(page, "Finish")
    walk.heading(page, "Thank you")
    page.get_by_text("Withdraw from the study").click()
    camera.take("finish")


def one_assistant(camera: Camera, period: int, folder: Path) -> None:
    page, name = camera.page, f"Assistant {period}"
    walk.heading(page, f"A photo for {name}")
    if period == 1:
        camera.take("photo")
        walk.show_pictures(page)
        camera.take("photo_uncovered")
        page.get_by_role("radio", name="My own photo").click()
        page.locator("input[type=file]").set_input_files(folder / "not_a_photo.jpg")
        camera.take("photo_refused", 2000)
        page.get_by_role("radio", name="Offered photos").click()
        walk.idle(page)
    if period == 2:
        unclear_photo(camera, name, folder)
    page.get_by_role("button", name=f"Photo {PHOTOS[period]}", exact=True).click()
    expect(page.get_by_role("img", name="The photo you chose")).to_be_visible(timeout=walk.SLOW_MS)
    if period == 1:
        camera.take("photo_chosen")
    walk.go_on(page)
    expect(page.get_by_role("heading", level=1, name=name, exact=True)).to_be_visible(timeout=walk.SLOW_MS)
    waiting = page.get_by_text("Drawing pictures on your photo")
    for attempt in range(40):
        if waiting.count() and attempt % 8 == 7:
            camera.take(f"waiting_{period}", 0)
            break
        page.wait_for_timeout(250)
    stop = page.get_by_role("button", name="Cancel")
    if waiting.count() and stop.count():
        stop.click()
        page.wait_for_timeout(3000)
        again = page.get_by_role("button", name="Try again")
        if again.count():  # else it was done before the click came
            camera.take(f"stopped_{period}")
            again.click()
    walk.answered(page, name)
    camera.take(f"answered_{period}")
    if period == 2:
        page.get_by_text("Before you chose another photo").click()
        camera.take("answered_after_exchange")
    outline = page.get_by_text("Outline the area")
    if outline.count():
        outline.click()
        walk.idle(page)
        camera.take("conversation")
        page.get_by_text("All pictures", exact=True).first.click()
        camera.take(f"answered_{period}_all")
    walk.ask(page, "How do you know, and could it be vitiligo?")
    camera.take(f"follow_up_{period}")
    page.get_by_role("button", name="Rate").click()
    walk.heading(page, f"How was {name}?")
    first, second, third = scales(page)
    first.get_by_role("radio", name="4", exact=True).click()
    walk.idle(page)
    second.get_by_role("radio", name="2", exact=True).click()
    walk.idle(page)
    walk.go_on(page)
    walk.idle(page)
    if period == 1:
        camera.take("rating")
    third.get_by_role("radio", name="5", exact=True).click()
    walk.idle(page)
    walk.go_on(page)


def scales(page: Page) -> list[Locator]:
    """The statements to be rated; the switch of languages is a radiogroup, too."""
    return page.get_by_role("radiogroup").filter(has=page.get_by_role("radio", name="4", exact=True)).all()


def unclear_photo(camera: Camera, name: str, folder: Path) -> None:
    """A photo that is none; ends where another one is chosen."""
    page = camera.page
    walk.upload(page, name, folder / "noise.png")
    walk.answered(page, name)
    camera.take("cannot_tell")
    walk.want_another(page, name)
    camera.take("another_photo")
    page.get_by_role("radio", name="My own photo").click()
    page.locator("input[type=file]").set_input_files(folder / "noise.png")
    expect(page.get_by_text("has seen this photo already")).to_be_visible(timeout=walk.SLOW_MS)
    camera.take("another_photo_same")
    page.get_by_role("button", name="Choose another photo").click()
    page.get_by_role("radio", name="Offered photos").click()
    walk.idle(page)


def other_ends(camera: Camera, served: Served) -> None:
    page = camera.page
    page.goto(f"{served.url}?t=nobodys")
    walk.heading(page, "This link is not known")
    camera.take("unknown_link")
    walk.open_study(page, served.url)
    page.get_by_role("button", name="I do not want to take part").click()
    walk.heading(page, "You do not take part")
    camera.take("declined")


def researcher(camera: Camera, served: Served) -> None:
    page = camera.page
    page.goto(f"{served.url}researcher")
    page.get_by_label("Name", exact=True).fill("owner", timeout=walk.SLOW_MS)
    page.get_by_label("Password", exact=True).fill(PASSWORD, timeout=walk.SLOW_MS)
    camera.take("sign_in")
    page.get_by_role("button", name="Sign in").click()
    for path, name in (("Monitor", "monitor"), ("Results", "results"), ("Export", "export")):
        if path != "Monitor":
            menu = page.get_by_test_id("stExpandSidebarButton")
            if menu.count():
                menu.click()
                page.wait_for_timeout(500)
            page.get_by_role("link", name=path).click()
        expect(page.get_by_role("heading", name=path, exact=True)).to_be_visible(timeout=walk.SLOW_MS)
        close_menu(page)
        live = page.get_by_role("radio", name="Live")
        if live.count():
            live.click()
            page.wait_for_timeout(500)
        walk.idle(page)  # the figure and the tables take seconds
        camera.take(name, 1000)


def close_menu(page: Page) -> None:
    """On a phone the navigation is a menu over the page."""
    button = page.get_by_test_id("stSidebarCollapseButton").get_by_role("button")
    if button.count() and page.get_by_test_id("stExpandSidebarButton").count() == 0:
        button.click()
        page.wait_for_timeout(500)


def prepare(database: Path) -> None:
    """Forty simulated participants, so that the researcher's pages have something to show."""
    store = Store.open(database)
    study = load_study(ROOT / "questionnaires" / "skingen.yaml")
    effect = parse_effect("trust:generated=+0.8", study)
    simulate(study, store, MediaStore(folder_of(database), store), 40, [effect], seed=5)
    store.researcher.set_password(PASSWORD)
    store.close()


def take_all(browser: Browser, served: Served, folder: Path) -> None:
    for width in WIDTHS:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="light")
        camera = Camera(page, folder, width)
        participant(camera, served, folder)
        other_ends(camera, served)
        researcher(camera, served)
        page.close()


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "not_a_photo.jpg").write_text("This is a letter, not a photo.")
    Image.effect_noise((200, 200), 90).convert("RGB").save(folder / "noise.png")
    path = chromium()
    if path is None:
        raise SystemExit("No Chromium: install it or set SKINGEN_CHROMIUM to its path.")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        prepare(Path(scratch) / "study.db")
        served = Served(Path(scratch) / "study.db")
        served.start()
        try:
            browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGS))
            take_all(browser, served, folder)
            browser.close()
        finally:
            served.stop()


def for_the_readme(folder: Path, docs: Path) -> None:
    """The participant's conversation and the researcher's results, small enough for a README."""
    for shot, name, margin in (("conversation", "participant", 230), ("results", "researcher", 0)):
        (source,) = folder.glob(f"{WIDTHS[0]}_*_{shot}.png")
        picture = Image.open(source).convert("RGB")
        picture = picture.crop((margin, 0, picture.width - margin, picture.height))
        picture.thumbnail((README_WIDTH, TALLEST))
        picture.quantize(200).save(docs / f"{name}.png", optimize=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit("usage: python -m tests.browser.screens FOLDER [DOCS]")
    main(Path(sys.argv[1]))
    if len(sys.argv) == 3:
        for_the_readme(Path(sys.argv[1]), Path(sys.argv[2]))
