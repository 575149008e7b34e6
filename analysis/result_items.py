"""Every figure of one item, under the names of docs/results-json.md."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.between import kruskal_wallis, mann_whitney
from analysis.bootstrap import kendall_w_interval, rank_biserial_interval, stream
from analysis.clmm import clmm
from analysis.compare import Comparison, Pair
from analysis.describe import Description, describe
from analysis.distributions import t_quantile
from analysis.facts import Facts, with_notes
from analysis.friedman import Floats, Friedman
from analysis.holm import holm
from analysis.measures import Item
from analysis.mixed_design import GROUPS, NO_GROUPS, mixed_design, mixed_facts
from analysis.model import ONCE, Condition, StudyData
from analysis.order import Order, order_effects
from analysis.rm_anova import paired_t, rm_anova
from analysis.subgroups import effect_facts, kruskal_facts, mann_whitney_facts
from analysis.tables import describe_item

WITHIN = ("friedman", "kendall_w_ci", "pairs", "paired_t", "rm_anova", "clmm", "order")
WHOLE = ("friedman", "kendall_w_ci", "rm_anova")
"""Tests over people who met every condition: none where groups met different ones."""
BETWEEN = ("kruskal_wallis", "mann_whitney")
INFERRED = "the file has no sequences: the condition before is the last one with an answer to any item"


def item_facts(data: StudyData, item: Item, comparison: Comparison | None, seed: int) -> Facts:
    """One item. ``comparison`` is None for items rated once, for those that a score is tested in place of, and in
    between-subject studies."""
    if not item.repeated:
        nothing = dict.fromkeys((*WITHIN, *BETWEEN, "mixed_design"))
        described: Facts = {ONCE: description_facts(describe_item(data, item), item.counted)}
        return {"describe": described, **with_notes(nothing, "rated once: there are no conditions to compare")}
    frame = data.by_condition(item)
    described = {c.key: _described(data, item, c, frame) for c in data.conditions}
    if item.key in data.score_of:
        nothing = dict.fromkeys((*WITHIN, *BETWEEN, "mixed_design"))
        return {
            "describe": described,
            **with_notes(nothing, f"part of a score, which is tested: {data.score_of[item.key]}"),
        }
    if comparison is None:
        nothing = with_notes(dict.fromkeys((*WITHIN, "mixed_design")), "every participant met one condition only")
        return {"describe": described, **nothing, **_between(frame)}
    nothing = with_notes(dict.fromkeys(BETWEEN), "the same participants met several conditions")
    mixed = with_notes({"mixed_design": mixed_facts(mixed_design(data, item))}, NO_GROUPS)
    within = _within(data, item, frame, comparison, seed)
    if mixed["mixed_design"] is not None:
        within |= with_notes(dict.fromkeys(WHOLE), GROUPS)
    return {"describe": described, **within, **mixed, **nothing}


def _described(data: StudyData, item: Item, condition: Condition, frame: pd.DataFrame) -> Facts:
    """Of all ratings; the interval of the mean is over people, of whom each has one mean over the cases."""
    found = description_facts(describe_item(data, item, condition), item.counted)
    if data.cases == 1:
        return found
    means = describe(frame[condition.key].dropna().tolist(), item.scale_min, item.scale_max)
    again = description_facts(means)
    return {**found, **{name: again[name] for name in ("mean_ci", "mean_ci_note") if name in again}}


def description_facts(cell: Description, counted: bool = True) -> Facts:
    """{n, mean, sd, median, counts, mean_ci}; counts by scale point, unless there are too many (not ``counted``)."""
    counts = {str(point): number for point, number in cell.counts.items()} or None
    why = {
        "sd": "fewer than two answers",
        "counts": "answers lie between the points of the scale" if counted else "too many values to count each",
        "mean_ci": "fewer than two answers" if cell.n < 2 else "all answers are equal",
        "": "nobody answered",
    }
    facts = {"n": cell.n, "mean": cell.mean, "sd": cell.sd, "median": cell.median, "counts": counts}
    return with_notes({**facts, "mean_ci": mean_interval(cell)}, why)


def mean_interval(cell: Description, level: float = 0.95) -> tuple[float, float] | None:
    """Student's t interval of the mean (R: t.test(x)$conf.int); None where answers do not vary."""
    if cell.mean is None or not cell.sd:
        return None
    half = t_quantile((1 + level) / 2, cell.n - 1) * cell.sd / math.sqrt(cell.n)
    return cell.mean - half, cell.mean + half


def _within(data: StudyData, item: Item, frame: pd.DataFrame, comparison: Comparison, seed: int) -> Facts:
    complete = frame.dropna().to_numpy(float)
    differences = {pair.name: _differences(frame, pair) for pair in comparison.pairs}
    interval = kendall_w_interval(complete, stream(seed, item.key))
    anova = rm_anova(complete)
    anova_names = ("n", "f", "df1", "df2", "p", "epsilon_gg", "p_gg", "eta2_g")
    return {
        "friedman": friedman_facts(comparison.friedman),
        **with_notes({"kendall_w_ci": interval}, comparison.friedman.note),
        "pairs": {
            pair.name: pair_facts(pair, differences[pair.name], stream(seed, item.key, pair.first, pair.second))
            for pair in comparison.pairs
        },
        "paired_t": _paired_t(differences),
        "rm_anova": with_notes({name: getattr(anova, name) for name in anova_names}, anova.note),
        **_clmm(data, item, frame),
        **_order(data, item),
    }


def friedman_facts(test: Friedman) -> Facts:
    """{n, chi2, df, p, p_exact, p_holm, kendall_w, iman_davenport: {f, df1, df2, p}, mean_ranks}."""
    ranked = test.iman_davenport
    facts = {
        "n": test.n,
        "chi2": test.chi2,
        "df": test.df,
        "p": test.p_asymptotic,
        "p_exact": test.p_exact,
        "p_holm": test.p_holm,
        "kendall_w": test.kendall_w,
        "iman_davenport": {"f": ranked.f, "df1": ranked.df1, "df2": ranked.df2, "p": ranked.p} if ranked else None,
        "mean_ranks": test.mean_ranks or None,
        "left_out": test.left_out,
    }
    why = {"p_exact": test.exact_note, "iman_davenport": "every participant ranks the conditions alike: F is infinite"}
    return with_notes(facts, dict.fromkeys(facts, test.note) if test.note else why)


def pair_facts(pair: Pair, differences: Floats, generator: np.random.Generator) -> Facts:
    """The signed-rank test of first minus second; ``p_holm`` corrects ``p_exact`` (else ``p_asymptotic``)."""
    test = pair.test
    interval = rank_biserial_interval(differences, generator) if test.p is not None else None
    facts = {
        "n": test.n,
        "n_zero": test.n_zero,
        "n_positive": test.n_positive,
        "n_negative": test.n_negative,
        "w_plus": test.w_plus,
        "w_minus": test.w_minus,
        "p_exact": test.p_exact,
        "p_asymptotic": test.p_asymptotic,
        "p_pratt_exact": test.p_pratt_exact,
        "p_holm": pair.p_holm,
        "rank_biserial": test.rank_biserial,
        "rank_biserial_ci": interval,
        "hodges_lehmann": test.hodges_lehmann,
        "probability_of_superiority": test.probability,
        "left_out": pair.left_out,
    }
    too_many = f"n = {test.n} is above the limit for the exact p: the asymptotic p is used"
    return with_notes(
        facts, {"rank_biserial_ci": test.note or "fewer than two participants", "": test.note or too_many}
    )


def _differences(frame: pd.DataFrame, pair: Pair) -> Floats:
    return np.asarray((frame[pair.first] - frame[pair.second]).dropna(), dtype=float)


def _paired_t(differences: Mapping[str, Floats]) -> Facts:
    tests = {name: paired_t(values) for name, values in differences.items()}
    corrected = holm([test.p for test in tests.values()])
    names = ("n", "mean_difference", "t", "df", "p", "ci", "cohen_dz")
    return {
        name: with_notes({**{key: getattr(test, key) for key in names}, "p_holm": p}, test.note)
        for (name, test), p in zip(tests.items(), corrected, strict=True)
    }


def _clmm(data: StudyData, item: Item, frame: pd.DataFrame) -> Facts:
    if data.cases > 1:
        return with_notes({"clmm": None}, "a mean over several cases is no point of the scale")
    if not item.counted:
        return with_notes({"clmm": None}, "too many values for a model of ordered points")
    return {"clmm": _clmm_facts(clmm(frame.to_numpy(float)), [condition.key for condition in data.conditions])}


def _clmm_facts(model: object, conditions: list[str]) -> Facts:
    names = ("n", "lr", "df", "p", "df2", "p_f", "log_likelihood", "sigma")
    note = str(getattr(model, "note", ""))
    few = "too few answers: no degrees of freedom are left" if getattr(model, "lr", None) is not None else note
    facts = with_notes({name: getattr(model, name) for name in names}, {"": note, "df2": few, "p_f": few})
    if note and facts["lr"] is not None:
        facts["lr_note"] = note
    beta, se = getattr(model, "beta", ()), getattr(model, "se", ())
    if len(beta) == len(conditions) - 1:
        facts["log_odds_ratio"] = dict(zip(conditions[1:], beta, strict=True))
        facts |= with_notes(
            {"se": dict(zip(conditions[1:], se, strict=True)) if se else None}, "the information is singular"
        )
    return facts


def _order(data: StudyData, item: Item) -> Facts:
    rows = data.by_place(item)
    if rows.empty:
        return with_notes({"order": None}, "the rows do not say in which period an answer was given")
    if rows["condition"].nunique() < 2:
        return with_notes({"order": None}, "one condition only: its order cannot matter")
    order = order_facts(order_effects(rows, data.sequences))
    return {"order": order if data.allocated else {**order, "carry_over_note": INFERRED}}


def order_facts(order: Order) -> Facts:
    """Effects of period, carry-over and sequence."""
    by = order.by_period
    friedman = {"n": by.n, "chi2": by.chi2, "df": by.df, "p": by.p_asymptotic, "p_exact": by.p_exact}
    by_sequence = kruskal_facts(order.by_sequence)
    del by_sequence["p_exact"], by_sequence["p_exact_note"]
    return {
        "period": effect_facts(order.period),
        "condition": effect_facts(order.condition),
        "carry_over": effect_facts(order.carry_over),
        "fixed_effects": {
            "period": effect_facts(order.fixed_period),
            "condition": effect_facts(order.fixed_condition),
            "carry_over": effect_facts(order.fixed_carry_over),
        },
        "friedman_by_period": with_notes(friedman, by.note or by.exact_note),
        "kruskal_by_sequence": by_sequence,
        "sequences": order.sequences,
    }


def _between(frame: pd.DataFrame) -> Facts:
    groups = {str(key): frame[key].dropna().to_numpy(float) for key in frame}
    tests = {(a, b): mann_whitney(groups[a], groups[b]) for a, b in combinations(groups, 2)}
    corrected = holm([test.p for test in tests.values()])
    pairs = {
        f"{a}-{b}": {**mann_whitney_facts(test), **with_notes({"p_holm": p}, test.note)}
        for ((a, b), test), p in zip(tests.items(), corrected, strict=True)
    }
    return {"kruskal_wallis": kruskal_facts(kruskal_wallis(list(groups.values()))), "mann_whitney": pairs}
