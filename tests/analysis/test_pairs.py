"""Pairwise choices as counts, against R 4.2.2's binom.test."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.model import PAIRS
from analysis.pairs import SEVERAL, figures, pairs_table


def rows(chosen: list[str | None], left: list[str], who: list[str] | None = None) -> pd.DataFrame:
    people = who or [f"P{n:04}" for n in range(1, len(chosen) + 1)]
    right = [{"calm": "careful", "careful": "calm"}[side] for side in left]
    table = [(p, None, "closer", a, b, c) for p, a, b, c in zip(people, left, right, chosen, strict=True)]
    return pd.DataFrame(table, columns=list(PAIRS), dtype=object)


def test_choices_are_counted_and_tested_exactly() -> None:
    """R: binom.test(9, 10)$p.value, $conf.int; binom.test(6, 10)$p.value"""
    chosen = ["calm"] * 9 + ["careful"]
    found = figures(rows(chosen, ["calm"] * 5 + ["careful"] * 5))
    assert found["counts"] == {"calm": 9, "careful": 1}
    assert (found["n"], found["share"], found["n_left"]) == (10, 0.9, 6)
    assert found["p"] == pytest.approx(0.021484375)
    assert found["share_ci"] == pytest.approx([0.5549838829, 0.9974714124])
    assert found["p_left"] == pytest.approx(0.75390625)


def test_who_chose_none_is_left_out_and_a_side_that_nobody_chose_counts_zero() -> None:
    found = figures(rows(["careful", None, "prefer_not_to_say"], ["calm", "careful", "calm"]))
    assert (found["n"], found["n_left_out"], found["counts"]) == (1, 2, {"calm": 0, "careful": 1})
    nobody = figures(rows([None], ["calm"]))
    assert (nobody["n"], nobody["share"], nobody["p"]) == (0, None, None)
    assert nobody["p_note"] == "nobody chose"


def test_several_choices_of_one_participant_are_counted_and_not_tested() -> None:
    found = figures(rows(["calm", "calm"], ["calm", "careful"], ["P0001", "P0001"]))
    assert (found["counts"], found["p"], found["share_ci"]) == ({"calm": 2, "careful": 0}, None, None)
    assert found["p_note"] == SEVERAL


def test_the_table_has_a_row_for_each_pair_and_condition() -> None:
    group = figures(rows(["calm", "careful", "calm"], ["calm", "calm", "careful"]))
    table = pairs_table({"conditions": {"plain": "Words"}, "pairs": {"closer": {"plain": group, "once": group}}})
    assert list(table.frame["condition"]) == ["plain", "once"]
    assert list(table.frame["n_first"]) == [2, 2]
    assert list(table.display["System"]) == ["Words", "Asked once"]
    assert table.display["Chosen"][0] == "calm 2, careful 1"
    assert table.display["Left chosen"][0] == "1 of 3"
    assert pairs_table({"conditions": {}, "pairs": None}).frame.empty
