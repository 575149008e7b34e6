"""The Studies page: who is let in, to which run they belong, and a study file looked at without storing anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from study_app import serving
from study_app.researcher.preview import somebody_with, walk
from study_app.services import services
from study_app.study.allocation import sequences
from study_app.study.checked import check_text
from study_app.study.definition import DefinitionError, Study, load_study
from study_app.study.errors import Refused
from study_app.study.running import NotOpen, Running
from study_app.study.state import RunKind
from study_app.study.store import Store
from tests.study_app.conftest import ENGLISH, MOLES, SKINGEN
from tests.study_app.people import arrive
from tests.study_app.researcher_app import APP, PATIENCE_S, account, app_without_models, open_page, words

RELEVANCE = SKINGEN.with_name("image_relevance.yaml")


@pytest.fixture
def app(db: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An app without models on an empty database."""
    with app_without_models(db, monkeypatch):
        yield


def visit(token: str = "") -> AppTest:
    page = AppTest.from_file(APP, default_timeout=PATIENCE_S)
    if token:
        page.query_params["t"] = token
    return page.run()


def dump(store: Store) -> str:
    with store.database.read() as conn:
        return "\n".join(conn.iterdump())


def test_nobody_new_comes_into_a_paused_study_and_its_state_outlives_a_restart(db: Path, study: Study) -> None:
    store = Store.open(db)
    arrive(store, study)
    Running(store.database).set_state(study.id, "paused")
    store.close()
    store = Store.open(db)
    assert Running(store.database).state(study.id) == "paused"
    with pytest.raises(NotOpen, match="paused"):
        arrive(store, study)
    assert store.state("P0001").status == "active"
    store.record_consent("P0001", agreed=True)
    Running(store.database).set_state(study.id, "open")
    assert arrive(store, study) == "P0002"
    with pytest.raises(Refused, match="states are open, paused, closed"):
        Running(store.database).set_state(study.id, "asleep")  # type: ignore[arg-type]
    store.close()


def test_one_study_is_paused_and_not_the_others(store: Store, study: Study, moles: Study) -> None:
    Running(store.database).set_state(study.id, "closed")
    assert arrive(store, moles) == "P0001"


def test_the_run_switched_on_the_page_counts_after_a_restart_too(db: Path, study: Study) -> None:
    store = Store.open(db)
    Running(store.database).set_run_kind(study.id, "live")
    store.close()
    assert run_after_start(db, study, None) == "live"


def run_after_start(db: Path, study: Study, asked: RunKind | None) -> str:
    environment, _ = serving.app_environment(SKINGEN, study, db, asked)
    return environment["SKINGEN_RUN_KIND"]


@pytest.mark.parametrize(("stored", "asked"), [("pilot", "live"), ("live", "pilot")])
def test_a_start_that_contradicts_what_is_set_is_refused(
    db: Path, study: Study, stored: RunKind, asked: RunKind
) -> None:
    store = Store.open(db)
    Running(store.database).set_run_kind(study.id, stored)
    store.close()
    with pytest.raises(Refused, match=f"the {stored} run.* --run-kind says {asked}. Start without --run-kind"):
        serving.app_environment(SKINGEN, study, db, asked)
    assert run_after_start(db, study, stored) == stored
    assert run_after_start(db, study, None) == stored


def test_a_pilot_becomes_live_by_a_start_and_no_later_start_makes_a_pilot_of_it(db: Path, study: Study) -> None:
    starts: tuple[RunKind | None, ...] = (None, "pilot", None, "live", None, "live")
    kinds = [run_after_start(db, study, asked) for asked in starts]
    assert kinds == ["pilot", "pilot", "pilot", "live", "live", "live"]
    with pytest.raises(Refused, match="belong to the live run"):
        serving.app_environment(SKINGEN, study, db, "pilot")


def test_simulated_participants_are_never_live(store: Store, study: Study) -> None:
    store.mark_simulated()
    with pytest.raises(Refused, match="simulated participants"):
        Running(store.database).set_run_kind(study.id, "live")


@pytest.mark.usefixtures("app")
def test_an_owner_pauses_and_newcomers_read_it_while_those_inside_go_on() -> None:
    inside = services().store.arrive(services().study, "pilot")
    page = open_page("studies", account("anna", "owner"))
    page = page.button_group(key="state_open").set_value("paused").run()
    assert "told to come back later" in words(page)
    newcomer = visit()
    assert [title.value for title in newcomer.title] == ["The study is paused"]
    assert [title.value for title in visit(inside).title] == [services().study.title]
    page = page.button_group(key="state_paused").set_value("closed").run()
    assert [title.value for title in newcomer.run().title] == ["The study is over"]
    assert services().store.counts(services().study, "pilot").arrived == 1
    page.button_group(key="state_closed").set_value("open").run()
    assert [title.value for title in newcomer.run().title] == [services().study.title]
    changes = [(e.who, e.detail) for e in services().store.researcher.audit.entries(action="study state changed")]
    assert changes == [("anna", "closed -> open"), ("anna", "paused -> closed"), ("anna", "open -> paused")]


@pytest.mark.usefixtures("app")
def test_newcomers_belong_to_the_run_that_is_set() -> None:
    page = open_page("studies", account("anna", "owner"))
    page = page.button_group(key="kind_pilot").set_value("live").run()
    assert "REPLACE" in words(page), "the placeholders of the study file are named"
    visit()
    assert services().store.state("P0001").run_kind == "live"
    page.button_group(key="kind_live").set_value("pilot").run()
    visit()
    assert [services().store.state(p).run_kind for p in ("P0001", "P0002")] == ["live", "pilot"]


@pytest.mark.usefixtures("app")
def test_a_broken_file_gives_every_mistake_with_its_line_and_stores_nothing() -> None:
    page = open_page("studies", account("anna", "owner"))
    before = dump(services().store)
    broken = SKINGEN.read_text().replace("scale: likert5", "scale: likert6")
    page = page.text_area(key="study_text").set_value(broken).run()
    assert "9 mistakes" in page.error[0].value
    lines = page.code[0].value.splitlines()
    assert len(lines) == 9
    assert all(line.startswith("pasted.yaml:") and "scales are likert5" in line for line in lines)
    assert dump(services().store) == before


@pytest.mark.usefixtures("app")
def test_a_good_file_is_walked_through_and_nothing_is_stored() -> None:
    page = open_page("studies", account("anna", "owner"))
    before = dump(services().store)
    page = page.text_area(key="study_text").set_value(MOLES.read_text()).run()
    assert "No mistakes" in page.success[0].value
    (step,) = [box for box in page.selectbox if box.label == "Step"]
    seen = []
    for name in step.options:
        (step,) = [box for box in page.selectbox if box.label == "Step"]
        page = step.select(name).run()
        assert not page.exception, name
        assert not page.error, name
        seen.append(words(page))
    everything = "\n".join(seen)
    study = check_text("moles.yaml", MOLES.read_bytes()).in_language("en")
    for item in (*study.demographics, *study.items):
        assert item.wording in everything
    assert study.consent.summary.strip() in everything
    assert study.debrief.text.strip() in everything
    assert dump(services().store) == before


@pytest.mark.usefixtures("app")
def test_a_file_whose_pictures_are_not_here_is_walked_through_and_says_so() -> None:
    page = open_page("studies", account("anna", "owner"))
    page = page.text_area(key="study_text").set_value(RELEVANCE.read_text()).run()
    assert "No mistakes" in page.success[0].value
    assert "The pictures of its cases and pairs (12) were not looked for" in words(page)
    (step,) = [box for box in page.selectbox if box.label == "Step"]
    for name in step.options:
        (step,) = [box for box in page.selectbox if box.label == "Step"]
        page = step.select(name).run()
        assert not page.exception, name
        assert not page.error, name


@pytest.mark.parametrize("file", sorted(SKINGEN.parent.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_study_that_ships_passes_as_text_too_and_is_the_same(file: Path) -> None:
    study = check_text(file.name, file.read_bytes())
    assert study == load_study(file)
    assert all((file.parent / name).is_file() for name in study.files)


def test_pictures_of_pairs_are_not_looked_for_in_a_pasted_file() -> None:
    pair = """
items:
  - id: nicer
    kind: pairwise
    wording: Which one is nicer?
    sides: [{value: left_one, picture: a.png}, {value: right_one, picture: b.png}]
    repeated: false
#"""
    study = check_text("mine.yaml", ENGLISH.read_text().replace("\nitems:", pair, 1).encode())
    assert study.files == ("a.png", "b.png")


def test_the_walk_has_every_step_of_the_study(study: Study, moles: Study) -> None:
    for each in (study, moles):
        steps = walk(each, somebody_with(each, sequences(each)[0]))
        keys = [step.key for step in steps]
        assert len(set(keys)) == len(keys)
        assert keys[-1] == "finished"
        assert sum(key.startswith("rating:") for key in keys) == each.periods


def test_a_pasted_file_is_named_as_its_author_calls_it_and_not_by_this_machines_folders(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as told:
        check_text("C:\\studies\\mine.yaml", b"id: [")
    assert told.value.problems[0].startswith("mine.yaml:")
    assert "/" not in told.value.problems[0].split(" ")[0]
    with pytest.raises(DefinitionError, match=r"not text in UTF-8"):
        check_text("mine.yaml", b"\xff\xfe\x00")
