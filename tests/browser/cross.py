"""Every study that ships, completed in Chromium at both widths and in both languages.

`python -m tests.browser.cross FOLDER`

Twelve walks, two of them by the keyboard alone; on every page, and again with everything on it opened, axe-core looks
for violations of WCAG 2.1 A and AA, and the page must neither be wider than the window nor in another language. The
pictures of all pages go to FOLDER. With a second argument (`python -m tests.browser.cross FOLDER FILE.md`) the outcome
is written there; docs/browser-walks.md is one. Scripted models answer behind the real door. The machine needs a font
with Chinese characters.

CI walks four of the combinations (`test_walks.py`, `test_participant.py`); all of them take some ten minutes on an idle
machine. FOLDER/outcomes.json keeps what was walked: the same command again goes on with the rest.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import walk
from tests.browser.accessible import WIDTHS, Look
from tests.browser.conftest import CHROMIUM_ARGS, ROOT, chromium
from tests.browser.hands import Keyboard, Mouse, Walk
from tests.browser.scripted_app import scripted_app

STUDIES = ("skingen", "skingpt4_clinical", "image_relevance")
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
COMBINATIONS = tuple(product(STUDIES, WIDTHS, LOCALES))
BY_KEYBOARD = {("image_relevance", 1280, "zh"), ("skingen", 390, "en")}
TEXT = """# Every study, completed in a browser

Written by `python -m tests.browser.cross FOLDER docs/browser-walks.md`, with Chromium {chromium} and the axe-core
of axe-playwright-python {axe}: each study that ships, from the link to the completion code, at 1280 and 390
pixels, in English and Chinese. Every page was looked at as it came, where pictures are covered once more without
covers, and where something opens once more with all of it open. *Findings* are violations of WCAG 2.1 A and AA, pages
wider than the window, and pages in another language than the participant's.

| study | width | language | hands | pages | looks | findings | answers stored | day | pictures |
|---|---|---|---|---|---|---|---|---|---|
{rows}

Together {pages} pages, {looks} looks, {findings} findings.{left} Scripted models answered behind the real door; the
embedded models are walked with in `tests/browser/test_participant.py`.
"""


@dataclass(frozen=True)
class Outcome:
    """One walk: what was asked of it, and what was found. ``findings``: one line each."""

    study: str
    width: int
    language: str
    hands: str
    pages: int
    looks: int
    findings: Sequence[str]
    answers: int
    seconds: float
    day: str

    @property
    def name(self) -> str:
        return f"{self.study}_{self.language}"

    def row(self) -> str:
        cells = (self.study, self.width, self.language, self.hands, self.pages, self.looks, len(self.findings))
        pictures = f"`{self.name}_*_{self.width}.png`"
        return f"| {' | '.join(map(str, cells))} | {self.answers} | {self.day} | {pictures} |"


def walked(browser: Browser, study: str, width: int, language: str, pictures: Path) -> Outcome:
    """One participant's walk. Raises AssertionError where it does not reach the code."""
    hands = Keyboard() if (study, width, language) in BY_KEYBOARD else Mouse()
    look = Look(f"{study}_{language}", (width,), pictures)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        scripted_app(ROOT / "questionnaires" / f"{study}.yaml", Path(folder)) as app,
    ):
        page = walk.new_page(browser, width, LOCALES[language])
        taken = Walk(app, page, language, hands, in_language(look, language), every_page=True)
        state = app.store.state(taken.through())
        page.close()
    assert state.status == "completed", state.status
    findings = [f"{what}: {line}" for what, lines in look.wrong.items() for line in lines]
    return Outcome(
        study=study,
        width=width,
        language=language,
        hands="keyboard" if isinstance(hands, Keyboard) else "mouse",
        pages=len(taken.shown),
        looks=len(look.seen),
        findings=tuple(findings),
        answers=len(state.answers),
        seconds=round(time.monotonic() - began, 1),
        day=datetime.now(UTC).date().isoformat(),
    )


def in_language(look: Look, language: str) -> Callable[[Page, str], None]:
    """Looks, and asks the page for its language."""

    def at(page: Page, what: str) -> None:
        look.at(page, what)
        said = page.locator("html").get_attribute("lang")
        if said != language:
            look.wrong[f"{what} in {language}"] = [f"the page's language is {said}"]

    return at


def all_walks(folder: Path) -> tuple[str, tuple[Outcome, ...]]:
    """Chromium's version, and the outcome of every combination. What ``folder`` has an outcome of is not walked."""
    path = chromium()
    if path is None:
        raise SystemExit("No Chromium: install it or set SKINGEN_CHROMIUM to its path.")
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "outcomes.json"
    outcomes = [Outcome(**one) for one in json.loads(kept.read_text())] if kept.is_file() else []
    before = {(one.study, one.width, one.language) for one in outcomes}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGS))
        for study, width, language in COMBINATIONS:
            if (study, width, language) not in before:
                outcomes.append(walked(browser, study, width, language, folder))
                kept.write_text(json.dumps([asdict(one) for one in outcomes], indent=1))
                print(outcomes[-1].row(), *outcomes[-1].findings, sep="\n  ", flush=True)
        opened = browser.version
        browser.close()
    return opened, tuple(sorted(outcomes, key=lambda one: COMBINATIONS.index((one.study, one.width, one.language))))


def written(opened: str, outcomes: Iterable[Outcome]) -> str:
    """The page for docs/."""
    outcomes = tuple(outcomes)
    done = {(one.study, one.width, one.language) for one in outcomes}
    left = [
        f"{study} at {width} in {language}"
        for study, width, language in COMBINATIONS
        if (study, width, language) not in done
    ]
    return TEXT.format(
        left=f" Still to be walked: {'; '.join(left)}." if left else "",
        chromium=opened,
        axe=version("axe-playwright-python"),
        rows="\n".join(outcome.row() for outcome in outcomes),
        pages=sum(outcome.pages for outcome in outcomes),
        looks=sum(outcome.looks for outcome in outcomes),
        findings=sum(len(outcome.findings) for outcome in outcomes),
    )


def main(pictures: Path, target: Path | None) -> int:
    """Exit status: 1 where anything was found."""
    opened, outcomes = all_walks(pictures)
    text = written(opened, outcomes)
    if target is not None:
        target.write_text(text, encoding="utf-8")
    print(text)
    return int(any(outcome.findings for outcome in outcomes))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit("usage: python -m tests.browser.cross FOLDER [FILE.md]")
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else None))
