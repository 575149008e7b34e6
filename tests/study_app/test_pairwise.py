"""Which of two: drawn once, stored with its order, exported, counted."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.report import summarise
from study_app.services import services
from study_app.study.answers import NOT_SAID
from study_app.study.database import Database
from study_app.study.definition import DefinitionError, Study, load_study
from study_app.study.definition_items import Pairwise
from study_app.study.export.variables import read_definitions
from study_app.study.media import MediaStore, folder_of
from study_app.study.migrations import MIGRATIONS, open_database
from study_app.study.roster import in_words
from study_app.study.simulate import simulate
from study_app.study.store import Refused, Store
from tests.study_app.conftest import MOLES, SKINGEN
from tests.study_app.participant_app import scripted_app
from tests.study_app.people import arrive, walk_to
from tests.study_app.test_pages import events, state_of, token_of, visit, visit_at

PAIR = """  - id: realer
    kind: pairwise
    wording: Which one looks more real?
    sides:
      - {value: drawn, picture: drawn.jpg}
      - {value: photograph, picture: photograph.jpg}
    repeated: true
    missing: prefer_not_to_say
"""


@pytest.fixture
def with_pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The fourth study with a pair of pictures after every condition, or with the test's own; they are covered."""
    for name in ("drawn", "photograph"):
        shutil.copy(SKINGEN.parent / "image_relevance" / f"psoriasis_{name}.jpg", tmp_path / f"{name}.jpg")
    file = tmp_path / "pictures.yaml"
    text = MOLES.read_text().replace("eligibility:\n", f"{getattr(request, 'param', PAIR)}eligibility:\n", 1)
    file.write_text(text.replace("seed: 7\n", "seed: 7\nsensitive_images: shield\n"))
    return file


def pair_of(study: Study) -> Pairwise:
    return next(item for item in study.items if isinstance(item, Pairwise))


def test_the_order_is_drawn_once_and_each_comes_first_about_as_often(
    store: Store, media: MediaStore, moles: Study
) -> None:
    item = pair_of(moles)
    orders = []
    for _ in range(24):
        participant = arrive(store, moles)
        assert store.pairs.order(participant, item.id, None) is None
        drawn = store.pairs.draw(moles, participant, item, None, {"calm": "a" * 64})
        assert store.pairs.draw(moles, participant, item, None, {}) == drawn
        assert store.pairs.order(participant, item.id, None) == drawn
        orders.append(drawn)
    counts = Counter(orders)
    assert set(counts) == {("calm", "careful"), ("careful", "calm")}
    assert min(counts.values()) >= 5  # of 24 fair draws fewer come in 0.3 % of all seeds; the seed is fixed
    again = [store.pairs.order(f"P{n:04}", item.id, 1) for n in range(1, 25)]
    assert again == [None] * 24, "each period has a draw of its own"


def test_every_stored_choice_has_its_order_in_the_view(store: Store, media: MediaStore, moles: Study) -> None:
    participant = arrive(store, moles)
    walk_to(store, media, participant, "final_items")
    item = pair_of(moles)
    with pytest.raises(Refused, match="answers are calm, careful"):
        store.save_answer(participant, item.id, "left")
    store.save_answer(participant, item.id, "careful")
    left, right = store.pairs.order(participant, item.id, None) or ("", "")
    place = "left" if left == "careful" else "right"
    with store.database.read() as conn:
        row = conn.execute("SELECT item, period, left_side, right_side, chosen, chosen_place FROM pairs").fetchall()
        kind = conn.execute("SELECT kind FROM answers WHERE item = ?", (item.id,)).fetchone()[0]
    assert [tuple(each) for each in row] == [(item.id, None, left, right, "careful", place)]
    assert kind == "pairwise"
    store.save_answer(participant, item.id, "")
    with store.database.read() as conn:
        assert tuple(conn.execute("SELECT chosen, chosen_place FROM pairs").fetchone()) == (None, None)
    media.withdraw(participant)
    with store.database.read() as conn:
        assert conn.execute("SELECT count(*) FROM pairs").fetchone()[0] == 0


def test_the_codebook_and_the_researcher_read_the_words(store: Store, moles: Study) -> None:
    item = pair_of(moles)
    store.register(moles)
    with store.database.read() as conn:
        (definition,) = read_definitions(conn)
    asked = next(each for each in definition.asked if each.item == item.id)
    assert asked.kind == "choice"
    assert asked.values == (("calm", "Das Mal ist harmlos."), ("careful", "Ein Arzt soll es ansehen."))
    assert "pairs.csv" in asked.note
    assert in_words(moles.in_language("zh"), item.id, "calm") == "这颗痣无害。"


def test_simulated_choices_are_counted_by_the_analysis(memory_folder: Path, moles: Study) -> None:
    db = memory_folder / "pairs.db"
    store = Store.open(db)
    simulate(moles, store, MediaStore(folder_of(db), store), 10, seed=3)
    completed = store.counts(moles, "live").completed
    store.close()
    found = summarise(db, "live").facts["pairs"]
    (item,) = found
    group = found[item]["once"]
    assert group["n"] == completed > 0
    assert sum(group["counts"].values()) == completed
    assert list(group["counts"]) == ["calm", "careful"]


def test_a_database_of_schema_4_has_the_view_afterwards_and_every_row_of_before(db: Path, study: Study) -> None:
    store = Store.open(db)
    participant = arrive(store, study)
    walk_to(store, MediaStore(folder_of(db), store), participant, "rating:1")
    store.close()
    conn = sqlite3.connect(db)
    conn.execute("DROP VIEW pairs")  # as version 4 left it
    conn.execute("PRAGMA user_version = 4")
    rows = conn.execute("SELECT count(*) FROM event").fetchone()[0]
    conn.commit()
    conn.close()
    open_database(Database(db), MIGRATIONS)
    conn = sqlite3.connect(db)
    assert conn.execute("SELECT count(*) FROM event").fetchone()[0] == rows > 0
    assert conn.execute("SELECT count(*) FROM pairs").fetchone()[0] == 0
    conn.close()
    assert db.with_name("study.before-v5.db").exists()


WRONG = [
    ("photograph, picture: photograph.jpg", "drawn, picture: photograph.jpg", "value 'drawn' is used twice"),
    ("photograph, picture: photograph.jpg", "photograph, picture: gone.jpg", "there is no file gone.jpg"),
    ("photograph, picture: photograph.jpg", "photograph, text: A photo", "compares a text with a picture"),
    ("photograph, picture: photograph.jpg", "photograph", "side 'photograph' has neither text nor picture"),
    ("picture: drawn.jpg}", "picture: drawn.jpg, text: Drawn}", "side 'drawn' has a text and a picture"),
    ("      - {value: photograph, picture: photograph.jpg}\n", "", "sides"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_a_pair_that_is_none_is_told(with_pictures: Path, old: str, new: str, message: str) -> None:
    assert load_study(with_pictures)
    text = with_pictures.read_text()
    assert old in text
    with_pictures.write_text(text.replace(old, new))
    with pytest.raises(DefinitionError) as told:
        load_study(with_pictures)
    assert message in str(told.value)


@pytest.fixture
def door(tmp_path: Path, with_pictures: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with scripted_app(tmp_path, monkeypatch, with_pictures):
        yield


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("with_pictures", [PAIR + PAIR.replace("realer", "nicer")], indirect=True)
def test_pictures_of_two_pairs_on_a_page_have_names_of_their_own() -> None:
    page = visit_at("rating:1")
    shows = [button.label for button in page.button if button.key and button.key.startswith("uncover_pair_")]
    sides = ("left", "right")
    assert shows == [f"Show picture: Picture on the {side}, question {n}" for n in (6, 7) for side in sides]


@pytest.mark.usefixtures("door")
def test_two_pictures_are_covered_chosen_by_their_place_and_stay_in_it() -> None:
    page = visit_at("rating:1")
    assert len(page.get("image")) == 0
    shows = [button for button in page.button if button.key and button.key.startswith("uncover_pair_")]
    assert len(shows) == 2
    (drawn,) = events(page, "sides_drawn")
    _, right = drawn["drawn"]
    group = page.button_group(key="item_realer_1")
    assert list(group.options) == ["Left", "Right"]
    page.toggle(key="show_all_pictures").set_value(True).run()
    assert len(page.get("image")) == 2
    page.button_group(key="item_realer_1").set_value(right).run()
    assert state_of(page).answers["realer", 1] == right
    page = visit(token_of(page))
    assert page.button_group(key="item_realer_1").value == right
    page.button_group(key="item_realer_1_not_said").set_value(NOT_SAID).run()
    assert state_of(page).answers["realer", 1] == NOT_SAID
    assert events(page, "sides_drawn") == [drawn]
    shown = {services().media.read(state_of(page).participant, sha256) for sha256 in drawn["pictures"].values()}
    assert len(shown) == 2, "what was shown is kept"
