"""The signed-rank test against R's, against brute force, and in degenerate cases."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.wilcoxon import hodges_lehmann, signed_rank
from tests.analysis.oracle import DATA, ITEMS, PAIRS, R, agree, ratings

R_ROOT = 1e-4
"""R searches the Hodges–Lehmann estimate with uniroot(tol = 1e-4)."""


def middle_averages(differences: list[float]) -> tuple[float, float]:
    """The two middle Walsh averages (the same one twice where their number is odd)."""
    averages = sorted((a + b) / 2 for i, a in enumerate(differences) for b in differences[i:])
    return averages[(len(averages) - 1) // 2], averages[len(averages) // 2]


def check(differences: Any, expected: dict[str, Any]) -> None:
    found = signed_rank(differences)
    counts = (found.n, found.n_zero, found.n_positive, found.n_negative)
    assert counts == tuple(expected[key] for key in ("n", "n_zero", "n_pos", "n_neg"))
    agree("probability of superiority", found.probability, expected["ps_paired"])
    if "error" in expected["coin_wilcoxon_exact"]:
        assert (found.p, found.rank_biserial, found.note) == (None, None, "all differences are zero")
        return
    agree("wilcoxon exact p", found.p_exact, expected["coin_wilcoxon_exact"]["p"])
    agree("wilcoxon exact p (exactRankTests)", found.p_exact, expected["exactRankTests_wilcox_exact"]["p"])
    agree("wilcoxon asymptotic p", found.p_asymptotic, expected["coin_wilcoxon_asym"]["p"])
    agree("wilcoxon asymptotic p (wilcox.test)", found.p_asymptotic, expected["base_asym_nocorr"]["p"])
    agree("pratt exact p", found.p_pratt_exact, expected["coin_pratt_exact"]["p"])
    ranks = expected["rank_biserial"]
    agree("W+ and W-", (found.w_plus, found.w_minus), (ranks["W_plus"], ranks["W_minus"]))
    agree("rank-biserial", found.rank_biserial, ranks["r_rb"])
    low, high = middle_averages([float(d) for d in differences if d])
    assert found.hodges_lehmann == (low + high) / 2
    assert low - R_ROOT <= expected["hodges_lehmann"]["est"] <= high + R_ROOT  # any root between the two will do for R


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", ITEMS)
@pytest.mark.parametrize("pair", PAIRS)
def test_pairs_are_rs(which: str, item: str, pair: str) -> None:
    first, second = pair.split("-")
    frame = ratings(which, item)[[first, second]].dropna()
    check(frame[first] - frame[second], R[which]["items"][item]["wilcoxon"]["pairs"][pair])


@pytest.mark.parametrize("name", R["vectors"])
def test_hand_made_differences_are_rs(name: str) -> None:
    check(R["vectors"][name]["d"], R["vectors"][name])


@pytest.mark.parametrize("which", DATA)
def test_scale_means_are_tied_like_their_sums(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    means = ratings(which, "SCALE_MEAN")
    for pair in PAIRS:
        first, second = (means[condition] for condition in pair.split("-"))
        by_means = signed_rank((first - second).dropna())
        by_sums = signed_rank((3 * first - 3 * second).dropna().round())
        assert by_means.p == by_sums.p
    monkeypatch.setattr("analysis.wilcoxon.DECIMALS", 17)  # R ranks the rounding errors too
    for pair in PAIRS:
        first, second = (means[condition] for condition in pair.split("-"))
        expected = R[which]["items"]["SCALE_MEAN"]["wilcoxon"]["pairs"][pair]
        found = signed_rank((first - second).dropna())
        agree("wilcoxon exact p, rounding errors ranked", found.p_exact, expected["coin_wilcoxon_exact"]["p"])


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9).filter(any))
@settings(max_examples=80, deadline=None)
def test_exact_p_is_the_share_of_sign_flips(differences: list[int]) -> None:
    d = np.array(differences, dtype=float)
    for ranks, found in [
        (stats.rankdata(np.abs(d[d != 0])), signed_rank(differences).p_exact),
        (stats.rankdata(np.abs(d))[d != 0], signed_rank(differences).p_pratt_exact),
    ]:
        centre = ranks.sum() / 2
        observed = abs(ranks[d[d != 0] > 0].sum() - centre)
        flips = [abs(ranks[np.array(signs)].sum() - centre) for signs in product([False, True], repeat=ranks.size)]
        assert found == pytest.approx(np.mean([flip >= observed - 1e-9 for flip in flips]), abs=1e-12)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_hodges_lehmann_is_the_median_of_the_walsh_averages(differences: list[int]) -> None:
    assert hodges_lehmann(np.array(differences, dtype=float)) == np.mean(middle_averages(differences))


def test_five_ones_forty_zeros_five_minus_ones() -> None:
    found = signed_rank([1] * 5 + [0] * 40 + [-1] * 5)
    assert (found.p_exact, found.p_pratt_exact, found.rank_biserial, found.n_zero) == (1.0, 1.0, 0.0, 40)


def test_degenerate_answers_are_plain() -> None:
    assert signed_rank([0.0] * 6).note == "all differences are zero"
    assert signed_rank([]).note == "nobody answered in both conditions"
    assert signed_rank([2]).p == 1
    assert signed_rank([1, 1]).p == 0.5
    down = signed_rank([-1] * 8)  # effectsize 0.8.3 says +1 here
    assert (down.rank_biserial, down.hodges_lehmann) == (-1, -1)


def test_large_samples_meet_the_exact_p(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    differences = rng.integers(-3, 4, 400) + (rng.random(400) < 0.12)
    exact = signed_rank(differences)
    monkeypatch.setattr("analysis.wilcoxon.EXACT_N", 100)
    normal = signed_rank(differences)
    assert (exact.exact, normal.exact, normal.p_exact) == (True, False, None)
    assert normal.p == pytest.approx(exact.p, rel=0.05)
