"""What the monitor shows: each arm of the crossover, where people stopped, and how long things take."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from study_app.study.definition import Study
from study_app.study.live import read_live
from study_app.study.media import MediaStore, folder_of
from study_app.study.store import Store
from tests.study_app.people import MANIFEST, arrive, request, walk_to


class Hour:
    """A clock that tests move. The views' own clock is the machine's: it starts long ago."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) - timedelta(days=2)

    def __call__(self) -> datetime:
        return self.now


def test_every_arm_shows_how_far_its_people_came(store: Store, media: MediaStore, study: Study) -> None:
    first, second = arrive(store, study), arrive(store, study)
    walk_to(store, media, first, "finished")
    walk_to(store, media, second, "photo:3", colour=1)
    arrive(store, study, "pilot")
    arms = {arm.sequence: arm for arm in read_live(store.database, study, "live").arms}
    assert len(arms) == 6
    one = arms[">".join(store.state(first).sequence)]
    other = arms[">".join(store.state(second).sequence)]
    assert (one.allocated, one.finished, one.completed, one.left) == (1, (1, 1, 1), 1, 0)
    assert (other.allocated, other.finished, other.completed) == (1, (1, 1, 0), 0)
    assert sum(arm.allocated for arm in arms.values()) == 2
    store.exclude(first, "took part twice")
    media.withdraw(second)
    arms = {arm.sequence: arm for arm in read_live(store.database, study, "live").arms}
    assert arms[one.sequence].excluded == 1
    assert arms[other.sequence].left == 1


def test_who_was_not_seen_for_long_is_counted_at_the_step_they_left(db: Path, study: Study) -> None:
    store = Store.open(db, clock=Hour())
    media = MediaStore(folder_of(db), store)
    for colour in range(2):
        walk_to(store, media, arrive(store, study), "rating:1", colour=colour)
    arrive(store, study)
    assert read_live(store.database, study, "live").stopped_at == {"rating:1": 2, "consent": 1}
    assert read_live(store.database, study, "pilot").stopped_at == {}
    store.close()


def test_times_are_medians_and_latency_counts_failures_apart(db: Path, study: Study) -> None:
    hour = Hour()
    store = Store.open(db, clock=hour)
    media = MediaStore(folder_of(db), store)
    participant = arrive(store, study)
    walk_to(store, media, participant, "conversation:1")
    for seconds, fails in ((2, False), (4, False), (60, True), (12, False)):
        key = store.jobs.next_key(participant, 1)
        asked = json.dumps({**json.loads(request(store, participant, 1)), "condition": "text"})
        store.jobs.start(key, participant, 1, asked, "What is it?")
        hour.now += timedelta(seconds=seconds)
        if fails:
            store.jobs.fail(key, "The models are away.")
        else:
            store.jobs.finish(key, "Acne.", json.dumps({"label": "acne"}), MANIFEST)
    store.finish_exposure(participant, 1)
    for item, seconds in (("trust", 3.0), ("ease", 9.0)):
        store.save_answer(participant, item, 4, 1, seconds)
    live = read_live(store.database, study, "live")
    (latency,) = live.models
    assert (latency.explainer, latency.answered, latency.failed) == ("text", 3, 1)
    assert latency.median_s == pytest.approx(4, abs=0.01)
    assert latency.p95_s == pytest.approx(12, abs=0.01)
    assert live.page_s == {"rating": 9.0}, "the time to the page's last answer"
    assert live.whole_s is None
    store.close()


def test_a_run_without_anybody_is_empty(store: Store, study: Study) -> None:
    live = read_live(store.database, study, "live")
    assert all(arm.allocated == 0 for arm in live.arms)
    assert (live.stopped_at, live.whole_s, live.page_s, live.models) == ({}, None, {}, ())
