"""The tests of a mixed design: groups of participants met different conditions, so that nobody met all of them.

Over all groups the mixed models of `mixed_design`; pairs of conditions that the same people met by Wilcoxon, those that
nobody met both of by Mann–Whitney.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from analysis.between_table import mann_whitney_cells, mann_whitney_columns
from analysis.compare import Comparison, Pair
from analysis.describe import NOTHING, half_up, p_value
from analysis.export import Table
from analysis.measures import Item
from analysis.mixed import Effect
from analysis.mixed_design import MixedDesign, mixed_design
from analysis.model import StudyData
from analysis.tables import TEST_COLUMNS, once, pair_cells, pair_columns, parts_note

Row = dict[str, object]
Shown = tuple[str, ...]

EFFECTS = {
    "mixed_condition": "All systems",
    "mixed_group": "Groups of participants",
    "mixed_interaction": "Systems × groups",
}
"""Name of the test in tests.csv -> what readers are told is compared."""
NOTE = (
    "Groups of participants met different systems. All systems, groups of participants and systems × groups: F of a "
    "linear mixed model with a random intercept per participant, Satterthwaite's degrees of freedom, systems and "
    "groups given each other, their interaction on the systems that every group met; not corrected over the items. "
    "Pairs that the same participants met: Wilcoxon signed-rank test, equal ratings dropped, Holm-corrected over the "
    "item's pairs. Pairs that nobody met both of (n is a sum): Mann–Whitney test, Holm-corrected over these pairs. "
    "r = rank-biserial correlation, positive where the first system is rated higher. p of pairs is exact, conditional "
    "on ties, where it can be counted."
)


def mixed_tests(data: StudyData, comparisons: Sequence[Comparison]) -> Table:
    """The mixed models and every pair per item, one row a test; the columns of ``tables.tests``."""
    labels = {condition.key: condition.label for condition in data.conditions}
    pairs = {found.item: found.pairs for found in comparisons}
    lines = [
        (item, row, cells)
        for item in data.tested_items
        for row, cells in _of_item(item, mixed_design(data, item), pairs[item.key], labels)
    ]
    frame = pd.DataFrame([{"item": item.key, **row} for item, row, _ in lines], columns=list(TEST_COLUMNS))
    whole = ["df", "n_zero", "n_positive", "n_negative"]
    frame[whole] = frame[whole].astype("Int64")
    shown = [(item.name, *cells) for item, _, cells in lines]
    display = pd.DataFrame(shown, columns=["Item", "Comparison", "n", "Equal", "Statistic", "p", "p (Holm)", "Effect"])
    display["Item"] = once(display["Item"])
    note = " ".join([NOTE, *parts_note(data)])
    return Table("tests", f"Comparison of the systems (n = {data.n})", frame, display, note, words=2)


def _of_item(
    item: Item, found: MixedDesign | None, pairs: Sequence[Pair], labels: Mapping[str, str]
) -> Iterator[tuple[Row, Shown]]:
    assert found is not None  # asked for where there are groups
    effects = dict(zip(EFFECTS, (found.condition, found.group, found.interaction), strict=True))
    for name, effect in effects.items():
        if effect.f is not None or name == "mixed_condition":
            yield _effect_columns(name, found.n, effect), (EFFECTS[name], str(found.n), "", *_effect_cells(effect))
    for pair in pairs:
        if (pair.first, pair.second) not in found.across:
            yield pair_columns(pair), pair_cells(pair, dict(labels))
    for (a, b), (test, p) in found.across.items():
        head = (f"{labels[a]} vs {labels[b]}", f"{test.n1} + {test.n2}", "")
        yield mann_whitney_columns(item, a, b, test, p), (*head, *mann_whitney_cells(test, p))


def _effect_columns(name: str, n: int, effect: Effect) -> Row:
    figures: Row = {"statistic": effect.f, "df": effect.df1, "df2": effect.df2, "p": effect.p}
    return {"test": name, "first": "", "second": "", "n": n, **figures, "note": effect.note}


def _effect_cells(effect: Effect) -> Shown:
    if effect.f is None or effect.df2 is None:
        return effect.note, NOTHING, NOTHING, NOTHING
    df2 = half_up(effect.df2, 0 if effect.df2.is_integer() else 2)
    return f"F({effect.df1}, {df2}) = {half_up(effect.f)}", p_value(effect.p), NOTHING, NOTHING
