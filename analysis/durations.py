"""How long answers took, by item and condition."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.facts import Facts, with_notes
from analysis.friedman import Floats, friedman
from analysis.model import StudyData, pivoted


def response_times(data: StudyData) -> Facts:
    """item -> condition -> {n, median, q1, q3} in seconds, and Friedman's test over the conditions.

    Quartiles are R's type 7. An item without any duration is left out.
    """
    timed = data.ratings.dropna(subset=["duration_s"])
    found: Facts = {}
    for item in data.items:
        rows = timed[timed["item"] == item.key]
        if rows.empty:
            continue
        if not item.repeated:
            found[item.key] = {"once": _quartiles(rows["duration_s"].to_numpy(float))}
            continue
        keys = [condition.key for condition in data.conditions]
        wide = pivoted(rows, "condition", "duration_s").reindex(columns=keys)
        of = {key: rows["duration_s"][rows["condition"] == key] for key in keys}
        cells: Facts = {key: _quartiles(seconds.to_numpy(float)) for key, seconds in of.items()}
        found[item.key] = {**cells, "friedman": _test(wide)}
    return found


def _quartiles(seconds: Floats) -> Facts:
    if not seconds.size:
        return with_notes({"n": 0, "median": None, "q1": None, "q3": None}, "no answer was timed")
    q1, median, q3 = (float(value) for value in np.quantile(seconds, [0.25, 0.5, 0.75]))
    return {"n": int(seconds.size), "median": median, "q1": q1, "q3": q3}


def _test(wide: pd.DataFrame) -> Facts:
    test = friedman(wide.dropna().to_numpy(float))
    facts = {"n": test.n, "chi2": test.chi2, "df": test.df, "p": test.p_asymptotic, "p_exact": test.p_exact}
    return with_notes(facts, test.note or test.exact_note)
