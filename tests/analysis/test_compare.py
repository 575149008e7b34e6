"""An item's comparison as a whole: who is in it, its pairs' names and directions, Holm's correction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.compare import compare, compare_items
from analysis.describe import describe
from analysis.holm import holm
from tests.analysis.oracle import DATA, ITEMS, PAIRS, R, agree, ratings


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", ITEMS)
def test_description_is_rs(which: str, item: str) -> None:
    frame = ratings(which, item)
    for condition, expected in R[which]["items"][item]["desc"].items():
        found = describe(frame[condition].dropna().tolist(), 1, 5)
        agree("describe n, median", (found.n, found.median), (expected["n"], expected["median"]))
        agree("describe mean", found.mean, expected["mean"])
        agree("describe sd", found.sd, expected["sd"])
        agree("describe counts", found.counts, expected["counts"])


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", ITEMS)
def test_pairs_are_named_and_corrected_as_rs(which: str, item: str) -> None:
    expected = R[which]["items"][item]["wilcoxon"]
    pairs = compare(item, ratings(which, item)).pairs
    assert tuple(pair.name for pair in pairs) == PAIRS
    agree("pairs holm", [pair.p_holm for pair in pairs], expected["adjusted"]["coin_wilcoxon_exact"]["holm"])
    agree("pairs p", [p.test.p for p in pairs], [expected["pairs"][p]["coin_wilcoxon_exact"]["p"] for p in PAIRS])


@pytest.mark.parametrize("which", DATA)
def test_holm_across_items_is_rs(which: str) -> None:
    p_values = [R[which]["items"][item]["friedman"]["p"] for item in ITEMS]
    agree("holm across items", holm(p_values), R[which]["holm_across_items_friedman"])
    found = compare_items({item: ratings(which, item) for item in ITEMS})
    assert [c.friedman.p_holm for c in found] == pytest.approx(holm([c.friedman.p for c in found]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@settings(deadline=None)
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
    by_name = {pair.name: pair for pair in found.pairs}
    assert list(by_name) == ["text-cases", "text-generated", "cases-generated"]
    assert by_name["text-generated"].left_out == ("P3",)
    assert by_name["text-cases"].left_out == ("P2",)
    assert by_name["text-cases"].test.n == 3
    assert by_name["text-generated"].test.rank_biserial == -1  # text is rated lower


def test_any_number_of_conditions_and_participants() -> None:
    same = compare("trust", pd.DataFrame(np.full((5, 3), 4.0), columns=["a", "b", "c"]))
    assert all(pair.test.note == "all differences are zero" for pair in same.pairs)
    assert (same.friedman.p, same.friedman.p_holm) == (None, None)
    one = compare("trust", pd.DataFrame([[1.0, 2.0, 3.0]], columns=["a", "b", "c"]))
    assert one.pairs[0].test.p == 1.0
    none = compare("trust", pd.DataFrame(np.full((2, 2), np.nan), columns=["a", "b"]))
    assert none.pairs[0].test.note == "nobody answered in both conditions"
    five = compare("trust", pd.DataFrame(np.arange(10.0).reshape(2, 5) % 4, columns=list("abcde")))
    assert len(five.pairs) == 10
    two = compare("trust", pd.DataFrame([[1.0, 2.0], [2.0, 4.0]], columns=["a", "b"]))
    assert (two.friedman.p_exact, two.pairs[0].test.p_exact) == (0.5, 0.5)
    assert compare("trust", pd.DataFrame({"a": [1.0, 2.0]})).pairs == ()
