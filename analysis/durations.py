"""How long the pages with the ratings were open, by condition.

A page has one clock, from its appearance to each of its answers. The largest of these is the time to the last rating
(other kinds of questions on the page are not among the ratings); how long one of several items took was not measured.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.facts import Facts, with_notes
from analysis.friedman import Floats, friedman
from analysis.mixed_design import groups_of
from analysis.model import ONCE, StudyData, pivoted


def pages(data: StudyData) -> pd.DataFrame:
    """participant, condition (``once`` for the page of the items rated once), period and seconds; one row a page."""
    timed = data.ratings.dropna(subset=["duration_s"])
    timed = timed.assign(condition=timed["condition"].fillna(ONCE))
    clocks = timed.groupby(["participant", "condition", "period"], sort=False, dropna=False)["duration_s"]
    return clocks.max().rename("seconds").reset_index()


def page_times(data: StudyData) -> Facts | None:
    """condition -> {n, median, q1, q3} in seconds (n: pages), and Friedman's test of the participants' means over the
    conditions; None where no answer was timed. Quartiles are R's type 7."""
    rows = pages(data)
    if rows.empty:
        return None
    keys = [condition.key for condition in data.conditions] if data.repeated_items else []
    of = {key: rows["seconds"][rows["condition"] == key] for key in (*keys, *([ONCE] if data.single_items else []))}
    cells: Facts = {key: _quartiles(seconds.to_numpy(float)) for key, seconds in of.items()}
    if not keys:
        return {**cells, **with_notes({"friedman": None}, "rated once: there are no conditions to compare")}
    return {**cells, **over_conditions(data, pivoted(rows, "condition", "seconds").reindex(columns=keys))}


def _quartiles(seconds: Floats) -> Facts:
    if not seconds.size:
        return with_notes({"n": 0, "median": None, "q1": None, "q3": None}, "no answer was timed")
    q1, median, q3 = (float(value) for value in np.quantile(seconds, [0.25, 0.5, 0.75]))
    return {"n": int(seconds.size), "median": median, "q1": q1, "q3": q3}


def over_conditions(data: StudyData, wide: pd.DataFrame) -> Facts:
    """``friedman`` of seconds, (participants, conditions); null in designs in which participants met different
    conditions."""
    if data.between or groups_of(data):
        return with_notes({"friedman": None}, "participants did not all meet the same conditions")
    test = friedman(wide.dropna().to_numpy(float))
    facts = {"n": test.n, "chi2": test.chi2, "df": test.df, "p": test.p_asymptotic, "p_exact": test.p_exact}
    return {"friedman": with_notes(facts, test.note or test.exact_note)}
