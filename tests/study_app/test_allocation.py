"""Every order of the conditions, filled evenly, whoever comes when."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study_app.study.allocation import Sequence, choose_sequence, image_seed, sequences
from study_app.study.definition import Study, load_study
from study_app.study.definition_parts import Design
from study_app.study.store import Store
from tests.study_app.conftest import SKINGEN
from tests.study_app.people import arrive

SKINGEN_STUDY = load_study(SKINGEN)
ALL = sequences(SKINGEN_STUDY)


def consented(store: Store, study: Study, run_kind: str = "live") -> str:
    participant = arrive(store, study, run_kind)  # type: ignore[arg-type]
    store.record_consent(participant, agreed=True)
    return participant


def test_three_conditions_have_six_sequences() -> None:
    assert len(ALL) == 6
    assert {frozenset(sequence) for sequence in ALL} == {frozenset({"text", "cases", "generated"})}


@given(st.dictionaries(st.sampled_from(ALL), st.integers(0, 9)), st.integers(1, 9999))
def test_a_least_filled_sequence_is_chosen_and_always_the_same(load: dict[Sequence, int], number: int) -> None:
    chosen = choose_sequence(SKINGEN_STUDY, "live", f"P{number:04d}", load)
    assert load.get(chosen, 0) == min(load.get(sequence, 0) for sequence in ALL)
    assert chosen == choose_sequence(SKINGEN_STUDY, "live", f"P{number:04d}", dict(reversed(load.items())))


def test_the_draw_is_not_the_fixed_order() -> None:
    first = Counter(choose_sequence(SKINGEN_STUDY, "live", f"P{n:04d}", {}) for n in range(600))
    assert all(60 < first[sequence] < 140 for sequence in ALL)  # 100 expected, 4 SD either way


def test_image_seeds_follow_from_the_study_and_differ() -> None:
    seeds = {image_seed(SKINGEN_STUDY, f"P{n:04d}", period) for n in range(50) for period in (1, 2, 3)}
    assert len(seeds) == 150
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert image_seed(SKINGEN_STUDY, "P0001", 1) == image_seed(load_study(SKINGEN), "P0001", 1)


def test_twenty_who_arrive_at_once_are_spread_evenly(db: Path, study: Study) -> None:
    stores = [Store.open(db) for _ in range(4)]  # as four processes would: no lock in common but SQLite's
    start = threading.Barrier(20)

    def come(number: int) -> tuple[str, ...]:
        store = stores[number % 4]
        start.wait()
        return store.allocate(consented(store, study))

    stores[0].register(study)
    with ThreadPoolExecutor(20) as pool:
        drawn = list(pool.map(come, range(20)))
    counts = Counter(drawn)
    assert sum(counts.values()) == 20
    assert set(counts) == set(ALL)
    assert max(counts.values()) - min(counts.values()) == 1
    participants = stores[1].counts(study, "live")
    assert participants.arrived == 20
    for store in stores:
        store.close()


def test_a_sequence_is_drawn_once(store: Store, study: Study) -> None:
    participant = consented(store, study)
    assert store.allocate(participant) == store.allocate(participant) == store.state(participant).sequence


def test_places_of_those_who_left_are_filled_again_and_pilots_do_not_count(db: Path, study: Study) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    store = Store.open(db, clock=lambda: now)
    gone = [store.allocate(consented(store, study)) for _ in range(3)]
    now += timedelta(minutes=study.design.inactive_after_minutes + 1)
    pilots = [store.allocate(consented(store, study, "pilot")) for _ in range(5)]
    assert len(set(gone)) + len(set(pilots)) == 8
    came = Counter(store.allocate(consented(store, study)) for _ in range(12))
    assert set(came.values()) == {2}
    store.close()


def test_whoever_comes_back_counts_again(db: Path, study: Study) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    store = Store.open(db, clock=lambda: now)
    first = consented(store, study)
    sequence = store.allocate(first)
    now += timedelta(days=1)
    assert store.counts(study, "live").per_sequence[">".join(sequence)] == (0, 0)
    store.touch(first)
    assert store.counts(study, "live").per_sequence[">".join(sequence)] == (0, 1)
    later = [store.allocate(consented(store, study)) for _ in range(5)]
    assert sequence not in later
    store.close()


def design(sequences: str, conditions: int, orders: tuple[tuple[str, ...], ...] = (), kind: str = "within") -> Study:
    """The SkinGEN study with conditions a, b, c, ... in another design."""
    one = SKINGEN_STUDY.conditions[0]
    return replace(
        SKINGEN_STUDY,
        design=Design(kind=kind, sequences=sequences, orders=orders),  # type: ignore[arg-type]
        conditions=tuple(replace(one, key=key) for key in "abcdefg"[:conditions]),
    )


@pytest.mark.parametrize("n", range(2, 8))
def test_a_latin_square_has_each_condition_once_in_each_period(n: int) -> None:
    rows = sequences(design("latin_square", n))
    assert len(rows) == n
    assert all(len(set(column)) == n for column in zip(*rows, strict=True))
    assert all(len(set(row)) == n for row in rows)


@pytest.mark.parametrize("n", range(2, 8))
def test_in_a_williams_design_each_condition_follows_each_other_one_equally_often(n: int) -> None:
    rows = sequences(design("williams", n))
    assert len(set(rows)) == len(rows) == (2 * n if n % 2 else n)
    follows = Counter(pair for row in rows for pair in itertools.pairwise(row))
    assert len(follows) == n * (n - 1)
    assert set(follows.values()) == {2 if n % 2 else 1}
    periods = Counter((period, key) for row in rows for period, key in enumerate(row))
    assert set(periods.values()) == {len(rows) // n}


def test_williams_of_four() -> None:
    """From the first condition to the last and back to the middle; then each row one letter on."""
    assert sequences(design("williams", 4)) == (
        ("a", "d", "b", "c"),
        ("b", "a", "c", "d"),
        ("c", "b", "d", "a"),
        ("d", "c", "a", "b"),
    )


def test_fixed_orders_are_those_of_the_file_and_between_subjects_one_condition_is_met() -> None:
    orders = (("b", "a"), ("a", "b"))
    assert sequences(design("fixed", 2, orders)) == orders
    between = design("all_orders", 3, kind="between")
    assert sequences(between) == (("a",), ("b",), ("c",))
    assert between.periods == 1
