"""Assigned cases: dealt out evenly over conditions, drawn once, kept, seeded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from study_app.study import flow
from study_app.study.allocation import sequences
from study_app.study.assigned import Assigned, assign
from study_app.study.definition import Study, load_study
from study_app.study.definition_cases import AssignedCase
from study_app.study.media import MediaStore
from study_app.study.store import Store
from study_app.study.visit import current
from tests.study_app.conftest import ADVICE
from tests.study_app.people import arrive, walk_to


@pytest.fixture(scope="module")
def advice() -> Study:
    return load_study(ADVICE)


def designed(study: Study, cases: int, each: int, kind: str) -> Study:
    """The SkinGEN conditions with ``cases`` cases, ``each`` in every condition."""
    dealt = tuple(AssignedCase(id=f"c{n}", file="x.jpg") for n in range(cases))
    photo = replace(study.photo, sources=("assigned",), cases=dealt, cases_per_condition=each)
    return replace(study, photo=photo, design=replace(study.design, kind=kind))


def dealt(study: Study, people: int) -> list[Assigned]:
    """``people`` participants in turn, the sequences filled one after the other."""
    every = sequences(study)
    found: list[Assigned] = []
    for n in range(people):
        sequence = every[n % len(every)]
        found.append(Assigned(sequence, assign(study, sequence, found, seed=n)))
    return found


@pytest.mark.parametrize(("cases", "each", "kind"), [(9, 3, "within"), (7, 2, "within"), (12, 1, "within")])
def test_after_a_round_of_the_circle_each_case_has_met_each_condition_equally_often(
    study: Study, cases: int, each: int, kind: str
) -> None:
    whole = designed(study, cases, each, kind)
    found = dealt(whole, 2 * cases)
    met = Counter(pair for one in found for pair in one.deal)
    assert len(met) == cases * 3
    assert set(met.values()) == {2 * each}
    on_the_way = Counter(pair for one in found[: cases + 1] for pair in one.deal)
    assert max(on_the_way.values()) - min(on_the_way.values()) <= each


def test_between_subjects_each_condition_gets_every_case_equally_often(study: Study) -> None:
    found = dealt(designed(study, 6, 2, "between"), 3 * 6)
    met = Counter(pair for one in found for pair in one.deal)
    assert len(met) == 3 * 6
    assert set(met.values()) == {2}


def test_nobody_meets_a_case_twice_and_the_order_within_a_condition_varies(study: Study) -> None:
    found = dealt(designed(study, 9, 3, "within"), 36)
    assert all(len(set(one.cases)) == 9 for one in found)
    same = [one.cases for one in found if one.sequence == found[0].sequence]
    assert len(set(same)) == len(same)


def test_the_draw_follows_from_the_seed(study: Study) -> None:
    whole = designed(study, 9, 2, "within")
    sequence = sequences(whole)[0]
    assert assign(whole, sequence, [], 5) == assign(whole, sequence, [], 5)
    assert len({assign(whole, sequence, [], seed) for seed in range(20)}) > 5
    other = replace(whole, seed=whole.seed + 1)
    assert any(assign(whole, sequence, [], seed) != assign(other, sequence, [], seed) for seed in range(5))


def test_cases_are_kept_with_the_sequence_and_met_in_their_periods(
    store: Store, media: MediaStore, advice: Study
) -> None:
    participant = arrive(store, advice)
    walk_to(store, media, participant, "first_decision:1")
    state = store.state(participant)
    assert len(state.cases) == len(set(state.cases)) == advice.periods == 4
    walk_to(store, media, participant, "finished")
    assert store.state(participant).cases == state.cases
    with store.database.read() as conn:
        rows = conn.execute("SELECT period, condition, assigned_case, truth FROM exposures ORDER BY 1").fetchall()
    truth = {case.id: case.truth for case in advice.photo.cases}
    order = [key for key in state.sequence for _ in range(2)]
    assert [tuple(row) for row in rows] == [
        (n, condition, case, truth[case]) for n, (condition, case) in enumerate(zip(order, state.cases, strict=True), 1)
    ]


def test_the_place_of_who_left_is_dealt_out_again(memory_folder: Path, advice: Study) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    clock: Callable[[], datetime] = lambda: now[0]  # noqa: E731
    store = Store.open(memory_folder / "left.db", clock)
    media = MediaStore(memory_folder / "left.media", store)
    five = [arrive(store, advice) for _ in range(10)]
    for participant in five:
        walk_to(store, media, participant, "first_decision:1")
    now[0] += timedelta(minutes=advice.design.inactive_after_minutes + 1)
    again = [arrive(store, advice) for _ in range(10)]
    for participant in again:
        walk_to(store, media, participant, "first_decision:1")
    deals = [Counter(_deal(store, one) for one in people) for people in (five, again)]
    assert deals[0] == deals[1]  # all places of both groups, as if the first ten had not been
    store.close()


def _deal(store: Store, participant: str) -> frozenset[tuple[str, str]]:
    state = store.state(participant)
    return Assigned(state.sequence, state.cases).deal


def test_names_and_progress_count_conditions_and_photos_apart(store: Store, media: MediaStore, advice: Study) -> None:
    participant = arrive(store, advice)
    walk_to(store, media, participant, "first_decision:3")
    assert [advice.name_in_period(period) for period in (1, 2, 3, 4)] == ["Adviser 1"] * 2 + ["Adviser 2"] * 2
    state = store.state(participant)
    # consent, 4 x (first decision, conversation, final decision, rating), comments
    assert flow.progress(advice, state, current(store, participant).step) == (1 + 2 * 4 + 1, 1 + 4 * 4 + 1)


def test_the_ratings_have_a_row_for_every_photo(store: Store, media: MediaStore, advice: Study) -> None:
    participant = arrive(store, advice)
    for period, point in enumerate((1, 2, 4, 4), 1):
        walk_to(store, media, participant, f"rating:{period}")
        store.save_answer(participant, "helped", point, period, duration_s=period)
    walk_to(store, media, participant, "finished")
    with store.database.read() as conn:
        ratings = conn.execute("SELECT period, value, duration_s FROM ratings ORDER BY 1").fetchall()
    assert [tuple(row) for row in ratings] == [(1, 1, 1.0), (2, 2, 2.0), (3, 4, 3.0), (4, 4, 4.0)]


def test_a_mixed_design_deals_groups_and_conditions_within(store: Store, media: MediaStore, advice: Study) -> None:
    every = sequences(advice)
    assert every == (("words", "shown"), ("shown", "words"), ("words", "found"), ("found", "words"))
    people = [arrive(store, advice) for _ in range(8)]
    for participant in people:
        walk_to(store, media, participant, "first_decision:1")
    assert Counter(store.state(participant).sequence for participant in people) == dict.fromkeys(every, 2)
