"""Did the order matter? Period, carry-over and sequence of one item in a crossover study.

Reported, never a gate: the tests of the conditions stand whatever these say.
Validated against R 4.2.2 (lmerTest, friedman.test, kruskal.test, lm): tests/reference/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.between import Kruskal, kruskal_wallis
from analysis.distributions import f_tail
from analysis.friedman import Floats, Friedman, friedman
from analysis.mixed import Effect, dummies, effects
from analysis.model import pivoted


@dataclass(frozen=True)
class Order:
    """Figures of one item.

    Attributes:
        condition, period: each given the other and the participant (random intercept).
        carry_over: the condition met before, in the periods after the first, given condition and period.
        fixed_period, fixed_condition: the same with participants as fixed effects, one after the other.
        by_period: Friedman's test with the periods in the place of the conditions.
        by_sequence: participants' mean ratings over the sequences.
        sequences: sequence -> number of participants with an answer.
    """

    condition: Effect
    period: Effect
    carry_over: Effect
    fixed_period: Effect
    fixed_condition: Effect
    by_period: Friedman
    by_sequence: Kruskal
    sequences: dict[str, int]


def order_effects(rows: pd.DataFrame, sequences: Mapping[str, str]) -> Order:
    """Order effects of one item.

    Args:
        rows: participant, condition, period (1 is the first) and value; one row an answer.
        sequences: participant -> the conditions in the order met, as one text.
    """
    people = pd.factorize(rows["participant"], sort=True)[0]
    rows = rows.iloc[np.lexsort((rows["period"].to_numpy(float), people))]
    terms = {"condition": dummies(list(rows["condition"])), "period": dummies(list(rows["period"]))}
    y = rows["value"].to_numpy(float)
    both = effects(y, list(rows["participant"]), terms)
    fixed = _fixed(rows, terms)
    wide = pivoted(rows, "period", "value").dropna()
    return Order(
        both["condition"],
        both["period"],
        _carry_over(rows),
        *fixed,
        friedman(wide.to_numpy(float)),
        _by_sequence(rows, sequences),
        _counted(rows, sequences),
    )


def _carry_over(rows: pd.DataFrame) -> Effect:
    who, condition = rows["participant"].to_numpy(object), rows["condition"].to_numpy(object)
    followed = np.flatnonzero(who[1:] == who[:-1])  # rows are sorted by participant and period
    before, later = condition[followed], rows.iloc[followed + 1]
    if later["condition"].nunique() < 2 or later["participant"].nunique() < 2:
        return Effect(note="fewer than two periods, conditions or participants")
    terms = {
        "condition": dummies(list(later["condition"])),
        "period": dummies(list(later["period"])),
        "previous": dummies(list(before)),
    }
    if terms["previous"].shape[1] == 0:
        return Effect(note="every participant met the same condition before")
    kept = {name: columns for name, columns in terms.items() if columns.shape[1]}
    return effects(later["value"].to_numpy(float), list(later["participant"]), kept, ["previous"])["previous"]


def _fixed(rows: pd.DataFrame, terms: dict[str, Floats]) -> tuple[Effect, Effect]:
    """Period given participant, condition given both (R: anova(lm(y ~ participant + period + condition)))."""
    people = pd.factorize(rows["participant"])[0]
    number = int(people.max(initial=-1)) + 1
    y = rows["value"].to_numpy(float)
    whole = np.column_stack([y, terms["period"], terms["condition"]])
    sizes = np.maximum(np.bincount(people, minlength=number), 1)
    means = np.column_stack([np.bincount(people, column, number) / sizes for column in whole.T])
    inside = whole - means[people]
    target, design = inside[:, 0], inside[:, 1:]
    periods, conditions = (terms[name].shape[1] for name in ("period", "condition"))
    df2 = y.size - number - periods - conditions
    if df2 < 1 or np.linalg.matrix_rank(design) < periods + conditions or not periods or not conditions:
        nothing = Effect(note="too few answers to tell period and condition apart")
        return nothing, nothing
    left = [float(target @ target), _left(target, design[:, :periods]), _left(target, design)]
    if left[2] <= 1e-12 * max(left[0], 1e-300):
        nothing = Effect(note="the model explains every answer: nothing is left to compare with")
        return nothing, nothing
    found = []
    for index, df1 in enumerate((periods, conditions)):
        f = max(0.0, left[index] - left[index + 1]) / df1 / (left[2] / df2)  # equal means differ by a rounding error
        found.append(Effect(f, df1, float(df2), f_tail(f, df1, df2)))
    return found[0], found[1]


def _left(y: Floats, x: Floats) -> float:
    residual = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return float(residual @ residual)


def _by_sequence(rows: pd.DataFrame, sequences: Mapping[str, str]) -> Kruskal:
    means = rows.groupby("participant")["value"].mean()
    names = np.array([sequences.get(str(who)) for who in means.index], dtype=object)
    groups = [means.to_numpy(float)[names == name] for name in sorted(set(names) - {None})]
    return kruskal_wallis(groups, exact=False)


def _counted(rows: pd.DataFrame, sequences: Mapping[str, str]) -> dict[str, int]:
    met = [sequences[str(who)] for who in rows["participant"].unique() if str(who) in sequences]
    return {sequence: met.count(sequence) for sequence in sorted(set(met))}
