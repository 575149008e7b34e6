"""Reliance on advice, against vectors counted by hand after the definitions of Schemmer et al. (2023)."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from analysis.model import DECISIONS
from analysis.reliance import figures

# Every case there is with two decisions, truth "r", wrong "w", in the order initial, advice, final.
# CA (first wrong, advice right): "wrr" and "wrw". IA (first right, advice wrong): "rwr" and "rww".
CASES = {
    "wrr": "helped and follows: correct AI reliance",
    "wrw": "helped and stays wrong: under-reliance",
    "rwr": "misled and stays right: correct self-reliance",
    "rww": "misled and follows: over-reliance",
    "rrr": "nothing to decide, in neither measure",
    "rrw": "leaves a right decision that was advised",
    "www": "both wrong, in neither measure",
    "wwr": "right against a wrong advice, in neither measure",
}


def decisions(*cases: str, people: list[str] | None = None) -> pd.DataFrame:
    who = people or [f"P{n:04d}" for n in range(len(cases))]
    rows = [(person, "a", *case, "r") for person, case in zip(who, cases, strict=True)]
    return pd.DataFrame(rows, columns=["participant", "condition", "initial", "advice", "final", "truth"])


def test_the_columns_are_those_of_the_view() -> None:
    assert set(decisions("wrr")) == set(DECISIONS)


def test_every_kind_of_case_counts_where_it_belongs() -> None:
    found = figures(decisions(*CASES))
    assert (found["n"], found["n_right_advice"], found["n_wrong_advice"]) == (8, 2, 2)
    assert (found["rair"], found["rsr"]) == (0.5, 0.5)
    assert (found["accuracy_before"], found["accuracy_of_advice"], found["accuracy_after"]) == (0.5, 0.5, 0.5)
    # final is the advice: wrr, rww, rrr, www. First is not the advice: wrr, wrw, rwr, rww; of these wrr, rww switch.
    assert found["agreement_fraction"] == 4 / 8
    assert (found["n_different_advice"], found["switch_fraction"]) == (4, 2 / 4)


def test_a_hand_made_study() -> None:
    """CA: 4 wrr + 1 wrw, IA: 1 rwr + 2 rww; 3 rrr and 1 wwr count in the fractions only."""
    found = figures(decisions(*["wrr"] * 4, "wrw", "rwr", *["rww"] * 2, *["rrr"] * 3, "wwr"))
    assert (found["rair"], found["under_reliance"]) == (4 / 5, pytest.approx(1 / 5))
    assert (found["rsr"], found["over_reliance"]) == (1 / 3, pytest.approx(2 / 3))
    assert found["agreement_fraction"] == (4 + 2 + 3) / 12
    assert found["switch_fraction"] == (4 + 2) / (5 + 3)
    assert found["accuracy_after"] == (4 + 1 + 3 + 1) / 12


def test_who_always_follows_and_who_never_does() -> None:
    firsts, advices = "rw", "rw"
    follows = figures(decisions(*(a + b + b for a, b in itertools.product(firsts, advices))))
    assert (follows["rair"], follows["rsr"]) == (1, 0)
    assert (follows["agreement_fraction"], follows["switch_fraction"]) == (1, 1)
    stays = figures(decisions(*(a + b + a for a, b in itertools.product(firsts, advices))))
    assert (stays["rair"], stays["rsr"]) == (0, 1)
    assert (stays["over_reliance"], stays["under_reliance"], stays["switch_fraction"]) == (0, 1, 0)


def test_a_third_decision_is_no_reliance_on_the_advice() -> None:
    """With more than two options: first wrong, advice right, final wrong in another way; and first right, advice
    wrong, final wrong in another way: not appropriate, and no agreement."""
    rows = pd.DataFrame(
        [("P1", "a", "x", "r", "y", "r"), ("P2", "a", "r", "x", "y", "r")],
        columns=["participant", "condition", "initial", "advice", "final", "truth"],
    )
    found = figures(rows)
    assert (found["rair"], found["rsr"], found["agreement_fraction"], found["switch_fraction"]) == (0, 0, 0, 0)


def test_a_figure_without_cases_is_null_with_its_reason_and_left_out_cases_are_counted() -> None:
    rows = decisions("rrr", "rrr")
    rows.loc[len(rows)] = ["P9", "a", "w", None, "r", "r"]
    found = figures(rows)
    assert (found["n"], found["n_left_out"]) == (2, 1)
    for key in ("rair", "rsr", "under_reliance", "over_reliance", "switch_fraction"):
        assert found[key] is None
        assert found[f"{key}_ci"] is None
    assert "wrongly at first" in found["rair_note"]
    assert found["under_reliance_ci_note"] == found["rair_note"]
    assert "was the advice in every case" in found["switch_fraction_note"]
    assert figures(rows.iloc[:0])["accuracy_after_note"] == "no case with all four entries"


def test_participants_are_drawn_with_all_their_cases() -> None:
    """Ten people of one mind each, 20 cases a person: drawn case by case the interval would be a quarter as wide."""
    people = [f"P{n}" for n in range(10) for _ in range(20)]
    cases = ["wrr" if int(who[1:]) < 5 else "wrw" for who in people]
    found = figures(decisions(*cases, people=people))
    # The share of five in ten people, drawn ten at a time: a binomial with n = 10 and p = 0.5.
    draws = np.random.default_rng(3).binomial(10, 0.5, 200_000) / 10
    assert found["rair"] == 0.5
    assert found["rair_ci"] == pytest.approx(list(np.quantile(draws, [0.025, 0.975])), abs=1e-9)
    assert found["under_reliance_ci"] == pytest.approx([1 - found["rair_ci"][1], 1 - found["rair_ci"][0]])


def test_participants_weigh_by_their_cases() -> None:
    people = ["P1"] * 3 + ["P2"]
    found = figures(decisions("wrr", "wrr", "wrr", "wrw", people=people))
    assert found["rair"] == 0.75  # of cases, not the mean of 1 and 0
    assert found["rair_ci"] == [0, 1]


def test_one_participant_has_no_interval_and_the_same_seed_the_same_interval() -> None:
    alone = figures(decisions("wrr", "wrw", people=["P1", "P1"]))
    assert (alone["rair"], alone["rair_ci"]) == (0.5, None)
    assert "fewer than two participants" in alone["rair_ci_note"]
    rows = decisions(*["wrr"] * 7, *["wrw"] * 4, *["rww"] * 5)
    assert figures(rows, seed=4) == figures(rows, seed=4)
    assert figures(rows, seed=4)["rair"] == figures(rows, seed=5)["rair"]
