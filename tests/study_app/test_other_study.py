"""A study with other conditions, items, kinds of items and languages goes the whole way: no code knows the names
that are in the studies that ship."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from analysis.report import summarise
from study_app.__main__ import cli
from study_app.participant.language import best_match
from study_app.services import services
from study_app.study import flow
from study_app.study.allocation import sequences
from study_app.study.answers import NOT_SAID
from study_app.study.definition import Study, load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.scoring import scores
from study_app.study.simulate import simulate
from study_app.study.state import Value
from study_app.study.store import Refused, Store
from study_app.study.visit import current
from tests.study_app.conftest import MOLES
from tests.study_app.participant_app import scripted_app
from tests.study_app.people import arrive, walk_to
from tests.study_app.test_pages import PATIENCE_S, state_of, title, token_of, visit, visit_at

ROOT = Path(__file__).resolve().parents[2]


def test_a_participant_goes_from_consent_to_the_code(store: Store, media: MediaStore, moles: Study) -> None:
    participant = arrive(store, moles)
    walk_to(store, media, participant, "finished", rating=6)
    state = store.state(participant)
    assert state.sequence in sequences(moles) == (("plain", "drawn"), ("drawn", "plain"))
    assert store.complete(participant) == "FERTIG"
    asked = {(item.id, None) for item in (*moles.demographics, *moles.final_items)}
    asked |= {(item.id, period) for item in moles.repeated_items for period in (1, 2)}
    assert set(state.answers) == asked
    assert {each.value for each in scores(moles, state.answers)} == {4.0}  # (6 + (8 - 6)) / 2


def test_the_views_hold_every_answer_and_the_ratings_those_on_a_scale_or_a_slider(
    store: Store, media: MediaStore, moles: Study
) -> None:
    participant = arrive(store, moles)
    walk_to(store, media, participant, "comments")
    store.save_answer(participant, "remarks", "Nein.")
    with store.database.read() as conn:
        kinds = dict(conn.execute("SELECT kind, count(*) FROM answers GROUP BY 1").fetchall())
        ratings = conn.execute("SELECT item, count(*) FROM ratings GROUP BY 1 ORDER BY 1").fetchall()
        items = conn.execute("SELECT item, wording, scale_min, scale_max, repeated, kind FROM items").fetchall()
        made = conn.execute('SELECT score, method, items, reverse, "add", times, repeated FROM scores').fetchall()
        wordings = dict(conn.execute("SELECT item, wording FROM questions").fetchall())
        comments = conn.execute("SELECT comment FROM comments").fetchone()
    once = {"number": 2, "single": 1, "multiple": 1, "short_text": 1, "long_text": 1, "ranking": 1, "pairwise": 1}
    assert kinds == {**once, "likert": 6, "slider": 2, "yes_no": 2}
    assert [tuple(row) for row in ratings] == [("clear", 2), ("muddled", 2), ("sure", 2)]
    assert [tuple(row) for row in items] == [
        ("clear", "Das war klar.", 1, 7, 1, "likert"),
        ("muddled", "Das war verworren.", 1, 7, 1, "likert"),
        ("sure", "Wie sicher sind Sie?", 0, 100, 1, "slider"),
    ]
    assert [tuple(row) for row in made] == [("clarity", "mean", '["clear","muddled"]', '["muddled"]', 0, 1, 1)]
    assert wordings["heard"] == "Wovon haben Sie gehört?"
    assert tuple(comments) == ("Nein.",)


def test_an_answer_taken_back_is_in_no_view_and_stays_in_the_log(store: Store, media: MediaStore, moles: Study) -> None:
    participant = arrive(store, moles)
    walk_to(store, media, participant, "rating:1")
    store.save_answer(participant, "muddled", 3, 1)
    store.save_answer(participant, "muddled", "", 1)
    with store.database.read() as conn:
        assert conn.execute("SELECT count(*) FROM ratings").fetchone()[0] == 0
        assert conn.execute("SELECT count(*) FROM answers WHERE item = 'muddled'").fetchone()[0] == 0
        log = [row[0] for row in conn.execute("SELECT value FROM answer WHERE item = 'muddled' ORDER BY id")]
    assert log == [3, ""]


@pytest.mark.parametrize(("age", "status", "reason"), [(17, "screened_out", "not eligible: age"), (18, "active", None)])
def test_who_is_not_eligible_is_told_before_a_sequence_is_drawn(
    store: Store, media: MediaStore, moles: Study, age: int, status: str, reason: str | None
) -> None:
    participant = arrive(store, moles)
    walk_to(store, media, participant, "demographics")
    store.save_answer(participant, "age", age)
    store.save_answer(participant, "skin", "light")
    store.finish_step(participant, "demographics")
    state = current(store, participant).state
    assert (state.status, state.exclusion_reason) == (status, reason)
    assert bool(state.sequence) == (status == "active")
    counts = store.counts(moles, "live")
    assert (counts.not_eligible, counts.declined) == (int(status == "screened_out"), 0)
    if status == "screened_out":
        assert store.complete(participant) == "PASST-NICHT"
        with pytest.raises(Refused):
            store.save_answer(participant, "age", 40)


@pytest.mark.parametrize(
    ("picks", "status", "code"), [((2, 3), "completed", "FERTIG"), ((3, 3), "excluded", "NICHT-GELESEN")]
)
def test_failed_attention_checks_exclude_by_the_rule_when_all_is_answered(
    store: Store, media: MediaStore, moles: Study, picks: tuple[int, int], status: str, code: str
) -> None:
    participant = arrive(store, moles)
    for period, pick in enumerate(picks, 1):
        walk_to(store, media, participant, f"rating:{period}")
        store.save_answer(participant, "read", pick, period)
    walk_to(store, media, participant, "finished" if status == "completed" else "failed_checks")
    assert store.complete(participant) == store.complete(participant) == code
    assert store.state(participant).status == status
    with store.database.read() as conn:
        assert conn.execute("SELECT count(*) FROM ratings WHERE item = 'read'").fetchone()[0] == 0
        assert conn.execute("SELECT count(*) FROM answers WHERE item = 'read'").fetchone()[0] == 2
        kinds = [row[0] for row in conn.execute("SELECT kind FROM event WHERE kind IN ('completed', 'excluded')")]
    assert kinds == [status]


def test_who_was_excluded_by_a_researcher_has_no_code(store: Store, media: MediaStore, moles: Study) -> None:
    participant = arrive(store, moles)
    walk_to(store, media, participant, "photo:1")
    store.exclude(participant, "took part twice")
    assert current(store, participant).step == flow.Excluded()
    with pytest.raises(Refused, match="no completion code"):
        store.complete(participant)


def test_simulated_participants_answer_every_kind_and_the_analysis_reads_the_rest(
    memory_folder: Path, moles: Study
) -> None:
    db = memory_folder / "moles.db"
    store = Store.open(db)
    simulate(moles, store, MediaStore(folder_of(db), store), 12, seed=3)
    counts = store.counts(moles, "live")
    store.close()
    assert counts.not_eligible > 0  # some drew an age below 18
    assert counts.completed + counts.not_eligible == 12
    done = [completed for completed, _ in counts.per_sequence.values()]
    assert max(done) - min(done) <= 1
    summary = summarise(db, "live")
    assert [item.key for item in summary.data.repeated_items] == ["clear", "muddled", "sure", "clarity"]
    assert [found.item for found in summary.comparisons] == ["sure", "clarity"]
    assert [condition.label for condition in summary.data.conditions] == ["Nur Worte", "Mit Bildern"]
    assert summary.data.n == counts.completed


def test_between_subjects_each_meets_one_condition(memory_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "between.yaml"
    text = MOLES.read_text().replace("kind: within\n  sequences: latin_square", "kind: between")
    text = text.replace("failed_attention_checks: 2", "failed_attention_checks: 1")
    file.write_text(text.replace('{de: "{drawn} malte Bilder.", zh: "{drawn}画了图。"}', "Am Ende."))
    between = load_study(file)
    db = memory_folder / "between.db"
    store = Store.open(db)
    simulate(between, store, MediaStore(folder_of(db), store), 9, seed=5)
    counts = store.counts(between, "live")
    done = [completed for completed, _ in counts.per_sequence.values()]
    assert max(done) - min(done) <= 1
    assert flow.progress(between, store.state("P0001"), flow.Finished()) == (7, 7)
    store.close()
    conn = sqlite3.connect(db)
    per_person = conn.execute("SELECT count(DISTINCT condition) FROM exposures GROUP BY participant").fetchall()
    conn.close()
    assert per_person == [(1,)] * counts.completed
    assert summarise(db, "live").data.n == counts.completed >= 6


def test_check_says_how_the_study_is_designed_and_what_the_app_says_in_english() -> None:
    result = CliRunner().invoke(cli, ["check", str(MOLES)])
    assert result.exit_code == 0
    said = (
        "version         2",
        "languages       de, zh",
        "2, latin square",
        "5 per condition, 6 once",
        "are in English",
    )
    assert all(words in result.output for words in said)


def test_no_code_names_what_is_in_a_study() -> None:
    """Ids of items, questions, cases and decisions, as the words between quotes that they would be in code."""
    named: set[str] = set()
    files = [*(ROOT / "questionnaires").glob("*.yaml"), *MOLES.parent.glob("*.yaml")]
    assert len(files) >= 5
    for file in files:
        study = load_study(file)
        named |= {item.id for item in (*study.demographics, *study.items, *study.decisions)}
        named |= {case.id for case in study.photo.cases}
        named |= {option.value for option in study.reliance.options} if study.reliance else set()
    named -= {"word", "useful"}
    code = "\n".join(path.read_text() for path in (ROOT / "study_app").rglob("*.py"))
    code = re.sub(r'""".*?"""', "", code, flags=re.DOTALL)
    assert not {name for name in named if f'"{name}"' in code or f"'{name}'" in code}


@pytest.mark.parametrize(
    ("wanted", "found"), [("zh-TW", "zh"), ("de-AT", "de"), ("DE", "de"), ("fr", "de"), ("", "de"), ("zh", "zh")]
)
def test_the_language_is_the_closest_to_the_browsers(wanted: str, found: str) -> None:
    assert best_match(wanted, ("de", "zh")) == found


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with scripted_app(tmp_path, monkeypatch, MOLES):
        yield


@pytest.mark.usefixtures("door")
def test_the_wording_is_shown_and_stored_in_the_language_chosen() -> None:
    page = visit()
    assert title(page) == "Muttermale erklärt"
    page.button_group(key="language_switch").set_value("zh").run()
    assert title(page) == "痣的说明"
    page.checkbox[0].check()
    page.button(key="agree").click().run()
    page.button_group(key="question_skin").set_value("dark").run()
    tab = AppTest.from_file(str(ROOT / "study_app" / "app.py"), default_timeout=PATIENCE_S)
    tab.query_params["t"], tab.query_params["lang"] = token_of(page), "zh"
    tab.run()
    assert tab.button_group(key="question_skin").label == "您的皮肤是哪种？"
    with services().store.database.read() as conn:
        assert tuple(conn.execute("SELECT item, value, language FROM answers").fetchone()) == ("skin", "dark", "zh")


@pytest.mark.usefixtures("door")
def test_the_page_of_each_outcome_gives_its_code_and_no_other() -> None:
    page = visit_at("demographics")
    page.number_input(key="question_age").set_value(12).run()
    page.button_group(key="question_skin").set_value("dark").run()
    page.button(key="next_demographics").click().run()
    assert title(page) == "This study looks for others"
    assert [code.value for code in page.code] == ["PASST-NICHT"]

    opened, page = services(), visit_at("rating:1")
    participant = state_of(page).participant
    for period in (1, 2):
        walk_to(opened.store, opened.media, participant, f"rating:{period}")
        opened.store.save_answer(participant, "read", 5, period)
    walk_to(opened.store, opened.media, participant, "failed_checks")
    page = visit(token_of(page))
    assert title(page) == "Danke"
    assert [code.value for code in page.code] == ["NICHT-GELESEN"]
    assert title(visit(token_of(visit_at("finished")))) == "Danke"


@pytest.mark.usefixtures("door")
def test_every_kind_of_item_is_answered_on_its_page() -> None:
    page = visit_at("demographics")
    page.number_input(key="question_age").set_value(41).run()
    assert state_of(page).answers == {("age", None): 41}

    page = visit_at("rating:1")
    page.button_group(key="item_clear_1").set_value(7).run()
    page.button_group(key="item_muddled_1").set_value(2).run()
    page.button_group(key="item_muddled_1").set_value(None).run()
    page.button_group(key="item_doctor_1").set_value(NOT_SAID).run()
    page.button(key="next_rating:1").click().run()
    assert page.warning[0].value == "Questions 3 and 5 have no answers yet."
    page.button_group(key="item_read_1").set_value(2).run()
    assert ("sure", 1) not in state_of(page).answers  # it stands in the middle, which is no answer yet
    page.button(key="item_sure_1_middle").click().run()
    assert given(page, 1) == {"clear": 7, "muddled": "", "sure": 50, "doctor": NOT_SAID, "read": 2}
    page.slider(key="item_sure_1").set_value(80).run()
    assert given(page, 1)["sure"] == 80
    page.button(key="next_rating:1").click().run()
    assert title(page) == "A photo for Helfer 2"

    page = visit_at("final_items")
    page.button_group(key="item_heard_0").set_value(["app", "book", "friend"]).run()
    assert page.warning[0].value == "Choose 2 at most."
    page.button_group(key="item_heard_0").set_value(["friend", "app"]).run()
    page.text_input(key="item_word_0").set_value("klar").run()
    page.number_input(key="item_weight_0").set_value(0.25).run()
    page.button_group(key="item_weight_0_not_said").set_value(NOT_SAID).run()
    assert page.number_input(key="item_weight_0").disabled
    assert given(page, None)["weight"] == NOT_SAID
    page.button_group(key="item_weight_0_not_said").set_value(None).run()
    page.text_area(key="item_story_0").set_value("Nichts.").run()
    page.text_area(key="item_story_0").set_value("").run()
    page.selectbox(key="item_order_0_1").select("talk").run()
    page.selectbox(key="item_order_0_2_talk").select("words").run()
    assert "order" not in given(page, None)
    page.selectbox(key="item_order_0_3_talk_words").select("images").run()
    assert given(page, None)["order"] == '["talk", "words", "images"]'
    page.selectbox(key="item_order_0_1").select("images").run()
    assert given(page, None)["order"] == ""  # the places below are to be filled again
    page.selectbox(key="item_order_0_2_images").select("talk").run()
    page.selectbox(key="item_order_0_3_images_talk").select("words").run()
    tab = visit(token_of(page))
    assert tab.selectbox(key="item_order_0_2_images").value == "talk"
    page.button_group(key="item_closer_0").set_value("careful").run()
    found = {
        "closer": "careful",
        "order": '["images", "talk", "words"]',
        "heard": '["app", "friend"]',
        "word": "klar",
        "weight": 0.25,
        "story": "",
    }
    assert {name: value for name, value in given(page, None).items() if name in found} == found
    page.button(key="next_final_items").click().run()
    assert title(page) == "Comments"


def given(page: AppTest, period: int | None) -> dict[str, Value]:
    return {item: value for (item, at_), value in state_of(page).answers.items() if at_ == period}
