"""Appropriate reliance on advice: first decision, advice, final decision, against a known truth.

Schemmer, Kuehl, Benz, Bartos & Satzger (2023), "Appropriate Reliance on AI Advice: Conceptualization and the Effect of
Explanations", doi 10.1145/3581641.3584066: relative AI reliance and relative self-reliance. Agreement and switch
fraction: Zhang, Liao & Bellamy (2020), "Effect of Confidence and Explanation on Accuracy and Trust Calibration",
doi 10.1145/3351095.3372852.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.bootstrap import DRAWS, LEVEL, SEED, Interval, stream
from analysis.facts import Facts, with_notes
from analysis.model import StudyData

FOUR = ["initial", "advice", "final", "truth"]
WHY = {
    "rair": "no case was decided wrongly at first and got right advice",
    "rsr": "no case was decided rightly at first and got wrong advice",
    "switch_fraction": "the first decision was the advice in every case",
    "": "no case with all four entries",
}
SAME_AS = {"under_reliance": "rair", "over_reliance": "rsr"}
"""One minus the other, so they lack for the same reason."""


def reliance(data: StudyData, seed: int = SEED) -> Facts | None:
    """condition -> figures over all its cases, and ``all``; None where the study asks for no decisions."""
    if data.decisions is None or data.decisions.empty:
        return None
    by_condition = {c.key: data.decisions[data.decisions["condition"] == c.key] for c in data.conditions}
    groups = {**by_condition, "all": data.decisions}
    return {name: figures(rows, seed, name) for name, rows in groups.items()}


def figures(rows: pd.DataFrame, seed: int = SEED, name: str = "all") -> Facts:
    """Relative AI reliance and relative self-reliance; a perfect participant has 1 in both.

    rair: of the cases decided wrongly at first that got right advice, the share decided rightly in the end
    (1 − rair is ``under_reliance``). rsr: of the cases decided rightly at first that got wrong advice, the share
    decided rightly in the end (1 − rsr is ``over_reliance``). agreement_fraction: of all cases, the share whose
    final decision is the advice. switch_fraction: of the cases whose first decision is not the advice, the share
    whose final decision is. Each share pools the cases of all participants, and its ``_ci`` is the 95 % percentile
    interval when participants, each with all their cases, are drawn with replacement. Cases that lack one of the
    four entries are counted in ``n_left_out`` only.

    Args:
        rows: the columns `analysis.model.DECISIONS`, one row a case; entries are compared as text.
        seed: of the intervals.
        name: of the group, so that each has draws of its own.
    """
    cases = rows.dropna(subset=FOUR)
    text = {column: cases[column].astype(str) for column in FOUR}
    first, advice, last = (text[column] == text["truth"] for column in FOUR[:3])
    agrees, differs = text["final"] == text["advice"], text["initial"] != text["advice"]
    anything = pd.Series(True, index=cases.index)
    helped, misled = ~first & advice, first & ~advice
    shares = {
        "accuracy_before": (first, anything),
        "accuracy_of_advice": (advice, anything),
        "accuracy_after": (last, anything),
        "rair": (last, helped),
        "rsr": (last, misled),
        "agreement_fraction": (agrees, anything),
        "switch_fraction": (agrees, differs),
    }
    facts: Facts = {
        "n": len(cases),
        "n_participants": int(cases["participant"].nunique()),
        "n_left_out": len(rows) - len(cases),
        "n_right_advice": int(helped.sum()),
        "n_wrong_advice": int(misled.sum()),
        "n_different_advice": int(differs.sum()),
    }
    for key, (counted, among) in shares.items():
        facts[key] = _share(counted, among)
        facts[f"{key}_ci"] = _interval(cases, counted, among, stream(seed, "reliance", name, key))
    for key, other in SAME_AS.items():
        facts[key] = None if facts[other] is None else 1 - facts[other]
        found = facts[f"{other}_ci"]
        facts[f"{key}_ci"] = None if found is None else (1 - found[1], 1 - found[0])
    return with_notes(facts, _reasons(facts))


def _reasons(facts: Facts) -> dict[str, str]:
    """Why a figure is missing; an interval also lacks where one participant alone has such cases."""
    reasons = dict(WHY)
    reasons |= {key: WHY[other] for key, other in SAME_AS.items()}
    for key in facts:
        if key.endswith("_ci"):
            share = key.removesuffix("_ci")
            nothing = reasons.get(share, WHY[""])
            reasons[key] = nothing if facts[share] is None else "fewer than two participants have such cases"
    return reasons


def _share(counted: pd.Series, among: pd.Series) -> float | None:
    return float(counted[among].mean()) if among.any() else None


def _interval(
    cases: pd.DataFrame, counted: pd.Series, among: pd.Series, generator: np.random.Generator
) -> Interval | None:
    """Participants drawn with replacement, each with all their cases (a cluster bootstrap; Efron & Tibshirani 1993).
    Draws without any case in the denominator say nothing of the share and are left out; None below two participants
    who have such cases."""
    person = cases["participant"].astype(str)
    above = (counted & among).groupby(person).sum().to_numpy(dtype=np.int64)  # (participants,)
    below = among.groupby(person).sum().to_numpy(dtype=np.int64)
    if (below > 0).sum() < 2:
        return None
    pairs, repeats = np.unique(np.stack([above, below], axis=1), axis=0, return_counts=True)
    drawn: npt.NDArray[np.int64] = generator.multinomial(above.size, repeats / above.size, size=DRAWS)
    top, bottom = (drawn @ pairs).T  # (draws,) each
    shares = top[bottom > 0] / bottom[bottom > 0]
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
