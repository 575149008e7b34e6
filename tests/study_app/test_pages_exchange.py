"""The page after "I cannot tell": another photo or this one, in every condition, tab and moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pipeline.photo import clean_photo
from pipeline.types import DIAGNOSIS_PROMPT, Event, ExplainRequest, request_from_json, request_to_json
from study_app.services import services
from study_app.study.exchange import SHOWN_BEFORE
from study_app.study.state import Exposure
from study_app.study.store import NotSaved
from tests.scripted import WORDS, small_png
from tests.study_app.participant_app import scripted_app
from tests.study_app.test_pages import PATIENCE_S, choosing_a_photo, events, state_of, title, token_of, visit

UNCLEAR, CLEAR, UNCLEAR_TOO = (small_png((n, n, n), side=120) for n in (10, 200, 20))


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty database, and scripted models that cannot tell from the dark photos."""
    dark = {clean_photo(png).sha256 for png in (UNCLEAR, UNCLEAR_TOO)}
    with scripted_app(tmp_path, monkeypatch) as scripted:
        answers = scripted._events

        def unsure(request: ExplainRequest) -> Iterator[Event]:
            return answers(replace(request, question="cannot tell") if request.photo in dark else request)

        monkeypatch.setattr(scripted, "_events", unsure)
        yield


pytestmark = pytest.mark.usefixtures("door")


def exposure_of(page: AppTest) -> Exposure:
    return state_of(page).exposures[1]


def answered(page: AppTest) -> AppTest:
    """The page once the last question is answered."""
    assert services().runner.wait(exposure_of(page).jobs[-1].key, PATIENCE_S)
    return page.run()


def pick(page: AppTest, png: bytes) -> AppTest:
    """Upload a photo on the photo step, without "Continue"."""
    (uploader,) = page.file_uploader
    return uploader.upload("IMG_1.png", png, "image/png").run()


def send(page: AppTest, png: bytes) -> AppTest:
    return answered(pick(page, png).button(key="next_photo:1").click().run())


def unclear(condition: str | None = None) -> AppTest:
    """A participant whose first assistant cannot tell."""
    page = choosing_a_photo()
    while condition not in (None, state_of(page).sequence[0]):
        page = choosing_a_photo()
    return send(page, UNCLEAR)


def offer(page: AppTest) -> AppTest:
    return page.button(key=f"exchange_1_{len(exposure_of(page).earlier_photos) + 1}").click().run()


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


@pytest.mark.parametrize("condition", ["text", "cases", "generated"])
def test_every_condition_offers_another_photo_and_the_rating(condition: str) -> None:
    page = unclear(condition)
    assert title(page) == "Assistant 1"
    assert labels(page) == ["Choose another photo", "Rate"]
    page = offer(page)
    assert title(page) == "Another photo for Assistant 1"
    page = send(page, CLEAR)
    assert title(page) == "Assistant 1"
    assert "Choose another photo" not in labels(page)
    jobs = exposure_of(page).jobs
    asked = [request_from_json(job.request) for job in jobs]
    assert [(request.condition, request.question) for request in asked] == [(condition, DIAGNOSIS_PROMPT)] * 2
    assert [request.photo for request in asked] == [clean_photo(png).sha256 for png in (UNCLEAR, CLEAR)]
    assert asked[1].history == ()
    assert asked[1].diagnosis is None
    page.button(key="rate").click().run()
    assert title(page) == "How was Assistant 1?"


def test_an_assistant_that_can_tell_offers_no_other_photo() -> None:
    page = send(choosing_a_photo(), CLEAR)
    assert "Choose another photo" not in labels(page)
    assert "Rate" in labels(page)


def test_one_may_go_on_to_the_rating_without_another_photo() -> None:
    page = unclear()
    page.button(key="rate").click().run()
    assert title(page) == "How was Assistant 1?"
    assert exposure_of(page).earlier_photos == ()


def test_keeping_the_photo_leads_back_to_the_same_conversation() -> None:
    page = unclear()
    before = exposure_of(page)
    page = offer(page)
    page = pick(page, CLEAR)
    page.button(key="keep_1").click().run()
    assert title(page) == "Assistant 1"
    assert exposure_of(page) == before
    page = offer(page)
    assert labels(page)[0] == "Keep this photo"
    page.button(key="next_photo:1").click().run()
    assert page.warning[0].value == "Choose a photo first.", "what was picked before is not picked now"


def test_the_same_photo_again_is_told_kindly() -> None:
    page = offer(unclear())
    page = pick(page, UNCLEAR)
    assert page.warning[0].value == SHOWN_BEFORE
    assert "Continue" not in labels(page)
    assert not page.selectbox, "what it shows is not asked"
    assert len(exposure_of(page).jobs) == 1
    page = send(pick_again(page), UNCLEAR_TOO)
    page = pick(offer(page), UNCLEAR)
    assert page.warning[0].value == SHOWN_BEFORE, "nor the one before that"
    page = send(pick_again(page), CLEAR)
    assert [job.abstained for job in exposure_of(page).jobs] == [True, True, False]


def pick_again(page: AppTest) -> AppTest:
    (another,) = (button for button in page.button if button.label == "Choose another photo")
    return another.click().run()


def test_what_was_said_about_the_first_photo_can_be_read_again() -> None:
    page = unclear()
    assert not page.expander
    page = send(offer(page), CLEAR)
    (before,) = (box for box in page.expander if box.label == "Before you chose another photo")
    both = [":material/person:", ":material/counter_1:"]
    assert [message.avatar for message in before.chat_message] == both
    assert [message.avatar for message in page.chat_message] == both * 2, "the new photo's, outside the box"


def test_a_conversation_goes_on_about_the_new_photo_only() -> None:
    page = send(offer(unclear()), CLEAR)
    answered(page.chat_input[0].set_value("Why?").run())
    asked = request_from_json(exposure_of(page).jobs[-1].request)
    assert [turn.text for turn in asked.history] == [DIAGNOSIS_PROMPT, "".join(WORDS)]
    assert asked.diagnosis is not None
    assert asked.diagnosis.label == "psoriasis"


def test_a_refresh_at_every_moment_finds_the_same_page() -> None:
    page = offer(unclear())
    assert title(visit(token_of(page))) == "Another photo for Assistant 1"
    tab = visit(token_of(page))
    page.button(key="keep_1").click().run()
    assert title(tab.run()) == "Assistant 1"
    page = offer(page)
    page = pick(page, CLEAR).button(key="next_photo:1").click().run()
    tab = answered(visit(token_of(page)))
    assert title(tab) == "Assistant 1"
    assert len(exposure_of(page).jobs) == 2


def test_two_tabs_follow_each_other() -> None:
    first = unclear()
    second = visit(token_of(first))
    assert "Choose another photo" in labels(second)
    first = offer(first)
    second.button(key="rate").click().run()
    assert title(second) == "Another photo for Assistant 1"
    second = pick(second, UNCLEAR_TOO)
    first = send(first, CLEAR)
    second.button(key="next_photo:1").click().run()
    assert title(second) == "Assistant 1"
    assert exposure_of(first).photo == clean_photo(CLEAR).sha256
    assert len(exposure_of(first).jobs) == 2
    assert len(events(first, "photo_exchanged")) == 1


def test_a_click_while_the_other_tab_acts_changes_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other tab's write comes between this page's reading and its own write."""
    page = unclear()
    photos, participant = services().store.photos, state_of(page).participant
    first = exposure_of(page).photo
    other = services().media.keep(participant, clean_photo(CLEAR).png)
    write = photos.want_another

    def overtaken(*arguments: object) -> None:
        write(participant, 1, first)
        photos.replace(participant, 1, first, other, None)
        monkeypatch.undo()
        write(participant, 1, first)

    monkeypatch.setattr(photos, "want_another", overtaken)
    page = answered(offer(page))
    assert title(page) == "Assistant 1"
    assert exposure_of(page).photo == other
    assert exposure_of(page).another_photo_wanted_at is None
    assert len(events(page, "photo_exchanged")) == 1


def test_what_could_not_be_saved_is_said_and_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    page = unclear()

    def busy(*_: object) -> None:
        raise NotSaved("busy")

    for name, press in (("want_another", offer), ("keep", lambda tab: tab.button(key="keep_1").click().run())):
        with monkeypatch.context() as patched:
            patched.setattr(services().store.photos, name, busy)
            page = press(page)
            assert "Not saved" in page.error[0].value
        page = press(page)
        assert not page.error
    page = pick(offer(page), CLEAR)
    with monkeypatch.context() as patched:
        patched.setattr(services().store.photos, "replace", busy)
        page.button(key="next_photo:1").click().run()
        assert "Not saved" in page.error[0].value
    page = answered(page.button(key="next_photo:1").click().run())
    assert exposure_of(page).photo == clean_photo(CLEAR).sha256


def test_a_failed_question_after_i_cannot_tell_still_offers_another_photo() -> None:
    page = unclear()
    store, participant = services().store, state_of(page).participant
    (first,) = exposure_of(page).jobs
    request = replace(request_from_json(first.request), key="k2", question="Why?")
    store.jobs.start("k2", participant, 1, request_to_json(request), "Why?")
    store.jobs.fail("k2", "The models ran out of memory.")
    page.run()
    assert labels(page) == ["Try again", "Choose another photo", "Rate"]
    page = send(offer(page), CLEAR)
    assert exposure_of(page).answered


def test_the_page_is_there_while_the_models_start(monkeypatch: pytest.MonkeyPatch) -> None:
    page = offer(unclear())
    monkeypatch.setattr(type(services().models), "now", lambda _: None)
    page.run()
    assert "The assistant is starting" in page.info[0].value
    page.button(key="keep_1").click().run()
    assert title(page) == "Assistant 1"
