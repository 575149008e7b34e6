"""Every end at which something is kept has the button that erases it, as the information sheets promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from study_app.services import services
from study_app.study import flow
from study_app.study.database import utc_now
from study_app.study.visit import current
from tests.study_app.conftest import MOLES
from tests.study_app.participant_app import scripted_app
from tests.study_app.people import walk_to
from tests.study_app.test_pages import state_of, title, token_of, visit


@pytest.fixture(autouse=True)
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A study with a rule for every end."""
    file = tmp_path / "study.yaml"
    file.write_text(f"{MOLES.read_text()}\nresume_within_hours: 24\n")
    with scripted_app(tmp_path, monkeypatch, file):
        yield


def walk(participant: str, step: str) -> None:
    walk_to(services().store, services().media, participant, step)


def not_eligible(participant: str) -> None:
    walk(participant, "demographics")
    services().store.save_answer(participant, "age", 17)
    services().store.save_answer(participant, "skin", "light")
    services().store.finish_step(participant, "demographics")


def inattentive(participant: str) -> None:
    for period in (1, 2):
        walk(participant, f"rating:{period}")
        services().store.save_answer(participant, "read", 5, period)
    walk(participant, "failed_checks")


def taken_out(participant: str) -> None:
    walk(participant, "rating:1")
    services().store.exclude(participant, "took part in the pilot")


WAYS: dict[type, Callable[[str], None]] = {
    flow.Finished: lambda participant: walk(participant, "finished"),
    flow.ScreenedOut: not_eligible,
    flow.Over: lambda participant: walk(participant, "rating:1"),
    flow.FailedChecks: inattentive,
    flow.Excluded: taken_out,
}


def test_no_end_is_forgotten() -> None:
    assert {*WAYS, flow.Declined, flow.Withdrawn} == set(flow.ENDS)


@pytest.mark.parametrize("end", WAYS, ids=lambda end: end.__name__)
def test_at_the_end_everything_can_be_erased(end: type, monkeypatch: pytest.MonkeyPatch) -> None:
    page = visit()
    opened, participant = services(), state_of(page).participant
    WAYS[end](participant)
    if end is flow.Over:
        monkeypatch.setattr(opened.store.database, "clock", lambda: utc_now() + timedelta(hours=25))
    assert isinstance(current(opened.store, participant).step, end)
    assert state_of(page).answers
    page = visit(token_of(page))
    assert page.button(key="withdraw").disabled
    page.checkbox(key="withdraw_sure").check().run()
    page.button(key="withdraw").click().run()
    assert title(page) == "You have withdrawn"
    assert (state_of(page).status, state_of(page).answers, state_of(page).exposures) == ("withdrawn", {}, {})
    assert not list(opened.media.folder.rglob("*.png"))


def test_where_nothing_is_kept_nothing_is_offered() -> None:
    page = visit()
    page.button(key="decline").click().run()
    assert not page.expander
    services().media.withdraw(state_of(page).participant)
    assert not visit(token_of(page)).expander
