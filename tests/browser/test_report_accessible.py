"""axe-core on the report's HTML file, light and dark, at a desk and on a phone: every rule, not only WCAG's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from analysis.report import html, summarise
from tests.analysis.builder import CONDITIONS, answered

pytestmark = pytest.mark.browser
WIDTHS = (1280, 390)
LONGEST_MS = 240_000
"""A busy machine draws slowly; nothing here waits for what may never come."""
EVERY_RULE = {"resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated study with exclusions, a missing answer, periods and times: every section that it can have."""
    folder = tmp_path_factory.mktemp("report")
    book = answered(14)
    for number, row in enumerate(book.ratings):
        row["duration_s"] = 2 + number % 9
        row["period"] = 1 + list(CONDITIONS).index(row["condition"]) if row["condition"] else None
    del book.ratings[4]
    out = book.person("P0900", "excluded", exclusion_reason="failed attention check")
    for condition in CONDITIONS:
        book.rate(out, "trust", 3, condition)
    book.meta.append({"key": "simulated", "value": "1"})
    path = folder / "report.html"
    path.write_text(html(summarise(book.write(folder / "study.db"))), encoding="utf-8")
    return path


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser, report: Path) -> Iterator[Page]:
    opened = browser.new_page(color_scheme=request.param, viewport={"width": WIDTHS[0], "height": 900})
    opened.set_default_timeout(LONGEST_MS)
    opened.goto(report.as_uri())
    yield opened
    if folder := os.environ.get("SKINGEN_SHOTS"):
        opened.screenshot(path=Path(folder) / f"report_{request.param}.png", full_page=True)
    opened.close()


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong, one line per element."""
    found = Axe().run(page, options=EVERY_RULE).response
    assert found["passes"], "axe-core looked at nothing"
    return [f"{rule['id']}: {node['html'][:300]}" for rule in found["violations"] for node in rule["nodes"]]


def test_the_report_has_no_violation(page: Page) -> None:
    assert "SIMULATED DATA" in page.title()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width  # tables scroll in their own frames


def test_axe_would_see_a_violation(page: Page) -> None:
    page.evaluate("document.querySelector('figure img').removeAttribute('alt')")
    assert any(line.startswith("image-alt") for line in violations(page))
