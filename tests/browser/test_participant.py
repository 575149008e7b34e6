"""One participant, a real browser, the real app and models: through the whole study, with accidents."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from pipeline.phantom import draw
from tests.browser import walk
from tests.browser.conftest import Served

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

TRUST, EASE, EFFORT = (
    "I can trust the system.",
    "The conversation with the system is easy to understand.",
    "I easily found the information I was asking for.",
)
RATINGS = {1: (4, 2, 5), 2: (3, 5, 1), 3: (5, 4, 4)}
FINAL = {
    "SkinGEN's diagnosis is correct or relevant.": 4,
    "The description provided by SkinGEN is informative.": 5,
    "The suggestions offered by SkinGEN are useful.": 3,
    "I would be willing to use SkinGEN in the future.": 2,
    "The generated skin disease image looks realistic.": 1,
    "I find SkinGEN to be a useful system.": 4,
}
FINAL_IDS = ("correct", "informative", "useful_suggestions", "future_use", "realistic", "useful")
OFFERED = 5
"""An offered photo that the embedded models have a name for."""
HOSTILE = 'Is it <b>dangerous</b>? <img src="http://e.example/x.png"> ![y](http://e.example/y.png)'
TELLING = ("SkinGPT", "SkinGEN", "generated", "retriev", "explainer", "text>", "cases>")
"""Words that would tell a participant which condition they are in."""


@pytest.fixture
def jpeg(tmp_path: Path) -> Path:
    """A photo as a phone makes it: JPEG, lying on its side, with place, maker and comment."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Camera Works", "Phone 12", 6
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)})
    path = tmp_path / "IMG_0001.jpg"
    picture = draw(4711, size=512, label="psoriasis").image
    Image.fromarray(picture).save(path, "JPEG", quality=90, exif=exif, comment=b"made on holiday")
    return path


def test_a_participant_completes_the_study(served: Served, browser: Browser, jpeg: Path) -> None:
    """Refreshed once in the middle of the second assistant, the server killed once in the middle of the
    third: every answer is in the database exactly once, and the sequence is the one first drawn."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    asked: list[str] = []
    received: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: received.append(shown(data))))
    walk.open_study(page, served.url)
    link = page.url
    assert "?t=" in link, "the token is in the address before anything is asked"
    assert page.locator("html").get_attribute("lang") == "en"
    walk.agree(page)
    walk.describe_oneself(page)
    walk.heading(page, "A photo for Assistant 1")
    drawn = sequence(served.database)

    talk_and_rate(page, 1, jpeg)

    walk.upload(page, "Assistant 2", jpeg)
    walk.answered(page, "Assistant 2")
    first_answer = page.get_by_test_id("stChatMessage").nth(1).inner_text()
    page.reload()
    walk.answered(page, "Assistant 2")
    assert page.get_by_test_id("stChatMessage").nth(1).inner_text() == first_answer
    page.get_by_role("button", name="Rate").click()
    rate(page, 2)

    walk.upload(page, "Assistant 3", jpeg)
    walk.heading(page, "Assistant 3")
    served.kill()
    served.start()
    walk.answered(page, "Assistant 3")
    walk.ask(page, HOSTILE)
    page.get_by_role("button", name="Rate").click()
    not_told(page.url, *asked, *received)
    rate(page, 3)

    walk.heading(page, "Looking back")
    walk.rate(page, FINAL)
    walk.go_on(page)
    walk.heading(page, "Comments")
    page.get_by_role("textbox").fill("=1+1 <img src=x onerror=alert(1)>")
    walk.go_on(page, "Finish")
    walk.heading(page, "Thank you")
    expect(page.get_by_text("SKINGEN-DONE")).to_be_visible(timeout=walk.SLOW_MS)
    assert page.url == link

    everything_is_stored_once(served.database, drawn)
    assert not [url for url in asked if not url.startswith(served.url)], "nothing leaves the machine"
    page.close()


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """No skin at all: every assistant says that it cannot tell."""
    path = tmp_path / "noise.png"
    colours = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(colours).save(path)
    return path


def test_a_photo_no_assistant_can_tell_is_exchanged_or_kept(served: Served, browser: Browser, noise: Path) -> None:
    """In all three conditions. Refreshed while choosing, the server killed right after; the same photo is refused."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    received: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: received.append(shown(data))))
    walk.open_study(page, served.url)
    walk.agree(page)
    walk.describe_oneself(page)

    walk.upload(page, "Assistant 1", noise)
    cannot_tell(page, "Assistant 1")
    walk.want_another(page, "Assistant 1")
    page.reload()
    walk.heading(page, "Another photo for Assistant 1")
    page.get_by_role("button", name="Keep this photo").click()
    cannot_tell(page, "Assistant 1")
    walk.want_another(page, "Assistant 1")
    page.get_by_role("radio", name="My own photo").click()
    page.locator("input[type=file]").set_input_files(noise)
    expect(page.get_by_text("has seen this photo already")).to_be_visible(timeout=walk.SLOW_MS)
    expect(page.get_by_role("button", name="Continue")).to_have_count(0, timeout=walk.SLOW_MS)
    page.get_by_role("button", name="Choose another photo").click()
    walk.idle(page)
    page.get_by_role("radio", name="Offered photos").click()
    walk.choose_offered(page, "Assistant 1", OFFERED, "Another")
    walk.heading(page, "Assistant 1")
    served.kill()
    served.start()
    walk.answered(page, "Assistant 1")
    expect(page.get_by_text("I cannot tell from this photo")).to_be_hidden(timeout=walk.SLOW_MS)
    page.get_by_text("Before you chose another photo").click()
    expect(page.get_by_text("I cannot tell from this photo")).to_be_visible(timeout=walk.SLOW_MS)
    page.get_by_role("button", name="Rate").click()
    rate(page, 1)

    walk.upload(page, "Assistant 2", noise)
    cannot_tell(page, "Assistant 2")
    walk.want_another(page, "Assistant 2")
    walk.choose_offered(page, "Assistant 2", OFFERED, "Another")
    walk.answered(page, "Assistant 2")
    page.get_by_role("button", name="Rate").click()
    rate(page, 2)

    walk.upload(page, "Assistant 3", noise)
    cannot_tell(page, "Assistant 3")
    page.get_by_role("button", name="Rate").click()
    not_told(page.url, *received)
    rate(page, 3)
    walk.heading(page, "Looking back")

    with closing(sqlite3.connect(f"file:{served.database}?mode=ro", uri=True)) as conn:
        jobs = conn.execute("SELECT period, status, count(*) FROM job GROUP BY 1, 2 ORDER BY 1").fetchall()
        told = conn.execute("SELECT diagnosis IS NULL, photos_exchanged FROM exposures ORDER BY period").fetchall()
        given_back = conn.execute("SELECT period, manifest IS NOT NULL FROM photo_exchanges ORDER BY 1").fetchall()
    assert jobs == [(1, "done", 2), (2, "done", 2), (3, "done", 1)]
    assert told == [(0, 1), (0, 1), (1, 0)]
    assert given_back == [(1, 1), (2, 1)]
    page.close()


def cannot_tell(page: Page, name: str) -> None:
    walk.answered(page, name)
    expect(page.get_by_text("I cannot tell from this photo")).to_be_visible(timeout=walk.SLOW_MS)
    expect(page.get_by_role("button", name="Choose another photo")).to_be_visible(timeout=walk.SLOW_MS)


def talk_and_rate(page: Page, period: int, photo: Path) -> None:
    name = f"Assistant {period}"
    walk.upload(page, name, photo)
    walk.answered(page, name)
    page.get_by_role("button", name="Rate").click()
    rate(page, period)


def rate(page: Page, period: int) -> None:
    walk.heading(page, f"How was Assistant {period}?")
    walk.rate(page, dict(zip((TRUST, EASE, EFFORT), RATINGS[period], strict=True)))
    walk.go_on(page)


def shown(frame: str | bytes) -> str:
    """What the app sent to the page, as text: page contents, widget keys, addresses of pictures."""
    return frame if isinstance(frame, str) else frame.decode("utf-8", errors="replace")


def not_told(*sent: str) -> None:
    """Nothing that reached the browser names a condition."""
    assert len(sent) > 100
    assert not {word for text in sent for word in TELLING if word in text}


def sequence(database: Path) -> str:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as conn:
        return str(conn.execute("SELECT sequence FROM participants").fetchone()[0])


def everything_is_stored_once(database: Path, drawn: str) -> None:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as conn:
        people = conn.execute("SELECT participant, sequence, outcome FROM participants").fetchall()
        assert people == [("P0001", drawn, "completed")]
        log = conn.execute("SELECT item, period, value FROM answer ORDER BY item, period").fetchall()
        exposures = conn.execute("SELECT period, condition, manifest IS NOT NULL FROM exposures").fetchall()
        jobs = conn.execute("SELECT period, status, count(*) FROM job GROUP BY 1, 2 ORDER BY 1").fetchall()
    expected = {(item, None): value for item, value in zip(FINAL_IDS, FINAL.values(), strict=True)}
    for period, values in RATINGS.items():
        expected |= {(i, period): v for i, v in zip(("trust", "ease", "effort"), values, strict=True)}
    expected |= {("gender", None): "female", ("medical_background", None): "no"}
    expected |= {("comments", None): "=1+1 <img src=x onerror=alert(1)>"}
    assert len(log) == len(expected), "one row per answer, none twice"
    assert {(item, period): value for item, period, value in log} == expected
    assert sorted(exposures) == [(n, c, 1) for n, c in enumerate(drawn.split(">"), 1)]
    assert jobs == [(1, "done", 1), (2, "done", 1), (3, "done", 2)]
