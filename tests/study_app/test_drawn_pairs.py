"""A pair of pictures that the participant was shown in two conditions: first of each, or nothing to choose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from study_app.services import services
from study_app.study.definition import DefinitionError, Study, load_study
from study_app.study.media import MediaStore
from study_app.study.store import Store
from tests.study_app.conftest import ENGLISH
from tests.study_app.participant_app import scripted_app
from tests.study_app.people import MANIFEST, arrive, png, request, walk_to
from tests.study_app.test_pages import events, state_of, visit

PAIR = """  - id: nearer
    kind: pairwise
    wording: Which picture is nearer to what you expected?
    sides: [{value: plain, shown_in: cases}, {value: full, shown_in: generated}]
    missing: may_skip
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two conditions draw pictures; the last of the final items compares them."""
    text = ENGLISH.read_text().replace("explainer: cases", "explainer: generated")
    text = text.replace("final_items_intro:", f"{PAIR}\nfinal_items_intro:", 1)
    made = tmp_path / "drawn.yaml"
    made.write_text(text.replace("sensitive_images: shield", "sensitive_images: show"))
    return made


@pytest.fixture
def drawn(file: Path) -> Study:
    return load_study(file)


def draw(store: Store, media: MediaStore, participant: str, period: int, colours: tuple[int, ...]) -> list[str]:
    """The assistant of ``period`` answers with a picture of each colour; their SHA-256."""
    pictures = [media.keep(participant, png(colour)) for colour in colours]
    key = store.jobs.next_key(participant, period)
    store.jobs.start(key, participant, period, request(store, participant, period), "What is it?")
    images = [{"label": "acne", "image": sha256} for sha256 in pictures]
    store.jobs.append_events(key, [(1, json.dumps({"type": "images_ready", "images": images}))])
    store.jobs.finish(key, "It may be acne.", json.dumps({"label": "acne"}), MANIFEST)
    return pictures


def through(store: Store, media: MediaStore, participant: str, without: str = "") -> dict[str, str]:
    """To the final items; the first picture drawn in each condition that draws, but in ``without``."""
    first = {}
    for period in (1, 2, 3):
        walk_to(store, media, participant, f"conversation:{period}")
        condition = store.state(participant).sequence[period - 1]
        if condition not in ("text", without):
            first[condition], _ = draw(store, media, participant, period, (100 + period, 200 + period))
    walk_to(store, media, participant, "final_items")
    return first


def test_the_first_picture_of_a_condition(store: Store, media: MediaStore, drawn: Study) -> None:
    participant = arrive(store, drawn)
    first = through(store, media, participant)
    assert len(set(first.values())) == 2
    assert {key: store.pairs.first_drawn(participant, key) for key in first} == first
    assert store.pairs.first_drawn(participant, "text") is None
    other = arrive(store, drawn)
    walk_to(store, media, other, "conversation:1")
    assert store.pairs.first_drawn(other, store.state(other).sequence[0]) is None


def test_a_study_of_before_keeps_its_hash(moles: Study) -> None:
    assert "shown_in" not in moles.canonical()


WRONG = [
    (
        "shown_in: cases",
        "shown_in: text",
        "no pictures are drawn in 'text'; conditions with explainer: generated are ca",
    ),
    ("shown_in: cases", "shown_in: nowhere", "no pictures are drawn in 'nowhere'"),
    ("shown_in: cases", "text: The plain one", "compares a text with a picture"),
    ("shown_in: cases", "shown_in: cases, text: The plain one", "has a text and a shown_in; it needs one of them"),
    ("missing: may_skip", "missing: required", "it needs missing: may_skip"),
    ("missing: may_skip", "missing: may_skip\n    repeated: true", "it must be among the items, with repeated: false"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_a_pair_that_cannot_be_is_told(file: Path, old: str, new: str, message: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(DefinitionError) as told:
        load_study(file)
    assert message in str(told.value)


@pytest.fixture
def door(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with scripted_app(tmp_path, monkeypatch, file):
        yield


def came() -> tuple[str, str]:
    opened = services()
    token = opened.store.arrive(opened.study, "pilot")
    state = opened.store.participant_by_token(token)
    assert state is not None
    return token, state.participant


@pytest.mark.usefixtures("door")
def test_ones_own_two_pictures_stand_beside_each_other_or_are_passed_over() -> None:
    opened = services()
    token, participant = came()
    first = through(opened.store, opened.media, participant)
    page = visit(token)
    assert len(page.get("image")) == 2
    (shown,) = events(page, "sides_drawn")
    assert shown["pictures"] == {"plain": first["cases"], "full": first["generated"]}
    page.button_group(key="item_nearer_0").set_value("full").run()
    assert state_of(page).answers["nearer", None] == "full"
    with opened.store.database.read() as conn:
        row = conn.execute("SELECT left_side, right_side, chosen FROM pairs").fetchone()
    assert tuple(row) == (*shown["drawn"], "full")

    token, participant = came()
    through(opened.store, opened.media, participant, without="generated")
    page = visit(token)
    assert not page.get("image")
    assert any("was not drawn for you" in each.value for each in page.markdown)
    assert "item_nearer_0" not in {group.key for group in page.button_group}
    for item in opened.study.final_items[:-1]:
        opened.store.save_answer(participant, item.id, 4)
    page = visit(token)
    next(button for button in page.button if button.label == "Continue").click().run()
    assert "final_items" in state_of(page).steps_done, "a pair that could not be shown holds nobody up"
