"""What could not be stored: the page says so, keeps it, and goes on only when it is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from study_app.services import services
from study_app.study.store import NotSaved
from tests.study_app.participant_app import scripted_app
from tests.study_app.people import walk_to
from tests.study_app.test_pages import state_of, title, token_of, visit


@pytest.fixture(autouse=True)
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with scripted_app(tmp_path, monkeypatch):
        yield


def at(step: str) -> AppTest:
    """The page of ``step``, whose earlier steps are answered."""
    opened = services()
    page = visit()
    walk_to(opened.store, opened.media, state_of(page).participant, step)
    return visit(token_of(page))


def busy_once(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """The first call from now on is not saved, the next ones are."""
    work = getattr(owner, name)

    def busy(*_: object, **__: object) -> None:
        monkeypatch.setattr(owner, name, work)
        raise NotSaved("busy")

    monkeypatch.setattr(owner, name, busy)


def test_a_comment_that_was_not_saved_keeps_its_page_until_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    page = at("comments")
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
    page = at("rating:1")
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
