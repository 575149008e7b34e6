"""Would another defensible analysis say the same? Every test beside its alternatives, with and without exclusions.

Both tables are made from the facts of results.json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd

from analysis.describe import NOTHING, bounded, half_up, p_value
from analysis.export import Table
from analysis.facts import Facts

LEVEL = 0.05
COLUMNS = ("p_reported", "p_asymptotic", "p_other_ranks", "p_parametric", "p_clmm")
NOTE = (
    "p, not corrected over comparisons. Reported: Friedman or Wilcoxon, exact where feasible; where groups met "
    "different systems, the mixed model over all of them. Asymptotic: the same test, approximated. Other ranks: "
    "Iman–Davenport; for pairs Wilcoxon with Pratt's handling of equal ratings, exact. Parametric: repeated-measures "
    "ANOVA, Greenhouse–Geisser; for pairs the paired t-test. CLMM: cumulative link mixed model, which also uses "
    f"incomplete cases, its likelihood ratio read from F. Alike: all of them at most {bounded(LEVEL)}, or all above."
)
Row = dict[str, object]


def sensitivity(facts: Facts, names: Mapping[str, str]) -> Table:
    """One row a comparison within participants; no rows in between-subject studies."""
    rows = [row for key, item in facts["items"].items() for row in _rows(key, item)]
    frame = pd.DataFrame(rows, columns=["item", "comparison", "n", *COLUMNS, "alike"])
    labels = facts["conditions"]
    display = pd.DataFrame(
        [
            (
                *(names[str(row["item"])], _versus(str(row["comparison"]), labels), str(row["n"])),
                *(p_value(_number(row[name])) for name in COLUMNS),
                "yes" if row["alike"] else "NO",
            )
            for row in rows
        ],
        columns=["Item", "Comparison", "n", "Reported", "Asymptotic", "Other ranks", "Parametric", "CLMM", "Alike"],
    )
    return Table("sensitivity", "Sensitivity: p of other analyses of the same answers", frame, display, NOTE, words=2)


def with_and_without(facts: Facts, names: Mapping[str, str]) -> Table:
    """The omnibus test of each item without (as reported) and with the excluded participants, side by side."""
    found = facts["exclusions"]["with_and_without"] or {}
    test, figures = OMNIBUS[facts["design"]]
    rows = [
        {"item": key, **{f"{f}_{side}": cells[side][f] for side in SIDES for f in figures}}
        for key, cells in found.items()
    ]
    columns = ["item", *(f"{figure}_{side}" for side in SIDES for figure in figures)]
    display = pd.DataFrame(
        [(names[key], *(SHOWN[f](cells[side][f]) for side in SIDES for f in figures)) for key, cells in found.items()],
        columns=["Item", *(f"{symbol}, {side}" for side in SIDES for symbol in figures.values())],
    )
    note = "Without: as everywhere else in this report. With: the answers of excluded participants put back in."
    title = f"{test} without and with excluded participants"
    return Table("exclusions", title, pd.DataFrame(rows, columns=columns), display, note)


SIDES = ("without", "with")
OMNIBUS: dict[str, tuple[str, dict[str, str]]] = {
    "within": ("Friedman's test", {"n": "n", "chi2": "χ²", "p": "p", "kendall_w": "W"}),
    "between": ("Kruskal–Wallis test", {"n": "n", "chi2": "H", "p": "p"}),
    "mixed": ("Mixed model of all systems", {"n": "n", "f": "F", "p": "p"}),
}
"""Design -> its omnibus test, and the figures of it with their symbols."""
SHOWN: dict[str, Callable[[Any], str]] = {
    "n": str,
    "chi2": half_up,
    "f": half_up,
    "p": p_value,
    "kendall_w": bounded,
}


def _rows(key: str, item: Facts) -> Iterator[Row]:
    if item.get("pairs") is None:
        return
    omnibus, mixed = item["friedman"], item["mixed_design"]
    if mixed is None:
        ranked = omnibus["iman_davenport"] or {}
        p = (_reported(omnibus, "p"), omnibus["p"], ranked.get("p"), item["rm_anova"]["p_gg"], _clmm(item["clmm"]))
        yield _row(key, "all", omnibus["n"], p)
    else:
        yield _row(key, "all", mixed["n"], (mixed["condition"]["p"], None, None, None, _clmm(item["clmm"])))
    for pair, test in item["pairs"].items():
        if mixed is not None and pair in mixed["mann_whitney"]:
            continue  # nobody met both
        t = item["paired_t"][pair]["p"]
        figures = (_reported(test, "p_asymptotic"), test["p_asymptotic"], test["p_pratt_exact"], t, None)
        yield _row(key, pair, test["n"], figures)


def _clmm(test: Facts | None) -> float | None:
    """None also for a score or a long slider, which have none."""
    if test is None:
        return None
    return _number(test["p"] if test["p_f"] is None else test["p_f"])


def _reported(test: Facts, asymptotic: str) -> float | None:
    exact = test["p_exact"]
    return _number(test[asymptotic] if exact is None else exact)


def _row(item: str, comparison: str, n: int, p: tuple[float | None, ...]) -> Row:
    sides = {value <= LEVEL for value in p if value is not None}
    return {
        "item": item,
        "comparison": comparison,
        "n": n,
        **dict(zip(COLUMNS, p, strict=True)),
        "alike": len(sides) < 2,
    }


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _versus(pair: str, labels: Mapping[str, str]) -> str:
    for first in labels:
        if pair.startswith(f"{first}-") and pair.removeprefix(f"{first}-") in labels:
            return f"{labels[first]} vs {labels[pair.removeprefix(f'{first}-')]}"
    return "All systems" if pair == "all" else pair or NOTHING
