"""Appropriate reliance on advice: first decision, advice, final decision, against a known truth.

Schemmer, Kuehl, Benz, Bartos & Satzger (2023), "Appropriate Reliance on AI Advice", doi 10.1145/3581641.3584066.
"""

from __future__ import annotations

import pandas as pd

from analysis.facts import Facts, with_notes
from analysis.model import StudyData


def reliance(data: StudyData) -> Facts | None:
    """condition -> figures over all its cases, and ``all``; None where the study asks for no decisions."""
    if data.decisions is None:
        return None
    by_condition = {c.key: data.decisions[data.decisions["condition"] == c.key] for c in data.conditions}
    return {name: figures(rows) for name, rows in {**by_condition, "all": data.decisions}.items()}


def figures(rows: pd.DataFrame) -> Facts:
    """Relative AI reliance and relative self-reliance; a perfect participant has 1 in both.

    rair: of the cases decided wrongly at first that got right advice, the share decided rightly in the end
    (1 − rair is under-reliance). rsr: of the cases decided rightly at first that got wrong advice, the share
    that stayed right (1 − rsr is over-reliance). Cases that lack one of the four entries are not counted.

    Args:
        rows: initial, advice, final and truth, one row a case; compared as text.
    """
    columns = ["initial", "advice", "final", "truth"]
    whole = rows.dropna(subset=columns)
    first, advice, last = ((whole[name].astype(str) == whole["truth"].astype(str)) for name in columns[:3])
    helped, misled = ~first & advice, first & ~advice
    facts = {
        "n": len(whole),
        "n_right_advice": int(helped.sum()),
        "n_wrong_advice": int(misled.sum()),
        "accuracy_before": _share(first),
        "accuracy_after": _share(last),
        "rair": _share(last[helped]),
        "rsr": _share(last[misled]),
    }
    reasons = {
        "rair": "no case was decided wrongly at first and got right advice",
        "rsr": "no case was decided rightly at first and got wrong advice",
        "": "no case with all four entries",
    }
    return with_notes(facts, reasons)


def _share(right: pd.Series) -> float | None:
    return float(right.mean()) if len(right) else None
