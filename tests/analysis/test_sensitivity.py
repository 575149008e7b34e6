"""The sensitivity analyses against R's, and where they cannot be computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.clmm import clmm
from analysis.clmm_likelihood import Answers, Parameters, answers_of, log_likelihood
from analysis.friedman import friedman
from analysis.mixed import dummies, effects
from analysis.order import order_effects
from analysis.reliability import reliability
from analysis.rm_anova import paired_t, rm_anova
from tests.analysis.oracle import CONDITIONS, DATA, ITEMS, PAIRS, R, agree, long, ratings

LMER = 1e-6
"""lmer stops its search for the variances before their optimum: complete data, where F is also that of the
ANOVA (test below), show how far."""
CLMM = 2e-8
"""clmm finds the modes of the random effects to 1e-4; the likelihood ratio agrees to 1e-9 nevertheless."""
FACTANAL = 1e-4
"""factanal stops its search early; with three items the loadings have a closed form (test below)."""


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", [*ITEMS, "SCALE_MEAN"])
def test_rm_anova_is_rs(which: str, item: str) -> None:
    found, expected = rm_anova(ratings(which, item).dropna()), R[which]["items"][item]["rm_anova"]["base"]
    assert (found.df1, found.df2, found.note) == (expected["df1"], expected["df2"], "")
    agree("rm anova F, p", (found.f, found.p), (expected["F"], expected["p"]))
    agree("greenhouse-geisser", (found.epsilon_gg, found.p_gg), (expected["GG_eps"], expected["p_GG"]))
    agree("generalised eta squared", found.eta2_g, expected["ges"])


def check_t(differences: Any, expected: dict[str, Any]) -> None:
    found = paired_t(differences)
    if "error" in expected["t_paired"] or expected["t_paired"]["t"] is None:
        assert (found.t, found.note) == (None, "all differences are equal")
        return
    theirs = expected["t_paired"]
    agree("paired t", (found.t, found.df, found.p), (theirs["t"], theirs["df"], theirs["p"]))
    agree("paired t interval", found.ci, theirs["ci"])
    agree("cohen dz", (found.cohen_dz, found.mean_difference), (expected["cohen_dz"], expected["mean_diff"]))


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", [*ITEMS, "SCALE_MEAN"])
@pytest.mark.parametrize("pair", PAIRS)
def test_paired_t_is_rs(which: str, item: str, pair: str) -> None:
    first, second = pair.split("-")
    frame = ratings(which, item)[[first, second]].dropna()
    check_t(frame[first] - frame[second], R[which]["items"][item]["wilcoxon"]["pairs"][pair])


@pytest.mark.parametrize("name", R["vectors"])
def test_paired_t_of_hand_made_differences_is_rs(name: str) -> None:
    check_t(R["vectors"][name]["d"], R["vectors"][name])


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", ITEMS)
def test_clmm_is_rs(which: str, item: str) -> None:
    found, expected = clmm(ratings(which, item)), R[which]["items"][item]["clmm"]["agq10"]
    agree("clmm LR", (found.lr, found.df), (expected["LR_chi2"], expected["LR_df"]))
    agree("clmm log-likelihood", found.log_likelihood, expected["logLik"])
    agree("clmm p (to 2e-8)", found.p, expected["LR_p"], rel=CLMM)
    estimates = (found.thresholds, found.beta, found.sigma)
    agree("clmm estimates (to 1e-4)", estimates, [expected[k] for k in ("thresholds", "beta", "sd_participant")], 1e-4)
    agree("clmm standard errors (to 1e-4)", found.se, expected["se"], 1e-4)


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", ITEMS)
def test_f_instead_of_chi_square_is_the_careful_one(which: str, item: str) -> None:
    values = ratings(which, item).to_numpy(float)
    found = clmm(values)
    assert found.lr is not None
    assert found.df is not None
    assert found.df2 == np.isfinite(values).sum() - found.n - found.df
    assert found.p_f == stats.f.sf(found.lr / found.df, found.df, found.df2)
    assert found.p is not None
    assert found.p < found.p_f < found.p + 0.05 or found.p > 0.9


def test_two_people_in_two_conditions_leave_no_degrees_of_freedom_but_one() -> None:
    assert clmm([[1, 2], [2, 4]]).df2 == 1
    lone = clmm([[1, 2], [2, np.nan]])
    assert (lone.df2, lone.p_f) == (None, None)


def left(y: np.ndarray, *columns: pd.Series) -> float:
    """Sum of squares that dummies of ``columns`` leave."""
    design = pd.get_dummies(pd.DataFrame({n: c.astype(str) for n, c in enumerate(columns)}), dtype=float)
    residual = y - design @ np.linalg.lstsq(design.to_numpy(), y, rcond=None)[0]
    return float(residual @ residual)


def orders() -> dict[str, str]:
    """participant -> the order met: that of the complete data, of which the other lacks answers."""
    rows = long("complete").drop_duplicates(["participant", "order_position"]).sort_values("order_position")
    return {str(who): order for who, order in rows.groupby("participant")["condition"].agg(">".join).items()}


def condition_before(order: str, now: str) -> str | None:
    met = order.split(">")
    return met[met.index(now) - 1] if met.index(now) else None


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", ITEMS)
def test_carry_over_with_people_fixed_is_least_squares_with_a_column_for_each(which: str, item: str) -> None:
    rows = model_rows(which, item).sort_values(["participant", "period"])
    met = orders()
    found = order_effects(rows, met).fixed_carry_over
    cells = zip(rows["participant"], rows["condition"], strict=True)
    rows["before"] = [condition_before(met[who], now) for who, now in cells]
    later = rows.dropna(subset=["before"])
    y, others = later["value"].to_numpy(float), [later[name] for name in ("participant", "period", "condition")]
    without, whole = left(y, *others), left(y, *others, later["before"])
    assert found.df1 == 2
    assert found.df2 == len(later) - later["participant"].nunique() - 1 - 2 - 2
    assert found.f == pytest.approx((without - whole) / 2 / (whole / found.df2), rel=1e-9)
    assert found.p == pytest.approx(stats.f.sf(found.f, found.df1, found.df2), rel=1e-12)


def test_equal_means_are_no_effect_of_order_though_sums_are_rounded() -> None:
    """Drawn by size.py: without a difference between conditions given people and periods, F was just below zero."""
    ratings_ = np.array([
        [1, 1, 2], [3, 2, 4], [1, 2, 1], [4, 3, 3], [2, 2, 1], [3, 3, 4],
        [1, 2, 2], [3, 4, 5], [4, 4, 4], [4, 4, 2], [4, 3, 2], [2, 2, 2],
    ])  # fmt: skip
    orders = np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] * 2)
    rows = pd.DataFrame([
        {"participant": f"P{who:02d}", "condition": "abc"[met], "period": place + 1, "value": float(ratings_[who, met])}
        for who in range(12)
        for place, met in enumerate(orders[who])
    ])  # fmt: skip
    found = order_effects(rows, {}).fixed_condition
    assert found.f == pytest.approx(0, abs=1e-12)
    assert found.p == pytest.approx(1)


def model_rows(which: str, item: str) -> pd.DataFrame:
    if item == "SCALE_MEAN":
        groups = long(which).groupby(["participant", "condition", "order_position"])["rating"]
        rows = groups.mean()[groups.count() == 3].reset_index()
    else:
        rows = long(which).query("item == @item").dropna(subset=["rating"])
    return rows.rename(columns={"order_position": "period", "rating": "value"})


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", [*ITEMS, "SCALE_MEAN"])
def test_mixed_model_is_rs(which: str, item: str) -> None:
    rows, expected = model_rows(which, item), R[which]["items"][item]["lmm"]
    found = effects(rows["value"], list(rows["participant"]), {"condition": dummies(list(rows["condition"]))})
    ours = found["condition"]
    agree("lmm F, df (to 1e-6)", (ours.f, ours.df1, ours.df2), [expected[k] for k in ("F", "df1", "df2")], LMER)
    agree("lmm p (to 1e-6)", ours.p, expected["p"], LMER)
    if which == "complete":  # balanced: the same F as the ANOVA's, but for R's search
        anova = R[which]["items"][item]["rm_anova"]["base"]
        agree("lmm F, p of balanced data", (ours.f, ours.df2, ours.p), [anova[k] for k in ("F", "df2", "p")])


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("item", ITEMS)
def test_order_effects_are_rs(which: str, item: str) -> None:
    rows, expected = model_rows(which, item), R[which]["items"][item]["order"]
    met = rows.sort_values("period").groupby("participant")["condition"].agg(">".join).to_dict()  # as R was given it
    found = order_effects(rows, met)
    for index, ours in enumerate((found.condition, found.period)):
        theirs = [expected["lmm_condition_position"][k][index] for k in ("F", "df1", "df2", "p")]
        agree("order: condition and period (to 1e-6)", (ours.f, ours.df1, ours.df2, ours.p), theirs, LMER)
    theirs = [expected["carryover_lmm_periods_2_3"][k][2] for k in ("F", "df1", "df2", "p")]
    ours = found.carry_over
    agree("order: carry-over (to 1e-6)", (ours.f, ours.df1, ours.df2, ours.p), theirs, LMER)
    fixed = expected["fixed_effects_lm"]
    agree("order: fixed effects", (found.fixed_period.f, found.fixed_condition.f, found.fixed_period.df2),
          (fixed["F_position"], fixed["F_condition"], fixed["df_resid"]))  # fmt: skip
    agree("order: fixed effects p", (found.fixed_period.p, found.fixed_condition.p),
          (fixed["p_position"], fixed["p_condition"]))  # fmt: skip
    theirs = expected["friedman_by_position"]
    agree("order: friedman by period", (found.by_period.n, found.by_period.chi2, found.by_period.p_asymptotic),
          [theirs[k] for k in ("n", "chi2", "p")])  # fmt: skip
    theirs = expected["kruskal_participant_mean_by_sequence"]
    agree("order: kruskal by sequence", (found.by_sequence.chi2, found.by_sequence.df, found.by_sequence.p),
          [theirs[k] for k in ("chi2", "df", "p")])  # fmt: skip
    assert {order.replace(">", ""): n for order, n in found.sequences.items()} == expected["sequence_counts"]


@pytest.mark.parametrize("which", DATA)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_reliability_is_rs(which: str, condition: str) -> None:
    rows = long(which).query("condition == @condition")
    wide = rows.pivot(index="participant", columns="item", values="rating").dropna()
    found, expected = reliability(wide), R[which]["alpha"][condition]
    assert (found.n, found.k) == (expected["n"], expected["k"])
    agree("alpha", found.alpha, expected["raw_alpha"])
    agree("feldt", found.alpha_ci, (expected["feldt"]["lower.ci"], expected["feldt"]["upper.ci"]))
    agree("omega (to 1e-4)", found.omega, expected["factanal_omega"]["omega_std"], FACTANAL)
    r = np.corrcoef(wide, rowvar=False)  # three items: the loadings have a closed form
    loadings = np.sqrt([r[0, 1] * r[0, 2] / r[1, 2], r[0, 1] * r[1, 2] / r[0, 2], r[0, 2] * r[1, 2] / r[0, 1]])
    common = loadings.sum() ** 2
    assert found.omega == pytest.approx(common / (common + (1 - loadings**2).sum()), rel=1e-6)


def test_what_cannot_be_computed_is_said() -> None:
    same = np.full((6, 3), 4.0)
    assert "differ alike" in rm_anova(same).note
    assert "differ alike" in rm_anova(np.arange(12.0).reshape(4, 3)).note
    assert "fewer than two participants" in rm_anova([[1.0, 2.0]]).note
    assert "one condition" in rm_anova([[1.0], [2.0]]).note
    assert rm_anova([[1, 2], [2, 5], [3, 3]]).epsilon_gg == pytest.approx(1)
    assert paired_t([]).note == "nobody answered in both conditions"
    assert paired_t([1.0]).note == "fewer than two participants answered in both conditions"
    assert clmm(same).note == "all answers are equal"
    assert "fewer than two participants" in clmm([[1.0, 2.0]]).note
    assert "fewer than two participants" in clmm(np.empty((0, 3))).note
    assert "nobody answered in two conditions" in clmm([[1, np.nan], [np.nan, 2], [3, np.nan]]).note
    assert "an item has the same answer" in reliability(same).note
    assert reliability([[1.0], [2.0]]).note == "a scale needs two items"
    assert "two items" in reliability([[1, 2], [2, 3], [4, 3.0]]).omega_note


def test_separated_answers_give_the_limit_of_the_likelihood_ratio() -> None:
    apart = clmm([[1, 5]] * 12 + [[2, 4]] * 3)
    assert "runs to infinity" in apart.note
    assert apart.lr is not None
    assert 20 < apart.lr < 60
    assert apart.p is not None
    assert apart.p < 1e-4


def test_clmm_does_not_depend_on_the_order_of_people_and_counts_equal_ones() -> None:
    frame = ratings("missing", "Q2").to_numpy(float)
    again = clmm(frame[::-1])
    assert clmm(frame).lr == pytest.approx(again.lr, rel=1e-9)
    doubled = clmm(np.vstack([frame, frame]))
    assert doubled.log_likelihood == pytest.approx(2 * (again.log_likelihood or 0), rel=1e-9)


@pytest.mark.parametrize("which", DATA)
def test_equal_answers_are_computed_once_and_weigh_as_many(which: str) -> None:
    """The likelihood and its gradient of 10 times the study, of patterns and of people one by one."""
    frame = np.repeat(ratings(which, "Q1").to_numpy(float), 10, axis=0)
    patterns = answers_of(frame)
    people = Answers(np.repeat(patterns.codes, patterns.weights.astype(int), axis=0), np.ones(len(frame)),
                     patterns.levels)  # fmt: skip
    assert len(patterns.codes) < len(people.codes) == len(frame)
    cuts = np.linspace(-1.5, 1.5, patterns.levels - 1)
    at = Parameters(cuts, np.array([0.0, 0.4, -0.7]), 1.2)
    (together, slope), (apart, slopes) = log_likelihood(patterns, at), log_likelihood(people, at)
    assert together == pytest.approx(apart, rel=1e-12)
    assert slope.sigma == pytest.approx(slopes.sigma, rel=1e-9)
    assert slope.beta == pytest.approx(slopes.beta, rel=1e-9)
    assert slope.thresholds == pytest.approx(slopes.thresholds, rel=1e-9)


def test_order_of_two_conditions_and_of_nobody() -> None:
    rows = pd.DataFrame({
        "participant": list("aabbccdd"), "condition": list("xyyxxyyx"), "period": [1, 2] * 4,
        "value": [1, 3, 2, 2, 4, 5, 3, 1],
    })  # fmt: skip
    found = order_effects(rows, {"a": "x>y", "b": "y>x", "c": "x>y", "d": "y>x"})
    assert found.period.f is not None
    assert found.carry_over.note  # after one condition always comes the other one
    assert found.by_sequence.df == 1
    nobody = order_effects(rows.iloc[:0], {})
    assert nobody.period.note
    assert nobody.by_sequence.note == "fewer than two groups"
    one = order_effects(rows.iloc[:2], {"a": "x>y"})
    assert one.condition.note
    assert one.by_period.note
    assert friedman(np.empty((0, 0))).note
