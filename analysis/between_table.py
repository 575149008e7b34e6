"""The tests of a between-subject study: Kruskal–Wallis over the conditions and Mann–Whitney pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from analysis.between import Kruskal, MannWhitney, kruskal_wallis, mann_whitney
from analysis.describe import NOTHING, bounded, half_up, p_value
from analysis.export import Table
from analysis.holm import holm
from analysis.measures import Item
from analysis.model import StudyData
from analysis.tables import TEST_COLUMNS, parts_note

Row = dict[str, object]

NOTE = (
    "Every participant met one system only. All systems: Kruskal–Wallis test, not corrected over the items. "
    "Pairs: Mann–Whitney test, Holm-corrected over the item's pairs, r = rank-biserial correlation, positive where the "
    "first system is rated higher. p is exact, conditional on ties, where the ways to deal the answers can be counted."
)


def between_tests(data: StudyData) -> Table:
    """Kruskal–Wallis and its pairs per item, one row a test; the columns of ``tables.tests``."""
    labels = {condition.key: condition.label for condition in data.conditions}
    rows: list[Row] = []
    shown: list[tuple[str, ...]] = []
    for item in data.tested_items:
        frame = data.by_condition(item)  # one value a person, also of several cases
        groups = {condition.key: frame[condition.key].dropna().to_numpy(np.float64) for condition in data.conditions}
        together = kruskal_wallis(list(groups.values()))
        pairs = {(a, b): mann_whitney(groups[a], groups[b]) for a, b in combinations(groups, 2)}
        corrected = holm([test.p for test in pairs.values()])
        rows.append(_whole_columns(item, together))
        shown.append((item.name, "All systems", str(together.n), *_whole_cells(together)))
        for ((a, b), test), p in zip(pairs.items(), corrected, strict=True):
            rows.append(mann_whitney_columns(item, a, b, test, p))
            shown.append(("", f"{labels[a]} vs {labels[b]}", f"{test.n1} + {test.n2}", *mann_whitney_cells(test, p)))
    frame = pd.DataFrame(rows, columns=list(TEST_COLUMNS))
    whole = ["df", "n_zero", "n_positive", "n_negative"]
    frame[whole] = frame[whole].astype("Int64")
    display = pd.DataFrame(shown, columns=["Item", "Comparison", "n", "Statistic", "p", "p (Holm)", "Effect"])
    note = " ".join([NOTE, *parts_note(data)])
    return Table("tests", f"Comparison of the systems (n = {data.n})", frame, display, note, words=2)


def _whole_columns(item: Item, test: Kruskal) -> Row:
    exact = test.p if test.p_exact is None else test.p_exact
    figures: Row = {"n": test.n, "statistic": test.chi2, "df": test.df, "p": exact}
    names: Row = {"item": item.key, "test": "kruskal_wallis", "note": test.note or test.exact_note}
    return names | figures | {"p_asymptotic": test.p, "p_exact": test.p_exact}


def mann_whitney_columns(item: Item, first: str, second: str, test: MannWhitney, p_holm: float | None) -> Row:
    """The columns of one Mann–Whitney test in tests.csv."""
    names: Row = {"item": item.key, "test": "mann_whitney", "first": first, "second": second, "note": test.note}
    figures: Row = {"n": test.n1 + test.n2, "statistic": test.u, "p": test.p, "p_holm": p_holm}
    effect: Row = {"effect": "rank_biserial", "effect_size": test.rank_biserial}
    return names | figures | {"p_asymptotic": test.p_asymptotic, "p_exact": test.p_exact} | effect


def _whole_cells(test: Kruskal) -> tuple[str, ...]:
    if test.chi2 is None:
        return test.note, NOTHING, NOTHING, NOTHING
    p = test.p if test.p_exact is None else test.p_exact
    return f"H({test.df}) = {half_up(test.chi2)}", p_value(p), NOTHING, NOTHING


def mann_whitney_cells(test: MannWhitney, p_holm: float | None) -> tuple[str, ...]:
    """Statistic, p, p (Holm) and effect of one Mann–Whitney test, for readers."""
    if test.u is None:
        return test.note, NOTHING, NOTHING, NOTHING
    u = half_up(test.u, 0 if test.u.is_integer() else 1)
    return f"U = {u}", p_value(test.p), p_value(p_holm), f"r = {bounded(test.rank_biserial)}"
