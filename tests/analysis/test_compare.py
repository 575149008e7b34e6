"""The tests' figures against R's, against brute force, and in degenerate cases."""

from __future__ import annotations

import json
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from analysis.compare import compare, compare_items, friedman, holm, signed_rank
from analysis.describe import describe

REFERENCE = Path(__file__).parents[1] / "reference" / "statistics"
R = json.loads((REFERENCE / "r_results.json").read_text())
DATA = {"complete": "likert_long.csv", "missing": "likert_missing.csv"}
ITEMS = ("Q1", "Q2", "Q3")
CLOSE = {"rel": 1e-9, "abs": 1e-15}


def ratings(which: str, item: str) -> pd.DataFrame:
    long = pd.read_csv(REFERENCE / DATA[which])
    if item == "SCALE_MEAN":
        groups = long.groupby(["participant", "condition"])["rating"]
        return groups.mean()[groups.count() == 3].unstack()
    return long[long["item"] == item].pivot(index="participant", columns="condition", values="rating")


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", ITEMS)
def test_description_is_rs(which: str, item: str) -> None:
    frame = ratings(which, item)
    for condition, expected in R[which]["items"][item]["desc"].items():
        found = describe(frame[condition].dropna().tolist(), 1, 5)
        assert found.n == expected["n"]
        assert found.mean == pytest.approx(expected["mean"], **CLOSE)
        assert found.sd == pytest.approx(expected["sd"], **CLOSE)
        assert found.median == expected["median"]
        assert list(found.counts.values()) == expected["counts"]


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", [*ITEMS, "SCALE_MEAN"])
def test_friedman_is_rs(which: str, item: str) -> None:
    expected = R[which]["items"][item]["friedman"]
    found = compare(item, ratings(which, item)).friedman
    assert (found.n, found.df) == (expected["n"], expected["df"])
    assert found.chi2 == pytest.approx(expected["chi2"], **CLOSE)
    assert found.p_asymptotic == pytest.approx(expected["p"], **CLOSE)
    assert found.kendall_w == pytest.approx(expected["kendall_W"], **CLOSE)
    assert found.mean_ranks == pytest.approx(expected["mean_ranks"], **CLOSE)
    # R's conditional p is Monte Carlo with 1e5 draws: five standard errors apart at most
    sampled = expected["coin_mc_p_1e5_seed1"]
    assert found.p_exact == pytest.approx(sampled, abs=5 * (max(sampled, 1e-5) / 1e5) ** 0.5)


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", ITEMS)
def test_pairs_are_rs(which: str, item: str) -> None:
    pairs = compare(item, ratings(which, item)).pairs
    assert len(pairs) == 3
    names = list(R[which]["items"][item]["pairs"])
    corrected = R[which]["items"][item]["holm"]["holm"]
    for pair in pairs:
        name = f"{pair.second}-{pair.first}"  # R took the earlier condition first
        expected = R[which]["items"][item]["pairs"][name]
        test = pair.test
        assert (test.n, test.n_zero) == (expected["n"], expected["n_zero"])
        assert (test.n_positive, test.n_negative) == (expected["n_neg"], expected["n_pos"])
        assert test.p == pytest.approx(expected["coin_wilcoxon_exact"]["p"], **CLOSE)
        ranks = expected["rank_biserial"]
        assert (test.w_plus, test.w_minus) == (ranks["W_minus"], ranks["W_plus"])
        assert test.rank_biserial == pytest.approx(-ranks["r_rb"], **CLOSE)
        assert pair.p_holm == pytest.approx(corrected[names.index(name)], **CLOSE)


@pytest.mark.parametrize("which", DATA)
def test_holm_across_items_is_rs(which: str) -> None:
    expected = R[which]["holm_across_items_friedman"]
    p_values = [R[which]["items"][item]["friedman"]["p"] for item in ITEMS]
    assert holm(p_values) == pytest.approx(expected, **CLOSE)
    found = compare_items({item: ratings(which, item) for item in ITEMS})
    assert [c.friedman.p_holm for c in found] == pytest.approx(holm([c.friedman.p for c in found]))


@pytest.mark.parametrize("name", R["vectors"])
def test_hand_made_differences_are_rs(name: str) -> None:
    expected = R["vectors"][name]
    found = signed_rank(expected["d"])
    assert found.n_zero == expected["n_zero"]
    if "error" in expected["coin_wilcoxon_exact"]:
        assert (found.p, found.rank_biserial, found.note) == (None, None, "all differences are zero")
        return
    assert found.p == pytest.approx(expected["coin_wilcoxon_exact"]["p"], **CLOSE)
    assert found.w_plus == expected["exactRankTests_wilcox_exact"]["V"]
    assert found.rank_biserial == pytest.approx(expected["rank_biserial"]["r_rb"], **CLOSE)


def test_scale_means_are_tied_like_their_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    means = ratings("complete", "SCALE_MEAN")
    by_means = [pair.test.p for pair in compare("mean", means).pairs]
    by_sums = [pair.test.p for pair in compare("sum", (3 * means).round()).pairs]
    assert by_means == by_sums
    monkeypatch.setattr("analysis.compare.DECIMALS", 17)  # R ranks the rounding errors too
    expected = R["complete"]["items"]["SCALE_MEAN"]["pairs"]
    for pair in compare("mean", means).pairs:
        r_p = expected[f"{pair.second}-{pair.first}"]["coin_wilcoxon_exact"]["p"]
        assert pair.test.p == pytest.approx(r_p, **CLOSE)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9).filter(any))
@settings(max_examples=80, deadline=None)
def test_exact_wilcoxon_is_the_share_of_sign_flips(differences: list[int]) -> None:
    used = np.array([d for d in differences if d], dtype=float)
    ranks = rankdata(np.abs(used))
    centre = ranks.sum() / 2
    observed = abs(ranks[used > 0].sum() - centre)
    flips = [abs(ranks[np.array(signs)].sum() - centre) for signs in product([False, True], repeat=used.size)]
    share = np.mean([flip >= observed - 1e-9 for flip in flips])
    assert signed_rank(differences).p == pytest.approx(share, abs=1e-12)


@given(st.lists(st.tuples(*[st.integers(1, 5)] * 3), min_size=2, max_size=4))
@settings(max_examples=60, deadline=None)
def test_exact_friedman_is_the_share_of_permutations(rows: list[tuple[int, int, int]]) -> None:
    found = friedman(rows)
    ranks = rankdata(np.array(rows, dtype=float), axis=1)
    if found.p_exact is None:
        assert found.note == "all differences are zero"
        assert (ranks == 2).all()
        return
    orders = np.array(list(permutations(range(3))))
    choices = ranks[:, orders]  # (n, 6, 3): each row's ranks in every order
    sums = np.zeros((1, 3))
    for choice in choices:
        sums = (sums[:, None, :] + choice[None, :, :]).reshape(-1, 3)
    spread = ((sums - 2 * len(rows)) ** 2).sum(axis=1)
    observed = ((ranks.sum(axis=0) - 2 * len(rows)) ** 2).sum()
    assert found.p_exact == pytest.approx((spread >= observed - 1e-9).mean(), abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_never_lowers_a_p(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, corrected, strict=True))
    assert [corrected[i] for i in np.argsort(p_values, kind="stable")] == sorted(corrected)
    assert min(corrected) == pytest.approx(min(1, len(p_values) * min(p_values)))


def test_an_untestable_pair_stays_in_its_family() -> None:
    assert holm([0.01, None, 0.02]) == [0.03, None, 0.04]


def test_nobody_is_dropped_in_silence() -> None:
    frame = pd.DataFrame(
        {"text": [1, 2, 3, 1], "cases": [2, np.nan, 3, 2], "generated": [3, 4, np.nan, 3]},
        index=["P1", "P2", "P3", "P4"],
    )
    found = compare("trust", frame)
    assert (found.friedman.n, found.friedman.left_out) == (2, ("P2", "P3"))
    by_name = {(pair.first, pair.second): pair for pair in found.pairs}
    assert by_name["generated", "text"].left_out == ("P3",)
    assert by_name["cases", "text"].left_out == ("P2",)
    assert by_name["cases", "text"].test.n == 3


def test_degenerate_answers_are_plain() -> None:
    same = compare("trust", pd.DataFrame(np.full((5, 3), 4.0), columns=["a", "b", "c"]))
    assert same.friedman.note == "all differences are zero"
    assert all(pair.test.note == "all differences are zero" for pair in same.pairs)
    assert (same.friedman.p, same.friedman.p_holm) == (None, None)
    one = compare("trust", pd.DataFrame([[1.0, 2.0, 3.0]], columns=["a", "b", "c"]))
    assert "fewer than two participants" in one.friedman.note
    assert one.pairs[0].test.p == 1.0
    none = compare("trust", pd.DataFrame(np.full((2, 2), np.nan), columns=["a", "b"]))
    assert none.pairs[0].test.note == "nobody answered in both conditions"


def test_large_samples_meet_the_exact_p(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    differences = rng.integers(-3, 4, 400) + (rng.random(400) < 0.12)
    exact = signed_rank(differences)
    monkeypatch.setattr("analysis.compare.EXACT_WILCOXON_N", 100)
    normal = signed_rank(differences)
    assert (exact.exact, normal.exact) == (True, False)
    assert normal.p == pytest.approx(exact.p, rel=0.05)
    assert friedman(rng.integers(1, 6, (250, 3))).p_exact is None
