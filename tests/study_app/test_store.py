"""Answers and participants: kept once, kept exactly, refused when they contradict the study."""

from __future__ import annotations

import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study_app.study import database, flow, visit
from study_app.study.definition import Study
from study_app.study.media import MediaStore
from study_app.study.store import NotSaved, Refused, Store, UnknownParticipant
from tests.study_app.people import arrive, ask, png, walk_to


def rows(store: Store, query: str, *parameters: Any) -> list[dict[str, Any]]:
    with store.database.read() as conn:
        return [dict(row) for row in conn.execute(query, parameters)]


def test_a_token_finds_its_participant_and_is_not_in_the_file(store: Store, study: Study, db: Path) -> None:
    store.register(study)
    token = store.arrive(study, "live")
    state = store.participant_by_token(token)
    assert state is not None
    assert state.participant == "P0001"
    assert len(token) >= 22  # 128 bits
    assert token.encode() not in db.read_bytes()
    assert store.participant_by_token(token[:-1]) is None
    assert store.participant_by_token("") is None


def test_an_answer_is_kept_once_and_a_change_of_mind_keeps_both(store: Store, media: MediaStore, study: Study) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "rating:1")
    assert store.save_answer(participant, "trust", 2, period=1, duration_s=3.5)
    assert not store.save_answer(participant, "trust", 2, period=1)
    assert store.save_answer(participant, "trust", 5, period=1)
    log = rows(store, "SELECT value, duration_s FROM answer WHERE item = 'trust' ORDER BY id")
    assert log == [{"value": 2, "duration_s": 3.5}, {"value": 5, "duration_s": None}]
    (rating,) = rows(store, "SELECT value, period, condition, construct FROM ratings")
    sequence = store.state(participant).sequence
    assert rating == {"value": 5, "period": 1, "condition": sequence[0], "construct": "Perceived Trust"}
    assert store.save_answer(participant, "trust", 2, period=1)  # back to the first: a third row
    assert store.state(participant).answers["trust", 1] == 2


def test_the_same_answer_from_many_tabs_is_one_row(store: Store, media: MediaStore, study: Study) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "rating:1")
    start = threading.Barrier(8)

    def tab(_: int) -> bool:
        start.wait()
        return store.save_answer(participant, "ease", 3, period=1)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(tab, range(8))) == [False] * 7 + [True]
    assert len(rows(store, "SELECT * FROM answer WHERE item = 'ease'")) == 1


@pytest.mark.parametrize(
    ("item", "value", "period", "message"),
    [
        ("trust", 6, 1, "off the scale"),
        ("trust", 0, 1, "off the scale"),
        ("trust", True, 1, "off the scale"),
        ("trust", "3", 1, "off the scale"),
        ("trust", 3.5, 1, "off the scale"),
        ("trust", 3, None, "rated after a conversation"),
        ("trust", 3, 2, "rated after a conversation"),
        ("correct", 3, 1, "asked once"),
        ("gender", "robot", None, "no answer to 'gender'"),
        ("gender", "male", 1, "asked once"),
        ("comments", "x" * 4001, None, "up to 4000 characters"),
        ("mood", 3, None, "asks nothing named 'mood'"),
    ],
)
def test_an_answer_that_fits_no_question_is_refused(
    store: Store, media: MediaStore, study: Study, item: str, value: Any, period: int | None, message: str
) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "rating:1")
    before = rows(store, "SELECT count(*) AS n FROM answer")
    with pytest.raises(Refused, match=message):
        store.save_answer(participant, item, value, period)
    assert rows(store, "SELECT count(*) AS n FROM answer") == before


def test_nothing_is_rated_before_the_conversation_is_over(store: Store, media: MediaStore, study: Study) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "conversation:1")
    ask(store, participant, 1)
    with pytest.raises(Refused, match="period 1 has none finished"):
        store.save_answer(participant, "trust", 3, period=1)
    store.finish_exposure(participant, 1)
    assert store.save_answer(participant, "trust", 3, period=1)


def test_nothing_is_taken_before_consent_nor_after_the_end(store: Store, media: MediaStore, study: Study) -> None:
    early, declined, done = (arrive(store, study) for _ in range(3))
    store.record_consent(declined, agreed=False)
    walk_to(store, media, done, "finished")
    for participant in (early, declined, done):
        with pytest.raises(Refused):
            store.save_answer(participant, "gender", "male")
    assert visit.current(store, declined).step == flow.Declined()
    with pytest.raises(Refused):
        store.allocate(early)
    with pytest.raises(Refused, match="made already"):
        store.record_consent(declined, agreed=True)
    store.record_consent(done, agreed=True)
    with pytest.raises(UnknownParticipant):
        store.state("P9999")


def test_next_is_refused_while_answers_are_missing_or_at_another_step(
    store: Store, media: MediaStore, study: Study
) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "rating:1")
    with pytest.raises(Refused, match="trust, ease, effort"):
        store.finish_step(participant, "rating:1")
    for key in ("rating:2", "conversation:2", "comments"):
        with pytest.raises(Refused, match="is at rating:1"):
            store.finish_step(participant, key)
    with pytest.raises(Refused, match="still at rating:1"):
        store.complete(participant)
    walk_to(store, media, participant, "photo:2")
    store.finish_step(participant, "rating:1")  # a double click
    with pytest.raises(Refused):
        store.finish_step(participant, "photo:2")


def test_a_whole_study_fills_the_views(store: Store, media: MediaStore, study: Study) -> None:
    participant = arrive(store, study, "pilot")
    walk_to(store, media, participant, "finished", rating=4)
    sequence = store.state(participant).sequence
    ratings = rows(store, "SELECT * FROM ratings ORDER BY item, period")
    expected = {(item.id, c) for item in study.repeated_items for c in sequence}
    expected |= {(item.id, None) for item in study.final_items}
    assert {(r["item"], r["condition"]) for r in ratings} == expected
    assert len(ratings) == len(expected) == 15
    assert {(r["period"], r["condition"]) for r in ratings} == {*enumerate(sequence, 1), (None, None)}
    common = {
        "study": "skingen",
        "definition_hash": study.hash,
        "run_kind": "pilot",
        "participant": participant,
    }
    for row in ratings:
        assert row.items() >= {**common, "sequence": ">".join(sequence), "value": 4}.items()
    (person,) = rows(store, "SELECT * FROM participants")
    assert json.loads(person["demographics"]) == {"gender": "female", "medical_background": "yes"}
    assert person["outcome"] == "completed"
    exposures = rows(store, "SELECT * FROM exposures ORDER BY period")
    assert [e["condition"] for e in exposures] == list(sequence)
    assert {e["diagnosis"] for e in exposures} == {"acne vulgaris"}
    assert {json.loads(e["manifest"])["profile"] for e in exposures} == {"test"}
    (flow_row,) = rows(store, "SELECT * FROM flow")
    assert flow_row["periods_finished"] == 3
    stamps = [flow_row[name] for name in ("arrived_at", "consented_at", "allocated_at", "completed_at")]
    assert stamps == sorted(stamps)
    items = rows(store, "SELECT * FROM items ORDER BY position")
    assert [(i["item"], i["wording"], i["repeated"]) for i in items] == [
        (i.id, i.wording, int(i.repeated)) for i in study.items
    ]
    assert {(i["scale_min"], i["scale_max"]) for i in items} == {(1, 5)}
    conditions = rows(store, "SELECT * FROM conditions ORDER BY position")
    assert [c["label"] for c in conditions] == ["SkinGPT (text)", "SkinGPT + cases", "SkinGEN"]


def test_the_completion_code_comes_after_the_commit_and_again_on_return(
    store: Store, media: MediaStore, study: Study
) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "finished")
    assert store.complete(participant) == store.complete(participant) == study.completion_codes.completed


def test_a_participant_keeps_the_definition_they_started_with(store: Store, study: Study) -> None:
    from dataclasses import replace

    first = arrive(store, study)
    edited = replace(study, title="Edited in the middle")
    second = arrive(store, edited)
    assert visit.current(store, first).study == study
    assert visit.current(store, second).study == edited
    assert store.counts(study, "live").arrived == 2  # one study, two versions


def test_silence_makes_abandoned_in_the_views_and_a_return_undoes_it(db: Path, study: Study) -> None:
    past = datetime.now(UTC) - timedelta(days=2)
    store = Store.open(db, clock=lambda: past)
    participant = arrive(store, study)
    assert rows(store, "SELECT outcome FROM participants") == [{"outcome": "abandoned"}]
    assert store.counts(study, "live").left_early == 1
    past = datetime.now(UTC)
    store.touch(participant)
    assert rows(store, "SELECT outcome FROM participants") == [{"outcome": "active"}]
    store.close()


def test_exclusion_keeps_data_and_gives_the_reason(store: Store, media: MediaStore, study: Study) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "finished")
    store.exclude(participant, "took part twice")
    (person,) = rows(store, "SELECT outcome, exclusion_reason FROM participants")
    assert person == {"outcome": "excluded", "exclusion_reason": "took part twice"}
    assert len(rows(store, "SELECT * FROM ratings")) == 15
    with pytest.raises(Refused):
        store.exclude(participant, "again")


def test_a_photo_may_be_changed_until_the_first_question(store: Store, media: MediaStore, study: Study) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "photo:1")
    with pytest.raises(Refused, match="not kept"):
        store.start_exposure(participant, 1, "a" * 64, None)
    with pytest.raises(Refused, match="period 2"):
        store.start_exposure(participant, 2, media.keep(participant, png(1)), None)
    store.start_exposure(participant, 1, media.keep(participant, png(1)), None)
    second = media.keep(participant, png(2))
    with pytest.raises(Refused, match="is no condition that the models know; those are acne vulgaris"):
        store.start_exposure(participant, 1, second, "I don't know", ["acne vulgaris"])
    store.start_exposure(participant, 1, second, "acne vulgaris", ["acne vulgaris"])
    assert store.state(participant).exposures[1].photo == second
    ask(store, participant, 1)
    store.start_exposure(participant, 1, second, "acne vulgaris", ["acne vulgaris"])  # a double click
    with pytest.raises(Refused, match="has begun"):
        store.start_exposure(participant, 1, media.keep(participant, png(3)), None)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE answer SET value = 5",
        "DELETE FROM answer",
        "UPDATE event SET kind = 'x'",
        "DELETE FROM event",
        "DELETE FROM participant",
        "UPDATE participant SET sequence = 'text>cases>generated' || 'x'",
        "UPDATE participant SET status = 'nonsense'",
        "UPDATE participant SET status = 'completed', completed_at = NULL",
        "INSERT INTO answer (participant, item, value, answered_at) VALUES ('P0404', 'trust', 1, 'now')",
    ],
)
def test_the_database_itself_refuses(store: Store, media: MediaStore, study: Study, statement: str) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "final_items")
    before = rows(store, "SELECT * FROM answer"), rows(store, "SELECT * FROM participant")
    with pytest.raises(sqlite3.IntegrityError), store.database.write() as conn:
        conn.execute(statement)
    assert (rows(store, "SELECT * FROM answer"), rows(store, "SELECT * FROM participant")) == before


def test_a_write_begins_by_taking_the_lock(
    store: Store, db: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read first and locked later, two who allocate at once would see the same counts, or fail."""
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    other = Store.open(db)
    with store.database.write(), pytest.raises(NotSaved):
        other.register(study)
    other.register(study)
    other.close()


def test_a_locked_database_says_not_saved_in_bounded_time(
    db: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.2)
    store = Store.open(db)
    participant = arrive(store, study)
    other = sqlite3.connect(db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(NotSaved, match="Try again"):
        store.record_consent(participant, agreed=True)
    store.touch(participant)
    other.execute("ROLLBACK")
    other.close()
    assert store.state(participant).consented is None
    store.record_consent(participant, agreed=True)
    assert store.state(participant).consented
    store.close()


def test_a_full_disk_says_not_saved_and_changes_nothing(db: Path, study: Study) -> None:
    store = Store.open(db)
    participant = arrive(store, study)
    with store.database.write() as conn:  # the same connection is lent again
        conn.execute(f"PRAGMA max_page_count = {conn.execute('PRAGMA page_count').fetchone()[0]}")

    def fill() -> None:
        for _ in range(500):
            store.log_event(participant, "filler", {"text": "x" * 400})

    with pytest.raises(NotSaved, match="full"):
        fill()
    kept = len(rows(store, "SELECT * FROM event"))
    with store.database.write() as conn:
        conn.execute("PRAGMA max_page_count = 1000000")
    store.log_event(participant, "after")
    assert len(rows(store, "SELECT * FROM event")) == kept + 1
    assert rows(store, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    store.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(answers=st.lists(st.tuples(st.sampled_from(["trust", "ease", "effort"]), st.integers(1, 5)), max_size=12))
def test_the_view_always_shows_the_last_answer(
    store: Store, media: MediaStore, study: Study, answers: list[tuple[str, int]]
) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "rating:1")
    for item, value in answers:
        store.save_answer(participant, item, value, period=1)
    shown = rows(store, "SELECT item, value FROM ratings WHERE participant = ?", participant)
    assert {row["item"]: row["value"] for row in shown} == dict(answers)
    assert len(shown) == len(dict(answers))


def test_the_store_imports_no_streamlit_and_no_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, study_app.study.visit, study_app.study.media, study_app.study.export; "
        "sys.exit(bool({'streamlit', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
