"""Sensitive pictures stay covered until they are asked for, and nothing of them is on the page before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pipeline.types import DIAGNOSIS_PROMPT, ExplainRequest, request_to_json
from study_app.services import services
from study_app.study.definition import Study, load_study
from study_app.study.media import MediaStore
from study_app.study.shield import Open
from study_app.study.store import Refused, Store
from tests.scripted import TOKEN, ScriptedProfile, scripted_server, small_png
from tests.study_app.conftest import MOLES, SKINGEN
from tests.study_app.people import MANIFEST, arrive, png, walk_to
from tests.study_app.test_pages import PATIENCE_S, choosing_a_photo, events, state_of, title, token_of, visit, visit_at

RELEVANCE = SKINGEN.with_name("image_relevance.yaml")
ADVICE = MOLES.with_name("advice.yaml")


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The app's environment, with the gallery of the embedded models; the study is named by the test."""
    with scripted_server(tmp_path / "pictures", profile=ScriptedProfile(name="phantom")) as server:
        monkeypatch.setenv("SKINGEN_DB", str(tmp_path / "study.db"))
        monkeypatch.setenv("SKINGEN_PIPELINE_URL", server.url)
        monkeypatch.setenv("SKINGEN_PIPELINE_TOKEN", TOKEN)
        st.cache_resource.clear()
        yield monkeypatch
        services().runner.stop()
        st.cache_resource.clear()


def images(page: AppTest) -> int:
    return len(page.get("image"))


def covers(page: AppTest) -> list[str]:
    """Keys of the buttons that show a picture, without its hash."""
    return [key.rpartition("_")[0] for key in keys(page)]


def keys(page: AppTest) -> list[str]:
    return [button.key for button in page.button if button.key and button.key.startswith("uncover_")]


def tell_their_pictures_apart(page: AppTest) -> bool:
    """Whether no two buttons that show different pictures have the same words."""
    pictures: dict[str, set[str]] = {}
    for button in page.button:
        if button.key and button.key.startswith("uncover_"):
            pictures.setdefault(button.label, set()).add(button.key.rpartition("_")[2])
    return bool(pictures) and all(len(found) == 1 for found in pictures.values())


def test_a_definition_without_the_field_keeps_its_hash_and_shows_its_pictures(moles: Study) -> None:
    assert moles.sensitive_images == "show"
    assert "sensitive_images" not in moles.canonical()
    assert replace(moles, sensitive_images="show").hash == moles.hash
    covering = replace(moles, sensitive_images="shield")
    assert covering.hash != moles.hash
    assert Study.from_canonical(covering.canonical()).sensitive_images == "shield"


@pytest.mark.parametrize("name", ["skingen", "skingpt4_clinical", "image_relevance"])
def test_the_studies_that_ship_cover_their_pictures(name: str) -> None:
    assert load_study(SKINGEN.with_name(f"{name}.yaml")).sensitive_images == "shield"


def test_what_was_asked_for_is_in_the_log_once(store: Store, media: MediaStore, moles: Study) -> None:
    one, other = arrive(store, moles), arrive(store, moles)
    shield = store.shield
    assert shield.open_to(one) == Open(False, frozenset())
    for _ in range(2):
        shield.uncover(one, "a" * 64, "rating:1")
        shield.own(one, "b" * 64)
        shield.show_all(one, True, "rating:1")
    assert shield.open_to(one) == Open(True, frozenset({"a" * 64, "b" * 64}))
    assert shield.open_to(one).shows("c" * 64)
    shield.show_all(one, False, "rating:2")
    assert [shield.open_to(one).shows(letter * 64) for letter in "abc"] == [True, True, False]
    assert shield.open_to(other) == Open(False, frozenset())
    with store.database.read() as conn:
        kinds = [row[0] for row in conn.execute("SELECT kind FROM event WHERE participant = ? ORDER BY id", (one,))]
    assert kinds[-4:] == ["picture_uncovered", "own_photo", "all_pictures", "all_pictures"]


def test_after_a_withdrawal_nothing_is_left_and_nothing_added(store: Store, media: MediaStore, moles: Study) -> None:
    participant = arrive(store, moles)
    store.shield.uncover(participant, "a" * 64, "rating:1")
    media.withdraw(participant)
    assert store.shield.open_to(participant) == Open(False, frozenset())
    with pytest.raises(Refused):
        store.shield.uncover(participant, "a" * 64, "rating:1")


def talking_about_an_offered_photo() -> AppTest:
    """The drawing assistant has answered about a photo that the participant did not bring."""
    page = choosing_a_photo()
    while state_of(page).sequence[0] != "generated":
        page = choosing_a_photo()
    opened, participant = services(), state_of(page).participant
    opened.store.start_exposure(participant, 1, opened.media.keep(participant, small_png()), None)
    page = visit(token_of(page))
    assert opened.runner.wait(state_of(page).exposures[1].jobs[0].key, PATIENCE_S)
    return visit(token_of(page))


def test_pictures_of_a_conversation_are_shown_one_by_one_and_stay_shown(at: pytest.MonkeyPatch) -> None:
    page = talking_about_an_offered_photo()
    assert title(page) == "Assistant 1"
    assert images(page) == 0
    places = ["uncover_card_1", "uncover_beside_1_1", "uncover_one_1_1", "uncover_all_1_1_0", "uncover_all_1_1_1"]
    assert covers(page) == places
    assert tell_their_pictures_apart(page)
    assert page.button(key=keys(page)[0]).label == "Show picture: Your photo"
    page.button(key=keys(page)[0]).click().run()
    assert images(page) == 2  # the photo's card, and the same photo beside the drawn ones
    assert covers(page) == places[2:]
    page.toggle(key="outline_1").set_value(True).run()
    assert images(page) == 2, "the outlined photo is the same photo"
    page = visit(token_of(page))
    assert (images(page), covers(page)) == (2, places[2:])
    photo = state_of(page).exposures[1].photo
    assert events(page, "picture_uncovered") == [{"picture": photo, "step": "conversation:1"}]


def test_the_switch_shows_all_and_holds_after_a_refresh(at: pytest.MonkeyPatch) -> None:
    page = talking_about_an_offered_photo()
    page.toggle(key="show_all_pictures").set_value(True).run()
    assert (images(page), covers(page)) == (5, [])
    page = visit(token_of(page))
    assert page.toggle(key="show_all_pictures").value
    assert (images(page), covers(page)) == (5, [])
    page.toggle(key="show_all_pictures").set_value(False).run()
    assert images(page) == 0
    assert [event["shown"] for event in events(page, "all_pictures")] == [True, False]


def test_offered_photos_are_covered_until_asked_for_also_when_one_was_chosen(at: pytest.MonkeyPatch) -> None:
    page = choosing_a_photo()
    offered = [key for key in keys(page) if key.startswith("uncover_offered_")]
    assert len(offered) == len(set(offered)) > 10
    assert tell_their_pictures_apart(page)
    assert images(page) == 0
    page.button(key=offered[2]).click().run()
    assert images(page) == 1
    page.button(key="offer_1_3").click().run()
    assert (images(page), covers(page)) == (1, [])
    page.button(key="another_1").click().run()
    page.button(key="offer_1_4").click().run()
    assert (images(page), covers(page)) == (0, ["uncover_chosen"])
    page.button(key="next_photo:1").click().run()
    assert events(page, "own_photo") == []
    assert len(events(page, "picture_uncovered")) == 1


def cannot_tell(participant: str) -> None:
    """The assistant's answer about the photo of the first period as it is now."""
    jobs = services().store.jobs
    photo, key = services().store.state(participant).exposures[1].photo, jobs.next_key(participant, 1)
    jobs.start(key, participant, 1, request_to_json(ExplainRequest(key, "text", photo)), DIAGNOSIS_PROMPT)
    jobs.finish(key, "I cannot tell from this photo.", json.dumps({"label": None}), MANIFEST)


def test_photos_given_back_are_told_apart(at: pytest.MonkeyPatch) -> None:
    opened = services()
    store, media = opened.store, opened.media
    token = store.arrive(opened.study, "pilot")
    state = store.participant_by_token(token)
    assert state is not None
    walk_to(store, media, state.participant, "conversation:1")
    cannot_tell(state.participant)
    for colour in (1, 2):
        photo = store.state(state.participant).exposures[1].photo
        store.photos.want_another(state.participant, 1, photo)
        store.photos.replace(state.participant, 1, photo, media.keep(state.participant, png(colour)), None)
        cannot_tell(state.participant)
    page = visit(token)
    assert covers(page).count("uncover_earlier") == 2
    assert tell_their_pictures_apart(page)


def test_ones_own_photo_is_not_covered(at: pytest.MonkeyPatch) -> None:
    page = choosing_a_photo()
    page.button_group(key="source_1").set_value("upload").run()
    page.file_uploader(key="upload_1").upload("IMG_1.png", small_png(side=120), "image/png").run()
    assert images(page) == 1
    page.button(key="next_photo:1").click().run()
    page = visit(token_of(page))
    assert images(page) == 1
    assert "uncover_card_1" not in covers(page)
    assert [event["picture"] for event in events(page, "own_photo")] == [state_of(page).exposures[1].photo]


def test_pictures_to_be_rated_are_covered(at: pytest.MonkeyPatch) -> None:
    at.setenv("SKINGEN_STUDY", str(RELEVANCE))
    page = brought_to_the_first_case()
    assert (images(page), covers(page)) == (0, ["uncover_case", "uncover_case"])
    assert tell_their_pictures_apart(page)
    page.button(key=keys(page)[1]).click().run()
    assert (images(page), covers(page)) == (1, ["uncover_case"])
    page.button_group(key="item_relevant_1").set_value("relevant").run()
    assert images(page) == 1


def test_a_decision_is_made_about_a_covered_photo_and_other_studies_cover_nothing(
    at: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at.setenv("SKINGEN_STUDY", str(ADVICE))
    page = brought_to_the_first_case()
    assert (images(page), covers(page)) == (1, [])
    assert [toggle for toggle in page.toggle if toggle.key == "show_all_pictures"] == []


def brought_to_the_first_case() -> AppTest:
    """A participant whom the store brought to the photo, and the page on from there."""
    page = visit_at("photo:1")
    assert state_of(page).exposures[1].photo
    return page
