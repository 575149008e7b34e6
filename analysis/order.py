"""Did the order matter? Period, carry-over and sequence of one item in a crossover study.

Reported, never a gate: the tests of the conditions stand whatever these say.
Validated against R 4.2.2 (lmerTest, friedman.test, kruskal.test, lm): tests/reference/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

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
        carry_over: the condition met before, rated or not, in the periods after the first, given condition and period.
        fixed_period, fixed_condition: the same with participants as fixed effects, one after the other.
        fixed_carry_over: carry-over with participants as fixed effects, after period and condition; the mixed model's
            two answers a participant reject too often (docs/size-and-power.md).
        by_period: Friedman's test with the periods in the place of the conditions.
        by_sequence: participants' mean ratings over the sequences.
        sequences: sequence -> number of participants with an answer.
    """

    condition: Effect
    period: Effect
    carry_over: Effect
    fixed_period: Effect
    fixed_condition: Effect
    fixed_carry_over: Effect
    by_period: Friedman
    by_sequence: Kruskal
    sequences: dict[str, int]


def order_effects(rows: pd.DataFrame, sequences: Mapping[str, str]) -> Order:
    """Order effects of one item.

    Args:
        rows: participant, condition, period (1 is the first) and value; one row an answer.
        sequences: participant -> the conditions in the order met, joined by ``>``; carry-over and the comparison of
            the sequences leave out whom it does not name.
    """
    terms = {"condition": dummies(list(rows["condition"])), "period": dummies(list(rows["period"]))}
    y = rows["value"].to_numpy(float)
    both = effects(y, list(rows["participant"]), terms)
    wide = pivoted(rows, "period", "value").dropna()
    fixed_period, fixed_condition = _fixed(y, list(rows["participant"]), {n: terms[n] for n in ("period", "condition")})
    carry_over, fixed_carry_over = _carry_over(rows, sequences)
    return Order(
        condition=both["condition"],
        period=both["period"],
        carry_over=carry_over,
        fixed_period=fixed_period,
        fixed_condition=fixed_condition,
        fixed_carry_over=fixed_carry_over,
        by_period=friedman(wide.to_numpy(float)),
        by_sequence=_by_sequence(rows, sequences),
        sequences=_counted(rows, sequences),
    )


def _carry_over(rows: pd.DataFrame, sequences: Mapping[str, str]) -> tuple[Effect, Effect]:
    """With a random intercept a participant, and with participants as fixed effects."""
    later = _later(rows, sequences)
    if isinstance(later, Effect):
        return later, later
    return effects(*later, ["previous"])["previous"], _fixed(*later)[-1]


def _later(rows: pd.DataFrame, sequences: Mapping[str, str]) -> tuple[Floats, list[str], dict[str, Floats]] | Effect:
    """Answers after the first period, whose they are, and the terms, last of them the condition met before."""
    # By the sequence, not by the answer before: somebody who left an item open had met that condition all the same.
    before = {(who, now): last for who, sequence in sequences.items() for last, now in pairwise(sequence.split(">"))}
    cells = zip(rows["participant"], rows["condition"], strict=True)
    previous = pd.Series([before.get((str(who), str(now))) for who, now in cells], index=rows.index, dtype=object)
    later, previous = rows[previous.notna()], previous.dropna()
    if later["condition"].nunique() < 2 or later["participant"].nunique() < 2:
        return Effect(note="fewer than two periods, conditions or participants")
    terms = {
        "period": dummies(list(later["period"])),
        "condition": dummies(list(later["condition"])),
        "previous": dummies(list(previous)),
    }
    if terms["previous"].shape[1] == 0:
        return Effect(note="every participant met the same condition before")
    kept = {name: columns for name, columns in terms.items() if columns.shape[1]}
    return later["value"].to_numpy(float), list(later["participant"]), kept


def _fixed(y: Floats, who: list[str], terms: Mapping[str, Floats]) -> list[Effect]:
    """Each term given the participant and the terms before it (R: anova(lm(y ~ participant + period + condition)))."""
    people = pd.factorize(np.array(who, dtype=object))[0]
    number = int(people.max(initial=-1)) + 1
    widths = [columns.shape[1] for columns in terms.values()]
    whole = np.column_stack([y, *terms.values()])
    sizes = np.maximum(np.bincount(people, minlength=number), 1)
    means = np.column_stack([np.bincount(people, column, number) / sizes for column in whole.T])
    inside = whole - means[people]
    target, design = inside[:, 0], inside[:, 1:]
    df2 = y.size - number - sum(widths)
    if df2 < 1 or np.linalg.matrix_rank(design) < sum(widths) or not all(widths):
        return [Effect(note=f"too few answers to tell {' and '.join(terms)} apart")] * len(terms)
    left = [float(target @ target), *(_left(target, design[:, : sum(widths[: i + 1])]) for i in range(len(widths)))]
    if left[-1] <= 1e-12 * max(left[0], 1e-300):
        return [Effect(note="the model explains every answer: nothing is left to compare with")] * len(terms)
    found = []
    for index, df1 in enumerate(widths):
        f = max(0.0, left[index] - left[index + 1]) / df1 / (left[-1] / df2)  # equal means differ by a rounding error
        found.append(Effect(f, df1, float(df2), f_tail(f, df1, df2)))
    return found


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
