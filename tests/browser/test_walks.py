"""Each study that ships, completed in Chromium, and every kind of page on the way free of axe-core's findings.

The embedded models are walked with in `test_participant.py` (SkinGEN, 390 pixels, English). Here scripted models
answer behind the real door, so that the other combinations cost little: each study once, in both widths and languages
over the three, one of them by the keyboard alone. Every kind of page is looked at at both widths, whatever the width
of the walk.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import walk
from tests.browser.accessible import Look
from tests.browser.conftest import ROOT
from tests.browser.hands import Keyboard, Mouse, Walk
from tests.browser.scripted_app import scripted_app

pytestmark = [pytest.mark.browser, pytest.mark.timeout(walk.TEST_S)]

WALKS = [
    ("image_relevance", 1280, "zh-CN", Keyboard()),
    ("skingpt4_clinical", 390, "en-GB", Mouse()),
    ("skingen", 1280, "zh-CN", Mouse()),
]


@pytest.mark.parametrize(("name", "width", "locale", "hands"), WALKS, ids=[each[0] for each in WALKS])
def test_a_study_that_ships_is_completed(
    browser: Browser, tmp_path: Path, name: str, width: int, locale: str, hands: Mouse | Keyboard
) -> None:
    look = Look(name)
    with scripted_app(ROOT / "questionnaires" / f"{name}.yaml", tmp_path) as app:
        page = walk.new_page(browser, width, locale)
        participant = Walk(app, page, locale.split("-")[0], hands, look.at).through()
        page.close()
        state = app.store.state(participant)
    study = app.study
    assert state.status == "completed"
    per_period = len(study.repeated_items) * study.periods
    assert len(state.answers) == len(study.demographics) + per_period + len(study.final_items) + 1  # and the comment
    assert {"consent", "demographics", "rating", "comments", "finished"} <= set(look.seen)
    assert look.wrong == {}
