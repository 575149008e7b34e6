"""Questions to the pipeline: stored before they are asked, answered once."""

from __future__ import annotations

from typing import Any

import pytest

from study_app.study.definition import Study
from study_app.study.media import MediaStore
from study_app.study.store import Refused, Store
from tests.study_app.people import MANIFEST, arrive, ask, request, walk_to


@pytest.fixture
def participant(store: Store, media: MediaStore, study: Study) -> str:
    name = arrive(store, study)
    walk_to(store, media, name, "conversation:1")
    return name


def texts(store: Store, participant: str) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in store.state(participant).exposures[1].turns]


def test_a_question_and_its_answer(store: Store, participant: str) -> None:
    key = store.jobs.next_key(participant, 1)
    assert store.jobs.start(key, participant, 1, request(store, participant, 1), "What is it?")
    assert [job.key for job in store.jobs.open_jobs()] == [key]
    assert store.jobs.mark_running(key)
    assert store.jobs.append_events(key, [(1, '"a"'), (2, '"b"')])
    assert store.jobs.append_events(key, [(2, '"b again"'), (3, '"c"')])
    assert store.jobs.events(key) == ((1, '"a"'), (2, '"b"'), (3, '"c"'))
    assert store.jobs.events(key, after=2) == ((3, '"c"'),)
    assert store.jobs.last_event(key) == 3
    assert store.jobs.finish(key, "Acne.", '{"label": "acne"}', MANIFEST)
    assert store.jobs.open_jobs() == ()
    assert texts(store, participant) == [("participant", "What is it?"), ("assistant", "Acne.")]
    exposure = store.state(participant).exposures[1]
    assert exposure.answered
    assert {turn.job for turn in exposure.turns} == {key}


def test_a_double_click_makes_one_job(store: Store, participant: str) -> None:
    first, second = (store.jobs.next_key(participant, 1) for _ in range(2))
    assert first == second
    assert store.jobs.start(first, participant, 1, request(store, participant, 1), "What is it?")
    assert not store.jobs.start(second, participant, 1, request(store, participant, 1), "What is it?")
    assert texts(store, participant) == [("participant", "What is it?")]
    assert store.jobs.next_key(participant, 1) != first
    with pytest.raises(Refused, match="another request"):
        store.jobs.start(first, participant, 1, "{}", "Other")


def test_one_job_of_an_exposure_is_open_at_a_time(store: Store, participant: str) -> None:
    store.jobs.start("k1", participant, 1, request(store, participant, 1), "One?")
    with pytest.raises(Refused, match="still answering"):
        store.jobs.start("k2", participant, 1, request(store, participant, 1), "Two?")
    with pytest.raises(Refused, match="complete answer"):
        store.finish_exposure(participant, 1)
    store.jobs.finish("k1", "Yes.", None, MANIFEST)
    store.jobs.start("k2", participant, 1, request(store, participant, 1), "Two?")
    with pytest.raises(Refused, match="still answering"):
        store.finish_exposure(participant, 1)
    store.jobs.fail("k2", "Cancelled.", cancelled=True)
    store.finish_exposure(participant, 1)
    with pytest.raises(Refused, match="has finished"):
        store.jobs.start("k3", participant, 1, request(store, participant, 1), "Three?")


def test_a_retry_does_not_double_the_question(store: Store, participant: str) -> None:
    first = store.jobs.next_key(participant, 1)
    store.jobs.start(first, participant, 1, request(store, participant, 1), "What is it?")
    assert store.jobs.fail(first, "The models ran out of memory.")
    second = store.jobs.next_key(participant, 1)
    store.jobs.start(second, participant, 1, request(store, participant, 1), "What is it?")
    store.jobs.finish(second, "Acne.", None, MANIFEST)
    assert texts(store, participant) == [("participant", "What is it?"), ("assistant", "Acne.")]
    ask(store, participant, 1)
    assert len(texts(store, participant)) == 4  # asked anew after an answer, it is a turn of its own


def test_an_ended_job_takes_nothing_more(store: Store, participant: str) -> None:
    key = ask(store, participant, 1)
    before = store.jobs.get(key), store.jobs.events(key), texts(store, participant)
    attempts: list[Any] = [
        store.jobs.finish(key, "Another answer.", None, MANIFEST),
        store.jobs.fail(key, "Too late."),
        store.jobs.append_events(key, [(9, "{}")]),
        store.jobs.mark_running(key),
        store.jobs.finish("unknown", "x", None, MANIFEST),
    ]
    assert attempts == [False] * 5
    assert (store.jobs.get(key), store.jobs.events(key), texts(store, participant)) == before
    assert store.jobs.get("unknown") is None


def test_keys_differ_between_databases(store: Store, participant: str, study: Study, tmp_path: Any) -> None:
    other = Store.open(tmp_path / "other.db")
    assert arrive(other, study) == participant
    assert other.jobs.next_key(participant, 1) != store.jobs.next_key(participant, 1)
    other.close()


def test_a_job_needs_a_photo_first(store: Store, study: Study) -> None:
    newcomer = arrive(store, study)
    with pytest.raises(Refused, match="no photo"):
        store.jobs.start("k", newcomer, 1, "{}", "What is it?")


def test_the_researcher_sees_what_failed_but_not_what_was_cancelled(store: Store, participant: str) -> None:
    store.jobs.start("k1", participant, 1, request(store, participant, 1), "One?")
    store.jobs.fail("k1", "Cancelled.", cancelled=True)
    assert store.troubles() == ()
    store.jobs.start("k2", participant, 1, request(store, participant, 1), "One?")
    store.jobs.fail("k2", "The models ran out of memory. Reference E-1.")
    store.log_event(participant, "page_failed", {"reference": "E-2"})
    assert {(t.participant, t.what) for t in store.troubles()} == {
        (participant, "The models ran out of memory. Reference E-1."),
        (participant, "A page failed, reference E-2"),
    }
    assert len(store.troubles(limit=1)) == 1
