"""300 arrivals from 20 threads, 30 % of them leaving at a random step, the study edited twice while they come.

Time is the test's: in a tick of one minute each of 20 threads takes one step of its participant, all of them at once. A
place is free again three minutes after its participant was last seen. Of the last 20 nobody leaves: a place that is
left after them stays empty, whoever draws the sequences.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from study_app.study import flow, visit
from study_app.study.allocation import Sequence
from study_app.study.definition import Study
from study_app.study.media import MediaStore
from study_app.study.monitor import sequence_load
from study_app.study.store import Store
from tests.study_app.people import ask, png

ARRIVALS, THREADS, LEAVE = 300, 20, 90
EDITED_AT = (101, 201)
STEPS = 11
"""Steps from the arrival to the last rating: consent, and three times photo, conversation and rating; two more."""


@dataclass
class Visitors:
    """Everybody who comes; ``edition`` is the study as it is when the n-th arrives."""

    editions: tuple[Study, Study, Study]
    leaves_after: dict[int, int]
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, ARRIVALS + 1)))
    arrived_with: dict[str, str] = field(default_factory=dict)

    def edition(self, number: int) -> Study:
        return self.editions[sum(number >= first for first in EDITED_AT)]


class Thread:
    """One participant after the other, one step at a time."""

    def __init__(self, store: Store, media: MediaStore, visitors: Visitors) -> None:
        self.store, self.media, self.visitors = store, media, visitors
        self.participant: str | None = None
        self.left = 0

    def step(self) -> bool:
        """False when nobody comes any more."""
        if self.participant is None:
            return self._next_one()
        self.left -= 1
        if self.left < 0 or not self._take(self.participant):
            self.participant = None
        return True

    def _next_one(self) -> bool:
        number = next(self.visitors.numbers, None)
        if number is None:
            return False
        study = self.visitors.edition(number)
        state = self.store.participant_by_token(self.store.arrive(study, "live"))
        assert state is not None
        self.participant, self.left = state.participant, self.visitors.leaves_after.get(number, 1000)
        self.visitors.arrived_with[state.participant] = study.hash
        return True

    def _take(self, participant: str) -> bool:
        now = visit.current(self.store, participant)
        match now.step:
            case flow.Consent():
                self.store.record_consent(participant, agreed=True)
            case flow.Photo(period):
                self.store.start_exposure(participant, period, self.media.keep(participant, png()), None)
            case flow.Conversation(period):
                ask(self.store, participant, period)
                self.store.finish_exposure(participant, period)
            case flow.Rating(period):
                self.store.save_answer(participant, "trust", 4, period)
                self.store.finish_step(participant, now.step.key)
            case _:
                return False
        return True


@pytest.fixture
def editions(study: Study) -> tuple[Study, Study, Study]:
    """The SkinGEN study with one statement, and two edits of it."""
    short = replace(
        study,
        steps=("consent", "periods"),
        demographics=(),
        items=study.items[:1],
        comments=None,
        final_items_intro="",
        design=replace(study.design, inactive_after_minutes=3),
    )
    return short, replace(short, title="Edited once"), replace(short, title="Edited twice", planned_n=40)


def loads(store: Store, study: Study) -> Counter[Sequence]:
    with store.database.read() as conn:
        found = sequence_load(conn, study, "live", store.database.clock())
    return Counter({sequence: done + active for sequence, (done, active) in found.items()})


def allocations(store: Store, after: int) -> list[tuple[int, str, Sequence]]:
    """(event, participant, sequence) in the order drawn."""
    sql = "SELECT id, participant, data FROM event WHERE kind = 'allocated' AND id > ? ORDER BY id"
    with store.database.read() as conn:
        return [(row[0], row[1], tuple(json.loads(row[2])["sequence"])) for row in conn.execute(sql, (after,))]


def test_300_arrivals_from_20_threads_keep_the_balance(db: Path, editions: tuple[Study, Study, Study]) -> None:
    chance = random.Random(20240)
    leaving = chance.sample(range(1, ARRIVALS - THREADS + 1), LEAVE)
    visitors = Visitors(editions, {number: chance.randint(0, STEPS - 1) for number in leaving})
    now = datetime(2026, 3, 1, tzinfo=UTC)
    store = Store.open(db, clock=lambda: now)
    media = MediaStore(db.parent / "media", store)
    for study in editions:
        store.register(study)
    threads = [Thread(store, media, visitors) for _ in range(THREADS)]
    drawn: dict[str, Sequence] = {}
    seen = 0
    with ThreadPoolExecutor(THREADS) as pool:
        while True:
            load = loads(store, editions[0])
            going = list(pool.map(Thread.step, threads))
            for event, participant, sequence in allocations(store, seen):
                # Two who drew the same place would both stand on the least count, the second one wrongly.
                assert load[sequence] == min(load.values()), f"{participant} took a place that was taken"
                load[sequence] += 1
                assert participant not in drawn
                drawn[participant] = sequence
                seen = event
            now += timedelta(minutes=1)
            if not any(going):
                break

    with store.database.read() as conn:
        people = conn.execute("SELECT participant, definition_hash, sequence, status FROM participant").fetchall()
        met = conn.execute("SELECT participant, period, condition FROM exposure").fetchall()
    store.close()
    assert len(people) == ARRIVALS
    assert {row["participant"]: row["definition_hash"] for row in people} == visitors.arrived_with
    assert len(set(visitors.arrived_with.values())) == 3
    assert {row["participant"]: tuple(row["sequence"].split(">")) for row in people if row["sequence"]} == drawn
    assert all(drawn[row["participant"]][row["period"] - 1] == row["condition"] for row in met)
    completed = Counter(row["sequence"] for row in people if row["status"] == "completed")
    assert len(completed) == 6
    assert completed.total() == ARRIVALS - LEAVE
    assert max(completed.values()) - min(completed.values()) <= 2, completed
