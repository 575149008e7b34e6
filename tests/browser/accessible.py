"""WCAG 2.1 A and AA by axe-core, at a desk and on a phone; and pictures of what was looked at.

With SKINGEN_SHOTS=FOLDER every page that is checked is photographed there, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser import walk

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
WIDTHS = (1280, 390)
HEIGHT = 900
TALLEST = 4000
SETTLE_MS = 400
KNOWN: dict[tuple[str, str], str] = {}
"""(rule of axe-core, part of the element's HTML) -> why it stands. Nothing else is passed over."""


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong on the page as it is now, one line per element."""
    options = {"runOnly": {"type": "tag", "values": list(TAGS)}, "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response
    assert found["passes"], "axe-core looked at nothing"
    return [
        f"{rule['id']}: {node['html'][:300]} {' '.join(node['failureSummary'].split())[:300]}"
        for rule in found["violations"]
        for node in rule["nodes"]
        if not any(rule["id"] == known and part in node["html"] for known, part in KNOWN)
    ]


def too_wide(page: Page, width: int) -> list[str]:
    """The page must not scroll sideways: what sticks out is told."""
    inside = int(
        page.evaluate("""() => Math.max(document.documentElement.scrollWidth,
        ...[...document.querySelectorAll('[data-testid=stMain], [data-testid=stAppViewContainer]')]
        .map(e => e.scrollWidth))""")
    )
    return [f"the page is {inside} pixels wide in a window of {width}"] if inside > width else []


class Look:
    """Looks at pages, at all ``widths``, and remembers what is wrong with which: ``wrong`` has to be empty at the end.

    ``pictures``: where to photograph what is looked at, if not in SKINGEN_SHOTS."""

    def __init__(self, name: str, widths: Sequence[int] = WIDTHS, pictures: Path | None = None) -> None:
        self.name = name
        self.widths = widths
        shots = os.environ.get("SKINGEN_SHOTS")
        self.pictures = pictures or (Path(shots) if shots else None)
        self.wrong: dict[str, list[str]] = {}
        self.seen: list[str] = []

    def at(self, page: Page, what: str, settled: Callable[[Page], None] = walk.idle) -> None:
        """The page, called ``what``, at every width; afterwards it is as wide as before."""
        before = page.viewport_size
        self.seen.append(what)
        for width in self.widths:
            page.set_viewport_size({"width": width, "height": HEIGHT})
            page.wait_for_timeout(SETTLE_MS)
            settled(page)
            found = violations(page) + too_wide(page, width)
            if found:
                self.wrong[f"{what} at {width}"] = found
                print(f"{self.name} {what} at {width}:", *found, sep="\n  ", flush=True)
            self._photograph(page, what, width)
        if before is not None:
            page.set_viewport_size(before)

    def _photograph(self, page: Page, what: str, width: int) -> None:
        if self.pictures is None:
            return
        inside = "Math.max(...['stMain','stAppViewContainer'].map(i=>document.querySelector(`[data-testid=${i}]`)"
        height = int(page.evaluate(inside + "?.scrollHeight||0))"))
        page.set_viewport_size({"width": width, "height": max(HEIGHT, min(height, TALLEST))})
        page.wait_for_timeout(SETTLE_MS)
        self.pictures.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=self.pictures / f"{self.name}_{what}_{width}.png".replace(":", ""))
        page.set_viewport_size({"width": width, "height": HEIGHT})
