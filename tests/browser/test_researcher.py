"""The researcher's side in a real browser: nobody but them gets in, and what they take home is whole."""

from __future__ import annotations

import csv
import io
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from study_app.study.definition import load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.simulate import simulate
from study_app.study.store import Store
from tests.browser.conftest import ROOT, Served
from tests.browser.walk import SLOW_MS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PASSWORD = "a long enough password"
N = 12


@pytest.fixture
def served_with_results(tmp_path: Path) -> Iterator[Served]:
    """The app on a database of simulated participants who all completed."""
    database = tmp_path / "study.db"
    store = Store.open(database)
    study = load_study(ROOT / "questionnaires" / "skingen.yaml")
    simulate(study, store, MediaStore(folder_of(database), store), N, (), seed=3)
    store.close()
    app = Served(database)
    app.start()
    yield app
    app.stop()


def test_the_researcher_signs_in_sees_the_figure_and_downloads(served_with_results: Served, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{served_with_results.url}results")
    set_password(page, "wrong-code")
    expect(page.get_by_text("The setup code is a different one.")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("link", name="Export")).to_have_count(0)
    set_password(page, served_with_results.setup_code)

    expect(page.get_by_role("heading", name="Results", exact=True)).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("radio", name="Live").click()
    expect(page.get_by_role("img", name="Bar chart of mean")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text(f"{N} completed participants")).to_be_visible(timeout=SLOW_MS)
    assert download(page, "PNG").startswith(b"\x89PNG")
    assert b"<svg" in download(page, "SVG")

    page.get_by_role("link", name="Export").click()
    expect(page.get_by_role("heading", name="Export", exact=True)).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Prepare ZIP").click()
    expect(page.get_by_role("button", name="Download ZIP")).to_be_visible(timeout=SLOW_MS)
    with zipfile.ZipFile(io.BytesIO(download(page, "Download ZIP"))) as archive:
        rows = list(csv.DictReader(io.TextIOWrapper(archive.open("ratings.csv"), "utf-8")))
    assert len(rows) == N * (3 * 3 + 6)
    database = served_with_results.database.with_name("downloaded.db")
    database.write_bytes(download(page, "Download database"))
    with closing(sqlite3.connect(database)) as conn:
        assert conn.execute("SELECT count(*) FROM participants").fetchone() == (N,)
        assert conn.execute("SELECT count(*) FROM login").fetchone() == (0,), "no password leaves the app"

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=SLOW_MS)
    sign_in(page, "not the password")
    expect(page.get_by_text("Not signed in.")).to_be_visible(timeout=SLOW_MS)
    sign_in(page, PASSWORD)
    expect(page.get_by_role("heading", name="Export", exact=True)).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("link", name="Monitor").click()
    expect(page.get_by_text(f"{N} of 32")).to_have_count(0)  # those are live; this is a pilot run
    page.get_by_role("radio", name="Live").click()
    expect(page.get_by_text(f"{N} of 32")).to_be_visible(timeout=SLOW_MS)
    here = (served_with_results.url, f"blob:{served_with_results.url}", "data:")
    assert not [url for url in asked if not url.startswith(here)], "nothing leaves the machine"
    page.close()


def set_password(page: Page, code: str) -> None:
    page.get_by_label("Setup code").fill(code, timeout=SLOW_MS)
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password, again").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()


def sign_in(page: Page, password: str) -> None:
    page.get_by_label("Name", exact=True).fill("owner")
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def download(page: Page, button: str) -> bytes:
    with page.expect_download(timeout=SLOW_MS) as started:
        page.get_by_role("button", name=button, exact=True).click()
    return Path(started.value.path()).read_bytes()
