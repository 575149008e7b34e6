"""The participant's pages without a browser: what is stored, when, and what a page says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pipeline.photo import MAX_BYTES
from pipeline.types import DIAGNOSIS_PROMPT, ExplainRequest, request_from_json, request_to_json
from study_app.services import services
from study_app.study.state import ParticipantState
from tests.scripted import small_png
from tests.study_app.participant_app import scripted_app
from tests.study_app.people import walk_to

ROOT = Path(__file__).resolve().parents[2]
APP = str(ROOT / "study_app" / "app.py")
PATIENCE_S = 60


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The app's environment: an empty database, and scripted models behind the real door."""
    with scripted_app(tmp_path, monkeypatch):
        yield


def visit(token: str | None = None) -> AppTest:
    """A new tab."""
    page = AppTest.from_file(APP, default_timeout=PATIENCE_S)
    if token is not None:
        page.query_params["t"] = token
    return page.run()


def token_of(page: AppTest) -> str:
    found = page.query_params["t"]
    return found if isinstance(found, str) else found[0]


def state_of(page: AppTest) -> ParticipantState:
    state = services().store.participant_by_token(token_of(page))
    assert state is not None
    return state


def visit_at(step: str) -> AppTest:
    """A new participant, whose steps before ``step`` the store answered."""
    opened = services()
    page = visit()
    walk_to(opened.store, opened.media, state_of(page).participant, step)
    return visit(token_of(page))


def title(page: AppTest) -> str:
    assert not page.exception
    return page.title[0].value


def agreed() -> AppTest:
    page = visit()
    for box in page.checkbox:
        box.check()
    return page.button(key="agree").click().run()


def choosing_a_photo() -> AppTest:
    page = agreed()
    store, participant = services().store, state_of(page).participant
    for item, value in (("gender", "female"), ("medical_background", "no")):
        store.save_answer(participant, item, value)
    store.finish_step(participant, "demographics")
    return visit(token_of(page))


def stopped_drawing() -> tuple[AppTest, str]:
    """A participant who meets the drawing assistant first and stopped it; and the key of that job."""
    store = services().store
    page = choosing_a_photo()
    while state_of(page).sequence[0] != "generated":
        page = choosing_a_photo()
    participant = state_of(page).participant
    photo = services().media.keep(participant, small_png())
    store.start_exposure(participant, 1, photo, None)
    key = store.jobs.next_key(participant, 1)
    request = request_to_json(ExplainRequest(key, "generated", photo))
    store.jobs.start(key, participant, 1, request, DIAGNOSIS_PROMPT)
    assert store.jobs.fail(key, "Cancelled.", cancelled=True)
    return visit(token_of(page)), key


def events(page: AppTest, kind: str) -> list[dict[str, object]]:
    with services().store.database.read() as conn:
        sql = "SELECT data FROM event WHERE participant = ? AND kind = ? ORDER BY id"
        return [json.loads(row[0]) for row in conn.execute(sql, (state_of(page).participant, kind))]


def rating() -> AppTest:
    """A participant who talked with the first assistant and is asked to rate it."""
    page = choosing_a_photo()
    opened, participant = services(), state_of(page).participant
    opened.store.start_exposure(participant, 1, opened.media.keep(participant, small_png()), None)
    page = visit(token_of(page))
    key = state_of(page).exposures[1].jobs[0].key
    assert opened.runner.wait(key, PATIENCE_S)
    opened.store.finish_exposure(participant, 1)
    return visit(token_of(page))


@pytest.mark.usefixtures("door")
def test_the_token_is_in_the_address_before_anything_is_asked() -> None:
    page = visit()
    assert title(page) == services().study.title
    assert state_of(page).participant == "P0001"
    assert state_of(page).consented is None


@pytest.mark.usefixtures("door")
def test_a_known_link_leads_to_the_same_participant_and_an_unknown_one_to_nobody() -> None:
    first = visit()
    again = visit(token_of(first))
    assert state_of(again).participant == "P0001"
    assert title(visit("nobodys")) == "This link is not known"
    assert services().store.counts(services().study, "pilot").arrived == 1


@pytest.mark.usefixtures("door")
def test_nobody_takes_part_without_ticking_every_box() -> None:
    page = visit()
    page.checkbox[0].check()
    page.button(key="agree").click().run()
    assert "tick every box" in page.warning[0].value
    assert state_of(page).consented is None


@pytest.mark.usefixtures("door")
def test_declining_needs_no_box_and_ends_the_visit() -> None:
    page = visit()
    page.button(key="decline").click().run()
    assert title(page) == "You do not take part"
    assert state_of(page).status == "screened_out"
    assert title(visit(token_of(page))) == "You do not take part"


@pytest.mark.usefixtures("door")
def test_a_second_tab_follows_the_answer_given_in_the_first() -> None:
    first = visit()
    second = visit(token_of(first))
    first.button(key="decline").click().run()
    for box in second.checkbox:
        box.check()
    second.button(key="agree").click().run()
    assert title(second) == "You do not take part"
    assert state_of(second).consented is False


@pytest.mark.usefixtures("door")
def test_an_answer_is_stored_at_the_pick_and_is_there_in_a_new_tab() -> None:
    page = agreed()
    page.button_group(key="question_gender").set_value("female").run()
    assert state_of(page).answers == {("gender", None): "female"}
    tab = visit(token_of(page))
    assert tab.button_group(key="question_gender").value == "female"
    assert any("Saved" in mark.value for mark in tab.markdown)


@pytest.mark.usefixtures("door")
def test_the_step_is_not_left_while_an_answer_is_missing() -> None:
    page = agreed()
    page.button_group(key="question_gender").set_value("female").run()
    page.button(key="next_demographics").click().run()
    assert "no answer yet" in page.warning[0].value
    assert title(page) == "About you"


@pytest.mark.usefixtures("door")
def test_a_refused_file_gets_a_plain_message_and_changes_nothing() -> None:
    page = choosing_a_photo()
    page.file_uploader(key="upload_1").upload("holiday.jpg", b"This is a letter.", "image/jpeg").run()
    assert "cannot be opened as a photo" in page.warning[0].value
    page.button(key="next_photo:1").click().run()
    assert page.warning[-1].value == "Choose a photo first."
    assert state_of(page).exposures == {}


@pytest.mark.usefixtures("door")
def test_a_chosen_photo_is_kept_clean_and_the_first_question_asked() -> None:
    page = choosing_a_photo()
    page.file_uploader(key="upload_1").upload("IMG_1.png", small_png(side=120), "image/png").run()
    assert not page.warning
    page.selectbox(key="label_1_en").select("psoriasis")
    page.button(key="next_photo:1").click().run()
    exposure = state_of(page).exposures[1]
    assert services().media.read("P0001", exposure.photo).startswith(b"\x89PNG")
    assert exposure.known_label == "psoriasis"
    assert [turn.text for turn in exposure.turns if turn.role == "participant"] == [DIAGNOSIS_PROMPT]
    assert len(exposure.jobs) == 1
    assert title(page) == "Assistant 1"


@pytest.mark.usefixtures("door")
def test_after_a_stopped_drawing_one_can_go_on_without_pictures_and_that_is_on_record() -> None:
    page, key = stopped_drawing()
    assert page.warning[0].value == "Stopped. What you wrote is saved."
    page.button(key=f"without_{key}").click().run()
    jobs = state_of(page).exposures[1].jobs
    assert [request_from_json(job.request).condition for job in jobs] == ["generated", "text"]
    assert events(page, "fallback_chosen") == [{"period": 1, "job": jobs[1].key, "instead": "text"}]
    assert services().runner.wait(jobs[1].key, PATIENCE_S)
    page.run()
    assert [message.avatar for message in page.chat_message] == [":material/person:", ":material/counter_1:"]
    page.button(key="rate").click().run()
    assert title(page) == "How was Assistant 1?"


@pytest.mark.usefixtures("door")
def test_trying_again_asks_the_same_question_and_shows_it_once() -> None:
    page, key = stopped_drawing()
    page.button(key=f"again_{key}").click().run()
    exposure = state_of(page).exposures[1]
    assert [request_from_json(job.request).condition for job in exposure.jobs] == ["generated"] * 2
    assert services().runner.wait(exposure.jobs[1].key, PATIENCE_S)
    page.run()
    assert [message.avatar for message in page.chat_message] == [":material/person:", ":material/counter_1:"]
    assert page.button_group(key="compare_1_1").value == "Acne"


@pytest.mark.usefixtures("door")
def test_a_link_of_somebody_who_withdrew_says_so() -> None:
    page = agreed()
    services().media.withdraw(state_of(page).participant)
    assert title(visit(token_of(page))) == "You have withdrawn"


@pytest.mark.usefixtures("door")
def test_a_rating_is_stored_once_however_often_the_page_runs_and_a_change_counts() -> None:
    page = rating()
    page.button_group(key="item_trust_1").set_value(4).run()
    page.run()
    page.run()
    assert rows(page, "trust") == [4]
    page.button_group(key="item_trust_1").set_value(2).run()
    assert rows(page, "trust") == [4, 2]
    assert state_of(page).answers[("trust", 1)] == 2


@pytest.mark.usefixtures("door")
def test_a_second_tab_with_an_older_pick_does_not_write_it_again() -> None:
    page = rating()
    page.button_group(key="item_trust_1").set_value(4).run()
    old_tab = visit(token_of(page))
    page.button_group(key="item_trust_1").set_value(2).run()
    old_tab.button_group(key="item_ease_1").set_value(5).run()
    assert rows(page, "trust") == [4, 2]
    assert state_of(page).answers[("ease", 1)] == 5


@pytest.mark.usefixtures("door")
def test_the_missing_statement_is_named() -> None:
    page = rating()
    page.button_group(key="item_trust_1").set_value(4).run()
    page.button_group(key="item_effort_1").set_value(3).run()
    page.button(key="next_rating:1").click().run()
    assert page.warning[0].value == "Statement 2 has no answer yet."


@pytest.mark.usefixtures("door")
def test_an_unexpected_failure_shows_a_reference_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    page = visit()

    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(services().store, "touch", broken)
    page.run()
    assert not page.exception
    assert "Reference: E-" in page.error[0].value
    assert "secret" not in page.error[0].value


@pytest.mark.usefixtures("door")
def test_the_demonstration_is_named_on_the_first_page() -> None:
    assert any("not for a real study" in line.value for line in visit().markdown)


def test_streamlit_is_set_up_for_a_study() -> None:
    """What its defaults would do: telemetry, tracebacks on the page, 200 MB uploads, a garbage collection
    with the GIL held after every rerun."""
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"]["showErrorDetails"] == "none"
    assert settings["server"]["maxUploadSize"] * 1024 * 1024 == MAX_BYTES
    assert settings["runner"]["postScriptGC"] is False


def test_the_app_never_imports_torch() -> None:
    modules = "study_app.participant.page", "study_app.researcher.results", "study_app.researcher.exports"
    code = f"import sys, {', '.join(modules)}; assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ}, timeout=120, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def rows(page: AppTest, item: str) -> list[int]:
    """Every stored row of an item, oldest first."""
    with services().store.database.read() as conn:
        sql = "SELECT value FROM answer WHERE participant = ? AND item = ? ORDER BY id"
        return [row[0] for row in conn.execute(sql, (state_of(page).participant, item))]
