"""Friedman, Iman–Davenport and the exact p against R's, against brute force, and in degenerate cases."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.friedman import friedman
from tests.analysis.oracle import DATA, ITEMS, R, agree, ratings


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", [*ITEMS, "SCALE_MEAN"])
def test_friedman_is_rs(which: str, item: str) -> None:
    expected = R[which]["items"][item]["friedman"]
    found = friedman(ratings(which, item).dropna().to_numpy(float))
    assert (found.n, found.df) == (expected["n"], expected["df"])
    agree("friedman chi2", found.chi2, expected["chi2"])
    agree("friedman p", found.p_asymptotic, expected["p"])
    agree("friedman W", found.kendall_w, expected["kendall_W"])
    agree("friedman mean ranks", found.mean_ranks, expected["mean_ranks"])
    theirs, ours = expected["iman_davenport"], found.iman_davenport
    assert ours is not None
    agree("iman-davenport", (ours.f, ours.df1, ours.df2, ours.p), [theirs[key] for key in ("F", "df1", "df2", "p")])
    # R's conditional p is Monte Carlo with 1e5 draws: five standard errors apart at most
    sampled = expected["coin_mc_p_1e5_seed1"]
    assert found.p_exact == pytest.approx(sampled, abs=5 * (max(sampled, 1e-5) / 1e5) ** 0.5)


def by_brute_force(values: list[tuple[int, ...]]) -> float:
    """The share of all permutations of all rows whose statistic is at least the observed one."""
    ranks = stats.rankdata(np.array(values, dtype=float), axis=1)
    n, k = ranks.shape
    orders = np.array(list(permutations(range(k))))
    sums = np.zeros((1, k))
    for choice in ranks[:, orders]:
        sums = (sums[:, None, :] + choice[None, :, :]).reshape(-1, k)
    centre = n * (k + 1) / 2
    observed = ((ranks.sum(axis=0) - centre) ** 2).sum()
    return float((((sums - centre) ** 2).sum(axis=1) >= observed - 1e-9).mean())


@given(st.lists(st.tuples(*[st.integers(1, 5)] * 3), min_size=2, max_size=4))
@settings(max_examples=60, deadline=None)
def test_exact_p_is_the_share_of_permutations(rows: list[tuple[int, int, int]]) -> None:
    found = friedman(rows)
    if found.p_exact is None:
        assert found.note == "all differences are zero"
        assert all(len(set(row)) == 1 for row in rows)
        return
    assert found.p_exact == pytest.approx(by_brute_force(rows), abs=1e-12)


@given(st.lists(st.tuples(*[st.integers(1, 5)] * 4), min_size=2, max_size=3).filter(lambda r: any(map(np.ptp, r))))
@settings(max_examples=25, deadline=None)
def test_exact_p_of_four_conditions(rows: list[tuple[int, ...]]) -> None:
    assert friedman(rows).p_exact == pytest.approx(by_brute_force(rows), abs=1e-12)


def test_five_conditions_and_two() -> None:
    five = [(1, 2, 3, 4, 5), (2, 2, 3, 5, 4), (1, 1, 4, 4, 5)]
    assert friedman(five[:2]).p_exact == pytest.approx(by_brute_force(five[:2]), abs=1e-12)
    assert friedman(five).df == 4
    two = [(1, 2)] * 9 + [(2, 1)] * 3 + [(4, 4)] * 5  # with two conditions it is the sign test
    assert friedman(two).p_exact == pytest.approx(stats.binomtest(9, 12).pvalue, rel=1e-12)


def test_above_the_limit_the_asymptotic_p_is_used_and_said() -> None:
    rng = np.random.default_rng(3)
    many = friedman(rng.integers(1, 6, (250, 3)))
    assert (many.p_exact, many.p) == (None, many.p_asymptotic)
    assert "n = 250 is above 200" in many.exact_note
    wide = friedman(rng.integers(1, 6, (40, 5)))
    assert wide.p_exact is None
    assert "too many orders" in wide.exact_note
    assert friedman(rng.integers(1, 6, (6, 12))).p_exact is None


def test_degenerate_answers_are_plain() -> None:
    assert friedman(np.full((5, 3), 4.0)).note == "all differences are zero"
    assert "fewer than two participants" in friedman([[1.0, 2.0, 3.0]]).note
    assert "fewer than two participants" in friedman(np.empty((0, 3))).note
    assert friedman([[1.0], [2.0]]).note == "one condition only: nothing to compare"
    alike = friedman([[1, 2, 3]] * 4)
    assert alike.kendall_w == 1
    assert alike.iman_davenport is None  # F is infinite
    assert alike.p_exact == pytest.approx(6 / 6**4)
    assert friedman([[1, 2], [1, 2]]).p_exact == 0.5
