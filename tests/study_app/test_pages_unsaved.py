"""What could not be stored: the page says so, keeps it, and goes on only when it is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from study_app.participant import tab
from study_app.services import services
from study_app.study.store import NotSaved
from tests.study_app.conftest import SKINGEN
from tests.study_app.participant_app import scripted_app
from tests.study_app.people import walk_to
from tests.study_app.test_pages import state_of, title, token_of, visit, visit_at


@pytest.fixture(autouse=True)
def door(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The SkinGEN study, or the one that is the test's parameter."""
    with scripted_app(tmp_path, monkeypatch, getattr(request, "param", None)):
        yield


def busy_once(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """The first call from now on is not saved, the next ones are."""
    work = getattr(owner, name)

    def busy(*_: object, **__: object) -> None:
        monkeypatch.setattr(owner, name, work)
        raise NotSaved("busy")

    monkeypatch.setattr(owner, name, busy)


def test_a_comment_that_was_not_saved_keeps_its_page_until_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    page = visit_at("comments")
    busy_once(monkeypatch, services().store, "save_answer")
    page.text_area(key="comments").input("It was clear.")
    page.button(key="next_comments").click().run()
    assert {error.value for error in page.error} == {
        "Not saved. The study's storage did not answer. Wait a moment, then try again."
    }
    assert "comments" not in state_of(page).steps_done
    assert page.text_area(key="comments").value == "It was clear."
    page.button(key="next_comments").click().run()
    assert state_of(page).answers["comments", None] == "It was clear."
    assert state_of(page).status == "completed"


def test_a_changed_rating_that_was_not_saved_keeps_its_page_until_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    page = visit_at("rating:1")
    for item in ("trust", "ease", "effort"):
        page.button_group(key=f"item_{item}_1").set_value(4).run()
    busy_once(monkeypatch, services().store, "save_answer")
    page.button_group(key="item_ease_1").set_value(2)
    page.button(key="next_rating:1").click().run()
    assert page.error
    assert "rating:1" not in state_of(page).steps_done
    assert state_of(page).answers["ease", 1] == 4
    page.button(key="next_rating:1").click().run()
    assert "rating:1" in state_of(page).steps_done
    assert state_of(page).answers["ease", 1] == 2
    assert title(page) == "A photo for Assistant 2"


@pytest.fixture
def tabs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Both tabs are open; the list's only entry says which one the next run is in."""
    here = ["first"]
    monkeypatch.setattr(tab, "this_tab", lambda: here[0])
    monkeypatch.setattr(tab, "is_open", {"first", "second"}.__contains__)
    return here


def test_a_tab_that_stores_nothing_shows_what_was_typed_there_to_be_copied(tabs: list[str]) -> None:
    page = visit_at("comments")
    page.text_area(key="comments").input("Stored here.").run()
    tabs[0] = "second"
    other = visit(token_of(page)).button(key="go_on_here").click().run()
    assert other.text_area(key="comments").value == "Stored here."
    assert not other.code
    tabs[0] = "first"
    assert not page.run().code, "what is stored is not to be copied"
    services().store.tabs.take(state_of(page).participant, "first")
    page.run()
    services().store.tabs.take(state_of(page).participant, "second")
    page.text_area(key="comments").input("And this <b>came</b> later.")
    page.button(key="next_comments").click().run()
    assert title(page) == "The study is open in another tab"
    assert any("what was entered here after that is not" in text.value for text in page.markdown)
    for _ in range(2):  # it stays until the study goes on here
        assert [code.value for code in page.code] == ["And this <b>came</b> later."]
        page.run()
    assert state_of(page).answers["comments", None] == "Stored here."
    page.button(key="go_on_here").click().run()
    assert page.text_area(key="comments").value == "Stored here."
    assert not page.code


def test_what_was_typed_after_the_end_in_another_tab_is_shown_to_be_copied(tabs: list[str]) -> None:
    page = visit_at("comments")
    services().store.finish_step(state_of(page).participant, "comments")
    page.text_area(key="comments").input("Too late.")
    page.button(key="next_comments").click().run()
    assert title(page) == "Thank you"
    assert "Too late." in [code.value for code in page.code]


def test_a_question_sent_from_a_tab_that_stores_nothing_is_shown_to_be_copied(tabs: list[str]) -> None:
    page = visit_at("conversation:1")
    assert services().runner.wait(state_of(page).exposures[1].jobs[0].key, 60)
    page.run()
    services().store.tabs.take(state_of(page).participant, "second")
    page.chat_input[0].set_value("Is it catching?").run()
    assert [code.value for code in page.code] == ["Is it catching?"]
    assert len(state_of(page).exposures[1].jobs) == 1


def tried_again(page: AppTest) -> AppTest:
    """The page that could not begin, and what its only button leads to."""
    assert title(page)
    assert len(page.error) == 1
    assert page.error[0].value.endswith("then try again.")
    assert [button.label for button in page.button] == ["Try again"]
    assert any("your number: P0001" in element.proto.body for element in page.get("html"))
    return page.button(key="try_again").click().run()


def test_a_first_question_that_was_not_saved_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    page = visit()
    opened = services()
    walk_to(opened.store, opened.media, state_of(page).participant, "conversation:1")
    busy_once(monkeypatch, opened.store.jobs, "start")
    page = visit(token_of(page))
    assert title(page) == "Assistant 1"
    assert state_of(page).exposures[1].jobs == ()
    page = tried_again(page)
    (job,) = state_of(page).exposures[1].jobs
    assert opened.runner.wait(job.key, 60)
    assert not page.run().error
    assert len(state_of(page).exposures[1].jobs) == 1


@pytest.mark.parametrize("door", [SKINGEN.with_name("image_relevance.yaml")], indirect=True)
def test_an_assigned_photo_that_was_not_saved_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    page = visit()
    opened = services()
    walk_to(opened.store, opened.media, state_of(page).participant, "photo:1")
    busy_once(monkeypatch, opened.store, "start_exposure")
    page = tried_again(visit(token_of(page)))
    assert not page.error
    assert list(state_of(page).exposures) == [1]
    assert any(button.key == "next_rating:1" for button in page.button)


def test_a_code_that_cannot_be_told_yet_can_be_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    page = visit_at("finished")
    busy_once(monkeypatch, services().store, "complete")
    page = tried_again(page.run())
    assert page.code[0].value == "SKINGEN-DONE"
