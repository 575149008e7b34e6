"""Tests between groups of people: against scipy where it is right, and against counting every way."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.between import kruskal_wallis, mann_whitney

ANSWERS = st.lists(st.integers(1, 5), min_size=1, max_size=5)


def every_choice(values: np.ndarray, sizes: list[int]) -> list[list[np.ndarray]]:
    """All ways to deal people to groups of these sizes."""

    def deal(left: list[int], rest: list[int]) -> list[list[list[int]]]:
        if len(rest) == 1:
            return [[left]]
        return [
            [list(group), *others]
            for group in combinations(left, rest[0])
            for others in deal([person for person in left if person not in group], rest[1:])
        ]

    return [[values[group] for group in groups] for groups in deal(list(range(values.size)), sizes)]


@given(ANSWERS, ANSWERS)
@settings(max_examples=50, deadline=None)
def test_exact_mann_whitney_is_the_share_of_choices(first: list[int], second: list[int]) -> None:
    found = mann_whitney(first, second)
    both = np.array(first + second)
    if len(set(both)) == 1:
        assert (found.p, found.note) == (None, "all answers are equal")
        return
    ranks = stats.rankdata(both)
    middle = len(first) * (both.size + 1) / 2
    observed = abs(ranks[: len(first)].sum() - middle)
    sums = [abs(sum(choice) - middle) for choice in combinations(ranks, len(first))]
    assert found.p_exact == pytest.approx(np.mean([far >= observed - 1e-9 for far in sums]), abs=1e-12)


@given(ANSWERS, ANSWERS, st.lists(st.integers(1, 5), min_size=1, max_size=2))
@settings(max_examples=25, deadline=None)
def test_exact_kruskal_wallis_is_the_share_of_choices(first: list[int], second: list[int], third: list[int]) -> None:
    groups = [np.array(group[:3], dtype=float) for group in (first, second, third)]
    found = kruskal_wallis(groups)
    both = np.concatenate(groups)
    if len(set(both)) == 1:
        assert (found.p, found.note) == (None, "all answers are equal")
        return

    def spread(dealt: list[np.ndarray]) -> float:
        return sum(group.sum() ** 2 / group.size for group in dealt)

    ranks = stats.rankdata(both)
    sizes = [group.size for group in groups]
    observed = spread(np.split(ranks, np.cumsum(sizes)[:-1]))
    share = np.mean([spread(dealt) >= observed - 1e-9 for dealt in every_choice(ranks, sizes)])
    assert found.p_exact == pytest.approx(share, abs=1e-12)


def test_without_ties_scipys_exact_p_is_the_same() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=12), rng.normal(0.8, 1, size=9)
    found, peer = mann_whitney(first, second), stats.mannwhitneyu(first, second, method="exact")
    assert found.u == peer.statistic
    assert found.p_exact == pytest.approx(peer.pvalue, rel=1e-12)
    assert mann_whitney(second, first).p_exact == pytest.approx(found.p_exact, rel=1e-12)
    assert mann_whitney([3, 4], [1, 2]).rank_biserial == 1


def test_two_groups_of_kruskal_wallis_are_mann_whitney() -> None:
    first, second = np.array([1, 2, 2, 3, 5.0]), np.array([3, 4, 4, 5.0])
    assert kruskal_wallis([first, second]).p_exact == pytest.approx(mann_whitney(first, second).p_exact, rel=1e-12)
    assert kruskal_wallis([first, second]).p == pytest.approx(mann_whitney(first, second).p_asymptotic, rel=1e-12)


def test_large_groups_use_the_asymptotic_p_and_say_so() -> None:
    rng = np.random.default_rng(4)
    groups = [rng.integers(1, 6, 80).astype(float) for _ in range(3)]
    found = kruskal_wallis(groups)
    assert found.p_exact is None
    assert "too many ways" in found.exact_note
    many = mann_whitney(rng.integers(1, 6, 150), rng.integers(1, 6, 150))
    assert (many.p_exact, many.p) == (None, many.p_asymptotic)
    exact = mann_whitney(groups[0][:45], groups[1][:45])
    assert exact.p_exact == pytest.approx(exact.p_asymptotic, rel=0.05)


def test_degenerate_groups_are_plain() -> None:
    assert mann_whitney([], [1]).note == "a group has no answers"
    assert mann_whitney([1], [2]).p == 1
    assert kruskal_wallis([np.array([1.0])]).note == "fewer than two groups"
    assert kruskal_wallis([np.array([1.0]), np.array([])]).note == "fewer than two groups"
