"""Which of two was chosen: counts, the share with its interval, and whether the place on the page mattered."""

from __future__ import annotations

import pandas as pd

from analysis.bootstrap import LEVEL
from analysis.describe import NOTHING, bounded, p_value
from analysis.export import Table
from analysis.facts import Facts, with_notes
from analysis.model import StudyData

ONCE = "once"
"""In the place of a condition, for pairs that are shown once."""
NOTE = (
    "Share: of those who chose, who chose the first of the two sides (in alphabetical order), with the exact 95% "
    "interval (Clopper-Pearson); p: exact binomial test against one half, two-sided. Which side stood left was drawn "
    "for each participant; 'left chosen' is how often that one was chosen, whichever it was."
)
SEVERAL = "participants chose several times: the choices are not independent"


def pairs(data: StudyData) -> Facts | None:
    """item -> condition (or ``once``) -> counts and tests; None where the study compares nothing in pairs."""
    if data.pairs is None or data.pairs.empty:
        return None
    found: Facts = {}
    for item, rows in data.pairs.groupby("item", sort=False):
        groups = {c.key: rows[rows["condition"] == c.key] for c in data.conditions}
        groups[ONCE] = rows[rows["condition"].isna()]
        found[str(item)] = {name: figures(group) for name, group in groups.items() if len(group)}
    return found


def figures(rows: pd.DataFrame) -> Facts:
    """{n, n_left_out, counts, share, share_ci, p, n_left, p_left} of one pair.

    ``counts``: side -> how often it was chosen, in alphabetical order; ``share`` and ``p`` (R: ``binom.test(k, n)``)
    are of the first of them. ``n_left``: how often the side on the left was chosen, ``p_left`` its test.
    ``n_left_out``: shown, and none of the two chosen.

    Args:
        rows: the columns `analysis.model.PAIRS`, one row a pair that was shown.
    """
    from scipy.stats import binomtest  # here: a tenth of a report's time, for studies that compare in pairs

    sides = sorted({str(side) for name in ("left_side", "right_side") for side in rows[name].dropna()})
    chosen = rows[rows["chosen"].isin(sides)]
    counts = {side: int((chosen["chosen"] == side).sum()) for side in sides}
    n, first = len(chosen), counts[sides[0]]
    left = int((chosen["chosen"] == chosen["left_side"]).sum())
    once_each = not chosen["participant"].duplicated().any()
    test = binomtest(first, n) if n else None
    interval = test.proportion_ci(LEVEL, method="exact") if test and once_each else None
    facts = {
        "n": n,
        "n_left_out": len(rows) - n,
        "counts": counts,
        "share": first / n if n else None,
        "share_ci": (float(interval.low), float(interval.high)) if interval else None,
        "p": float(test.pvalue) if test and once_each else None,
        "n_left": left,
        "p_left": float(binomtest(left, n).pvalue) if n and once_each else None,
    }
    return with_notes(facts, "nobody chose" if not n else SEVERAL)


def pairs_table(facts: Facts) -> Table:
    """One row a pair and condition; no rows where the study compares nothing in pairs."""
    labels = {**facts["conditions"], ONCE: "Asked once"}
    groups = [(item, key, group) for item, each in (facts["pairs"] or {}).items() for key, group in each.items()]
    names = ["n", "share", "p", "n_left", "p_left"]
    rows = [
        {"item": item, "condition": key, **_sides(group), **{name: group[name] for name in names}}
        for item, key, group in groups
    ]
    columns = ["item", "condition", "first", "second", "n_first", "n_second", *names]
    shown = [(item, labels.get(key, key), *_cells(group)) for item, key, group in groups]
    heads = ["Item", "System", "Chosen", "Share of the first", "p", "Left chosen", "p of left"]
    display = pd.DataFrame(shown, columns=heads)
    return Table("pairwise", "Pairwise choices", pd.DataFrame(rows, columns=columns), display, NOTE)


def _sides(group: Facts) -> dict[str, str | int]:
    (first, n_first), (second, n_second) = group["counts"].items()
    return {"first": first, "second": second, "n_first": n_first, "n_second": n_second}


def _cells(group: Facts) -> tuple[str, ...]:
    chosen = ", ".join(f"{side} {number}" for side, number in group["counts"].items())
    ends = group["share_ci"]
    share = NOTHING if group["share"] is None else bounded(group["share"])
    share += f" [{bounded(ends[0])}, {bounded(ends[1])}]" if ends else ""
    return chosen, share, p_value(group["p"]), f"{group['n_left']} of {group['n']}", p_value(group["p_left"])
