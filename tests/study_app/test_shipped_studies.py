"""Every study that ships, and a study of reliance, on their pages: from the first to the completion code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from study_app.services import services
from study_app.study import flow
from study_app.study.definition import Likert, load_study
from study_app.study.definition_items import Multiple, Number, Single, YesNo
from study_app.study.store import Refused
from study_app.study.visit import current
from tests.study_app.conftest import ADVICE
from tests.study_app.participant_app import scripted_app
from tests.study_app.people import walk_to
from tests.study_app.test_pages import PATIENCE_S, state_of, title, token_of, visit

QUESTIONNAIRES = Path(__file__).resolve().parents[2] / "questionnaires"
CLINICAL, RELEVANCE = QUESTIONNAIRES / "skingpt4_clinical.yaml", QUESTIONNAIRES / "image_relevance.yaml"


@pytest.fixture
def door(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The app with the study of the test's parameter, and scripted models behind the real door."""
    with scripted_app(tmp_path, monkeypatch, study=request.param):
        yield


def at(step: str) -> AppTest:
    """A participant whom the store brought to ``step``."""
    opened = services()
    state = opened.store.participant_by_token(token := opened.store.arrive(opened.study, "pilot"))
    assert state is not None
    walk_to(opened.store, opened.media, state.participant, step)
    return visit(token)


def answer(page: AppTest) -> AppTest:
    """Give every answer of the page that is open, on the page, and go on."""
    now = current(services().store, state_of(page).participant)
    period = getattr(now.step, "period", 0)
    lead = "question" if isinstance(now.step, flow.Demographics) else "item"
    for item in flow.asked(now.study, now.step):
        key = f"item_{item.id}_{period}" if lead == "item" else f"question_{item.id}"
        match item:
            case Likert():
                page.button_group(key=key).set_value(now.study.scale_of(item).maximum).run()
            case Single():
                page.button_group(key=key).set_value(item.options[0].value).run()
            case Multiple():
                page.button_group(key=key).set_value([item.options[0].value]).run()
            case YesNo():
                page.button_group(key=key).set_value("yes").run()
            case Number():
                page.number_input(key=key).set_value(int(item.minimum)).run()
            case _:
                assert item.missing == "may_skip"
    return page.button(key=f"next_{now.step.key}").click().run()


def talked(page: AppTest, period: int) -> AppTest:
    """The page after everything that the study asks is answered; nobody types anything."""
    prompts = list(services().study.conversation.prompts)
    asked: list[str] = []
    while asked != prompts:
        page = visit(token_of(page))
        jobs = state_of(page).exposures[period].jobs
        asked = [json.loads(job.request)["question"] for job in jobs]
        assert asked == prompts[: len(asked)]
        assert services().runner.wait(jobs[-1].key, PATIENCE_S)
    return visit(token_of(page))


def begun() -> AppTest:
    page = visit()
    for box in page.checkbox:
        box.check()
    return page.button(key="agree").click().run()


@pytest.mark.parametrize("door", [CLINICAL], indirect=True)
@pytest.mark.usefixtures("door")
def test_the_clinical_study_is_walked_from_consent_to_code() -> None:
    page = answer(begun())
    page = talked(page, 1)
    assert not page.chat_input  # nothing is asked but the paper's four questions
    page = answer(page.button(key="rate").click().run())
    assert list(state_of(page).exposures) == [1, 2]  # the second case has begun by itself
    opened, participant = services(), state_of(page).participant
    asked = state_of(page).exposures[2].jobs  # perhaps the page has asked the first question already
    assert not asked or opened.runner.wait(asked[-1].key, PATIENCE_S)
    walk_to(opened.store, opened.media, participant, "comments")
    page = visit(token_of(page)).button(key="next_comments").click().run()
    assert title(page) == "Thank you"
    assert [code.value for code in page.code] == ["CLINICAL-DONE"]
    with opened.store.database.read() as conn:
        times = conn.execute("SELECT question, response_s FROM replies WHERE period = 1 ORDER BY asked_at").fetchall()
        photos = [row[0] for row in conn.execute("SELECT photo FROM exposures ORDER BY period")]
    assert [row["question"] for row in times] == list(opened.study.conversation.prompts)
    assert all(row["response_s"] >= 0 for row in times)
    assert all(opened.media.read(participant, photo).startswith(b"\x89PNG") for photo in photos)
    assert photos[0] != photos[1]


@pytest.mark.parametrize("door", [RELEVANCE], indirect=True)
@pytest.mark.usefixtures("door")
def test_pictures_are_rated_beside_their_reference_without_a_conversation() -> None:
    page = answer(begun())
    for _ in range(services().study.periods):
        assert title(page) == "Look at the pictures"
        if not page.get("image"):  # covered until asked for; the switch holds for the cases that follow
            page.toggle(key="show_all_pictures").set_value(True).run()
        assert len(page.get("image")) == 2
        assert not page.chat_input
        page = answer(page)
    page = page.button(key="next_comments").click().run()
    assert [code.value for code in page.code] == ["RELEVANCE-DONE"]
    opened, participant = services(), state_of(page).participant
    with opened.store.database.read() as conn:
        shown = [json.loads(row[0]) for row in conn.execute("SELECT data FROM event WHERE kind = 'picture_shown'")]
    assert [each["period"] for each in shown] == list(range(1, opened.study.periods + 1))
    assert [each["case"] for each in shown] == list(state_of(page).cases)
    assert all(opened.media.read(participant, each["picture"]) for each in shown)


@pytest.mark.parametrize("door", [ADVICE], indirect=True)
@pytest.mark.usefixtures("door")
def test_a_decision_stands_before_and_after_the_advice() -> None:
    page = begun()
    assert title(page) == "Your decision"
    page.button_group(key="item_judgement_first_1").set_value("cancer").run()
    page.button(key="next_first_decision:1").click().run()
    assert "Question 2 has no answer yet" in page.warning[0].value
    assert not state_of(page).exposures[1].jobs  # nothing was asked yet
    page = answer_given(page, "item_judgement_first_confidence_1", 4)
    page = talked(page.button(key="next_first_decision:1").click().run(), 1)
    opened, participant = services(), state_of(page).participant
    with pytest.raises(Refused, match="before the conversation"):
        opened.store.save_answer(participant, "judgement_first", "harmless", 1)
    page = page.button(key="rate").click().run()
    assert title(page) == "Your final decision"
    assert any("**A cancer**" in each.value for each in page.markdown)
    page.button_group(key="item_judgement_final_1").set_value("harmless").run()
    page = answer_given(page, "item_judgement_final_confidence_1", 2)
    page = answer(page.button(key="next_final_decision:1").click().run())
    case = opened.study.photo.case(state_of(page).cases[0])
    with opened.store.database.read() as conn:
        found = dict(conn.execute("SELECT * FROM decisions WHERE period = 1").fetchone())
    assert opened.study.reliance is not None
    expected = {
        "assigned_case": case.id,
        "initial": "cancer",
        "initial_confidence": 4,
        "advice": "harmless",  # the scripted models say psoriasis, which the study counts as harmless
        "final": "harmless",
        "final_confidence": 2,
        "truth": opened.study.reliance.option_of(case.truth),
    }
    assert {key: found[key] for key in expected} == expected


def answer_given(page: AppTest, key: str, value: int) -> AppTest:
    return page.button_group(key=key).set_value(value).run()


@pytest.mark.parametrize("file", sorted(QUESTIONNAIRES.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_truth_of_a_case_is_what_its_drawn_photo_shows(file: Path) -> None:
    """The photos that ship are drawn: the gallery's own list says what each shows."""
    study = load_study(file)
    for case in study.photo.cases:
        photo = file.parent / case.file
        listing = photo.parent / "gallery.json"
        entries = json.loads(listing.read_text()) if listing.is_file() else []
        shows = {entry["file"]: entry["label"] for entry in entries}
        assert shows.get(photo.name, case.truth) == case.truth
